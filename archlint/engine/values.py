"""Values of rule expressions, with unknown as a value: three-valued logic after Kleene, as SQL has it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Final, Union

from archlint.graph import Node, Setting

MAX_BITS = 4096
"""Widest integer that an expression may compute; the largest real parameter counts need 45 bits."""


class Unknown(Enum):
    """The type of the one value that stands for "not known"."""

    UNKNOWN = "?"

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Final = Unknown.UNKNOWN

Value = Union[int, float, bool, str, Unknown, Node, Setting, tuple["Value", ...], None]  # noqa: UP007
"""What an expression may evaluate to. Lists and shapes are tuples; unknown and symbolic dims are UNKNOWN."""


class EvaluationError(Exception):
    """A rule computes what makes no sense (text minus number, too many steps): a fault of the rule."""


def truth(value: Value) -> bool | Unknown:
    """A condition's value: none counts as false.

    Raises: EvaluationError: the value is neither true, false, none nor unknown.
    """
    if isinstance(value, bool | Unknown):
        return value
    if value is None:
        return False
    raise EvaluationError(f"{show(value)} is used as a condition, but is neither true nor false")


def negation(value: Value) -> Value:
    """Kleene's not."""
    known = truth(value)
    return UNKNOWN if known is UNKNOWN else not known


def every(values: Iterable[Value]) -> Value:
    """Kleene's and over many: false as soon as one is false, else unknown if one is unknown."""
    result: bool | Unknown = True
    for value in values:
        known = truth(value)
        if known is False:
            return False
        if known is UNKNOWN:
            result = UNKNOWN
    return result


def some(values: Iterable[Value]) -> Value:
    """Kleene's or over many: true as soon as one is true, else unknown if one is unknown."""
    result: bool | Unknown = False
    for value in values:
        known = truth(value)
        if known is True:
            return True
        if known is UNKNOWN:
            result = UNKNOWN
    return result


def equal(left: Value, right: Value) -> Value:
    """Whether two values are the same. Unknown is equal to nothing, not even to itself: unknown."""
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    if isinstance(left, tuple) and isinstance(right, tuple):
        if len(left) != len(right):
            return False
        return every(equal(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, bool) or isinstance(right, bool) or left is None or right is None:
        return left is right
    if isinstance(left, Node) or isinstance(right, Node):
        return left is right
    return left == right


def contains(item: Value, many: Value) -> Value:
    """Whether a list has the item, or a text the part."""
    if many is UNKNOWN:
        return UNKNOWN
    if isinstance(many, str):
        return UNKNOWN if item is UNKNOWN else isinstance(item, str) and item in many
    return some(equal(item, one) for one in items(many))


def items(value: Value) -> tuple[Value, ...]:
    """The members of a list; none has no members.

    Raises: EvaluationError: the value is no list.
    """
    if isinstance(value, tuple):
        return value
    if value is None:
        return ()
    raise EvaluationError(f"{show(value)} is not a list")


def is_known(value: Value) -> bool:
    """Whether neither the value nor any member of it is unknown."""
    if isinstance(value, tuple):
        return all(is_known(item) for item in value)
    return value is not UNKNOWN


def compare(how: Callable[[float, float], bool], left: Value, right: Value) -> Value:
    """An ordering of two numbers or two texts; unknown when either is unknown or none."""
    if left is UNKNOWN or right is UNKNOWN or left is None or right is None:
        return UNKNOWN
    if isinstance(left, str) and isinstance(right, str):
        return bool(how(left, right))  # type: ignore[arg-type]  # operators order texts as well
    return how(number(left), number(right))


def arithmetic(how: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """A number from two numbers; unknown when either is unknown or none, and for a division by zero."""
    if left is UNKNOWN or right is UNKNOWN or left is None or right is None:
        return UNKNOWN
    try:
        result = how(number(left), number(right))
    except (ZeroDivisionError, OverflowError):
        return UNKNOWN
    if isinstance(result, int) and result.bit_length() > MAX_BITS:
        raise EvaluationError(f"a number grew beyond {MAX_BITS} bits")
    return result


def number(value: Value) -> int | float:
    """The value itself.

    Raises: EvaluationError: it is no number.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise EvaluationError(f"{show(value)} is not a number")


def product(values: Iterable[Value]) -> Value:
    """The product of numbers; 1 of none."""
    total: Value = 1
    for value in values:
        total = arithmetic(operator.mul, total, value)
    return total


def total(values: Iterable[Value]) -> Value:
    """The sum of numbers; 0 of none."""
    found: Value = 0
    for value in values:
        found = arithmetic(operator.add, found, value)
    return found


def show(value: Value) -> str:
    """A value as ``archlint explain`` and error messages print it."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Node | Setting):
        return value.name
    if isinstance(value, tuple):
        return f"({', '.join(show(item) for item in value)})"
    if isinstance(value, float):
        return f"{value:.6g}"
    return repr(value)
