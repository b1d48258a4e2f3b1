"""The functions that rule expressions may call; one table with a line each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

from archlint.dataclass import dataclass
from archlint.engine.values import (
    UNKNOWN,
    EvaluationError,
    Value,
    every,
    is_known,
    items,
    number,
    product,
    show,
    some,
    total,
    truth,
)

MAX_RANGE = 10_000
"""Most members that ``range`` makes."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the rule language: how it is called, what it gives, and how many values it takes.

    ``strict`` functions give unknown when any argument is unknown (members of lists are theirs to judge).
    """

    usage: str
    meaning: str
    call: Callable[..., Value]
    least: int = 1
    most: int = 1
    kind: str = "any"
    strict: bool = True


def _members(values: Value) -> tuple[Value, ...] | None:
    found = items(values)
    return None if any(item is UNKNOWN for item in found) else found


def _extreme(pick: Callable[..., float]) -> Callable[..., Value]:
    def call(*values: Value) -> Value:
        found = _members(values[0] if len(values) == 1 else tuple(values))
        return UNKNOWN if not found else pick(number(item) for item in found)

    return call


def _count(values: Value) -> Value:
    known = [truth(item) for item in items(values)]
    return UNKNOWN if UNKNOWN in known else sum(item is True for item in known)


def _dim(shape: Value, axis: Value) -> Value:
    dims, index = items(shape), int(number(axis))
    return dims[index] if -len(dims) <= index < len(dims) else UNKNOWN


def _range(*bounds: Value) -> Value:
    found = range(*(int(number(bound)) for bound in bounds))
    if len(found) > MAX_RANGE:
        raise EvaluationError(f"range makes {len(found)} numbers; {MAX_RANGE} is the limit")
    return tuple(found)


def _join(values: Value, between: Value = ", ") -> Value:
    words = [item if isinstance(item, str) else show(item) for item in items(values)]
    return str(between).join(words)


def _sorted(values: Value) -> Value:
    found = _members(values)
    if found is None:
        return UNKNOWN
    if all(isinstance(item, str) for item in found):
        return tuple(sorted(str(item) for item in found))
    return tuple(sorted(number(item) for item in found))


def _unique(values: Value) -> Value:
    found: list[Value] = []
    for item in items(values):
        if not any(item is one or item == one for one in found):
            found.append(item)
    return tuple(found)


def _zip(*lists: Value) -> Value:
    return tuple(zip(*(items(one) for one in lists), strict=False))


def _text(value: Value) -> str:
    if isinstance(value, str):
        return value
    raise EvaluationError(f"{show(value)} is not text")


def _round(value: Value, digits: Value = None) -> Value:
    return round(number(value), None if digits is None else int(number(digits)))


def _length(values: Value) -> Value:
    return len(values) if isinstance(values, str) else len(items(values))


_ROWS = (
    Function("abs(x)", "x without its sign", lambda x: abs(number(x)), kind="number"),
    Function("all(xs)", "whether every member is true", lambda xs: every(items(xs)), kind="bool"),
    Function("any(xs)", "whether some member is true", lambda xs: some(items(xs)), kind="bool"),
    Function(
        "ceil(x)", "the smallest whole number not below x", lambda x: math.ceil(number(x)), kind="number"
    ),
    Function("count(xs)", "how many members are true", _count, kind="number"),
    Function("dim(shape, axis)", "the length of one axis; unknown if there is none", _dim, 2, 2, "number"),
    Function(
        "floor(x)", "the largest whole number not above x", lambda x: math.floor(number(x)), kind="number"
    ),
    Function(
        "glob(text, pattern)",
        "whether a text matches a pattern with * ? [ ]",
        lambda text, pattern: fnmatchcase(_text(text), _text(pattern)),
        2,
        2,
        "bool",
    ),
    Function("join(xs, between)", "the members as one text, ', ' between them", _join, 1, 2, "text"),
    Function("known(x)", "whether x, and every member of it, is known", is_known, kind="bool", strict=False),
    Function("len(xs)", "how many members", _length, kind="number"),
    Function("lower(text)", "the text in lower case", lambda text: _text(text).lower(), kind="text"),
    Function("max(xs)", "the largest member, or argument", _extreme(max), 1, 9, "number"),
    Function("min(xs)", "the smallest member, or argument", _extreme(min), 1, 9, "number"),
    Function("prod(xs)", "the product of the members", lambda xs: product(items(xs)), kind="number"),
    Function("range(n)", "the whole numbers below n; or from, below, step", _range, 1, 3, "list"),
    Function(
        "rank(shape)", "how many axes, the batch axis included", lambda xs: len(items(xs)), kind="number"
    ),
    Function("round(x, digits)", "x rounded", _round, 1, 2, "number"),
    Function("sorted(xs)", "the members in order", _sorted, kind="list"),
    Function("sum(xs)", "the sum of the members", lambda xs: total(items(xs)), kind="number"),
    Function("unique(xs)", "the members without repetitions, in order", _unique, kind="list"),
    Function("zip(xs, ys)", "pairs of members, as long as the shorter list", _zip, 2, 4, "list"),
)

FUNCTIONS: Mapping[str, Function] = {row.usage.split("(")[0]: row for row in _ROWS}
"""Name → function."""
