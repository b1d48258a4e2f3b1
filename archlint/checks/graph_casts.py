"""Casts in a row: those that change nothing on the way, and those that lose digits on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check

if TYPE_CHECKING:
    from archlint.facts import Facts

_FLOATS: Mapping[str, tuple[int, int]] = {
    "float16": (11, 5),
    "bfloat16": (8, 8),
    "float32": (24, 8),
    "float64": (53, 11),
}
"""Bits of significand (with the hidden one) and of exponent. Source: IEEE 754-2019, table 3.5."""

_INTEGERS: Mapping[str, tuple[bool, int]] = {
    f"{'' if signed else 'u'}int{bits}": (signed, bits)
    for signed in (True, False)
    for bits in (4, 8, 16, 32, 64)
}
"""Whether signed, and bits."""


@check(
    nodes={"second": "the cast that follows", "first": "the cast before it"},
    values={"start": "type at the start", "middle": "type between the two", "end": "type at the end"},
)
def cast_pairs(facts: Facts, *, lossy: bool) -> Iterator[Match | Unsure]:
    """Casts after casts: with ``lossy`` where the middle rounds floats, else where it holds them all.

    A cast that changes nothing is ``graph_noops``'s, and masks that become indices in two steps cost nothing.
    """
    for second in facts.graph.nodes:
        first = facts.graph.producers.get(second.inputs[0]) if second.op == "Cast" and second.inputs else None
        if first is None or first.op != "Cast" or not first.inputs:
            continue
        start = facts.tensor(first.inputs[0]).dtype
        middle, end = first.attrs.get("to"), second.attrs.get("to")
        if start is None or not isinstance(middle, str) or not isinstance(end, str):
            continue
        if middle in (start, end) or (start == "bool" and end in _INTEGERS):
            continue
        fits = rounds(start, middle) and rounds(end, middle) if lossy else holds(middle, start)
        if fits:
            yield Match({"second": second, "first": first}, {"start": start, "middle": middle, "end": end})


def holds(wide: str, narrow: str) -> bool:
    """Whether every number of one type is a number of the other."""
    if wide == narrow or (narrow == "bool" and (wide in _FLOATS or wide in _INTEGERS)):
        return True
    if narrow in _FLOATS:
        return wide in _FLOATS and all(a >= b for a, b in zip(_FLOATS[wide], _FLOATS[narrow], strict=True))
    if narrow not in _INTEGERS:
        return False
    signed, bits = _INTEGERS[narrow]
    if wide in _FLOATS:
        # An integer of b bits must fit the significand; its size stays within any of these exponents
        # but float16's, which ends at 65504.
        return bits - signed <= _FLOATS[wide][0] and not (wide == "float16" and bits > 11)
    if wide not in _INTEGERS:
        return False
    wide_signed, wide_bits = _INTEGERS[wide]
    if signed and not wide_signed:
        return False
    return wide_bits - wide_signed >= bits - signed


def rounds(wide: str, narrow: str) -> bool:
    """Whether both are floats and the second cannot hold all numbers of the first."""
    return wide in _FLOATS and narrow in _FLOATS and not holds(narrow, wide)
