"""Reshapes that were meant to move axes: they have the lengths of a transpose, and move no number."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, permutations
from math import prod
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check
from archlint.graph import Node
from archlint.ops import has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts

_MAX_AXES = 4
_SHIFTS = ("Pad", "Concat", "Slice")
"""The relative shift of Transformer-XL pads (T, T) to (T, T + 1), reads it as (T + 1, T) and slices.

Source: Dai et al. 2019, appendix B, https://arxiv.org/abs/1901.02860."""


@check(
    nodes={"reshape": "the reshape"},
    values={
        "was": "lengths of its input, without the batch and axes of 1",
        "made": "lengths of its output, likewise",
        "order": "axes of the input in the order that gives these lengths, from 1",
    },
)
def torn_axes(facts: Facts) -> Iterator[Match | Unsure]:
    """Reshapes whose lengths a transpose gives, with neighbours merged at most, and no cut in order does.

    Left out: group norms, which cut the channels and put the rest of the map behind; lengths that a cut of
    the last axis, or of the first one, gives as well; the shift of relative positions.
    """
    for node in facts.graph.nodes:
        if node.op != "Reshape" or not node.inputs or not node.outputs or _is_step(facts, node):
            continue
        was, made = _lengths(facts.in_shape(node)), _lengths(facts.out_shape(node))
        if was is None or made is None or prod(was) != prod(made):
            continue
        if not 2 <= len(made) <= len(was) <= _MAX_AXES:
            continue
        order = _order(was, made)
        if order is not None:
            yield Match({"reshape": node}, {"was": was, "made": made, "order": order})


def _lengths(shape: tuple[object, ...] | None) -> tuple[int, ...] | None:
    """Lengths behind the batch that are not 1; None when one is unknown."""
    rest = tuple(dim for dim in (shape or ())[1:] if isinstance(dim, int))
    return tuple(dim for dim in rest if dim != 1) if shape and len(rest) == len(shape) - 1 else None


def _order(was: tuple[int, ...], made: tuple[int, ...]) -> tuple[int, ...] | None:
    """The order of axes that a transpose would need; None when the reshape is explained without one."""
    axes = tuple(range(1, len(was) + 1))
    if len(made) == len(was) > 2:
        orders = list(permutations(axes))
    elif len(made) == 2 and len(was) < 4 and was[0] % made[0] and was[-1] % made[-1]:
        rests = [(axis, tuple(one for one in axes if one != axis)) for axis in axes]
        orders = [order for axis, rest in rests for order in ((axis, *rest), (*rest, axis))]
    else:
        return None
    if _groups(was, made):
        return None
    moved = (order for order in orders if _groups([was[axis - 1] for axis in order], made))
    return min(moved, key=lambda order: (_breaks(order), order), default=None)


def _groups(lengths: list[int] | tuple[int, ...], made: tuple[int, ...]) -> bool:
    """Whether merging neighbours of these lengths gives those."""
    left, total = list(made), 1
    for length in lengths:
        total *= length
        if left and total == left[0]:
            left.pop(0)
            total = 1
    return not left and total == 1


def _breaks(order: tuple[int, ...]) -> int:
    """How many neighbours a transpose parts: one that moves a single axis comes first."""
    return sum(after != before + 1 for before, after in pairwise(order))


def _is_step(facts: Facts, node: Node) -> bool:
    """Whether it is a step of something larger: of a shift, a group norm, or several reshapes in a row."""
    maker = facts.maker(node.inputs[0])
    readers = facts.graph.consumers.get(node.outputs[0], ())
    if maker is not None and maker.op in (*_SHIFTS, "Reshape", "Flatten"):
        return True
    goes_on = any(reader.op in (*_SHIFTS, "Reshape", "Transpose") for reader in readers)
    return goes_on or any(has_trait(reader, trait) for reader in readers for trait in ("norm", "reduction"))
