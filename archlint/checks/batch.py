"""Reshapes that move numbers from one sample of the batch to another."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from math import gcd, prod
from operator import mul
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check
from archlint.dataclass import dataclass
from archlint.graph import Attr, Node, Shape
from archlint.ops import attr, has_trait
from archlint.ops.dims import axis_of

if TYPE_CHECKING:
    from archlint.facts import Facts


_ONE = (1, 1)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows on the first axis for each sample, and the first reshape that made it another number than 1.

    ``each`` is a fraction in lowest terms; importing ``fractions`` is a twentieth of a short run (measured).
    """

    each: tuple[int, int]
    torn: Node | None = None


@check(
    nodes={"reshape": "the reshape that cuts samples up"},
    values={
        "numbers": "numbers of one sample in front of it",
        "row": "numbers of one row behind it",
        "shape": "lengths of a sample in front of it",
        "rows": "rows for each sample, when that is a whole number",
        "output": "name of the output whose batch is another",
    },
)
def torn_samples(facts: Facts) -> Iterator[Match | Unsure]:
    """Reshapes whose rows end in the midst of a sample's axes, and after which no batch comes back."""
    rows: dict[str, _Rows | None] = {name: _Rows(_ONE) for name, _ in facts.graph.inputs}
    for node in facts.graph.nodes:
        made = _after(facts, node, rows)
        for value in node.outputs:
            rows[value] = made
    told: set[str] = set()
    for value in facts.graph.outputs:
        found = rows.get(value)
        if found is None or found.each == _ONE or found.torn is None or found.torn.name in told:
            continue
        told.add(found.torn.name)
        before, after = _sample(facts.in_shape(found.torn)), _sample(facts.out_shape(found.torn))
        if before is None or after is None:
            continue
        rows_each, parts = _ratio(prod(before), prod(after))
        values: dict[str, Attr] = {
            "numbers": prod(before),
            "row": prod(after),
            "shape": before,
            "rows": rows_each if parts == 1 else None,
            "output": value,
        }
        yield Match({"reshape": found.torn}, values)


def _ratio(above: int, below: int) -> tuple[int, int]:
    shared = gcd(above, below)
    return above // shared, below // shared


def _sample(shape: Shape) -> tuple[int, ...] | None:
    if not shape:
        return None
    known = tuple(dim for dim in shape[1:] if isinstance(dim, int) and dim > 0)
    return known if len(known) == len(shape) - 1 else None


def _after(facts: Facts, node: Node, rows: dict[str, _Rows | None]) -> _Rows | None:
    """Rows per sample behind a node; None when that is not known."""
    first = rows.get(node.inputs[0]) if node.inputs else None
    if node.op == "Reshape":
        return None if first is None else _reshaped(facts, node, first)
    if has_trait(node, "elementwise") or node.op in ("Concat", "Stack"):
        return _joined(facts, node, rows)
    if first is None or not _keeps_rows(facts, node):
        return None
    return first


def _reshaped(facts: Facts, node: Node, first: _Rows) -> _Rows | None:
    before, after = _sample(facts.in_shape(node)), _sample(facts.out_shape(node))
    if before is None or after is None:
        return None
    each = _ratio(first.each[0] * prod(before), first.each[1] * prod(after))
    if each == _ONE:
        return _Rows(each)
    torn = first.torn or (node if first.each == _ONE and not _keeps_together(before, after) else None)
    return _Rows(each, torn)


def _keeps_together(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    """Whether rows end where an axis ends (tokens, windows), or are whole maps (stacked frames)."""
    ends = {1, *accumulate(reversed(before), mul)}
    maps = len(after) > 1 and after[1:] == before[1:] and before[0] % after[0] == 0
    return prod(after) in ends or maps


def _joined(facts: Facts, node: Node, rows: dict[str, _Rows | None]) -> _Rows | None:
    """The rows of all operands that have a batch axis, when they agree."""
    rank = len(facts.out_shape(node) or ())
    found: list[_Rows | None] = []
    for value in node.inputs:
        maker = facts.graph.producers.get(value)
        shape = facts.shape(value)
        alone = maker is not None and not maker.inputs
        if alone or (shape is not None and (len(shape) < rank or shape[:1] == (1,)) and len(node.inputs) > 1):
            continue
        found.append(rows.get(value))
    same = {one.each if one is not None else None for one in found}
    axis = attr(node, "axis") if node.op in ("Concat", "Stack") else 1
    if len(same) != 1 or None in same or not isinstance(axis, int) or axis_of(axis, max(rank, 1)) == 0:
        return None
    return next((one for one in found if one is not None and one.torn is not None), found[0])


_KEEPS = (
    "activation",
    "norm",
    "random",
    "transparent",
    "cast",
    "windowed",
    "global_pool",
    "linear",
    "affine",
    "resampling",
)


def _keeps_rows(facts: Facts, node: Node) -> bool:
    rank = len(facts.in_shape(node) or ())
    if node.op == "Transpose":
        perm = attr(node, "perm")
        return isinstance(perm, tuple) and perm[:1] == (0,)
    if node.op == "Flatten":
        return attr(node, "axis") == 1
    if node.op in ("Squeeze", "Unsqueeze"):
        axes = attr(node, "axes")
        return isinstance(axes, tuple) and bool(axes) and 0 not in axes and -rank not in axes
    if node.op == "Softmax" or node.op == "LogSoftmax":
        return True
    return any(has_trait(node, trait) for trait in _KEEPS)
