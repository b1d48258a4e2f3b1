"""Which axes a reshape keeps, merges or splits."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from archlint.graph import Attr, Dim, Shape

_Sets = tuple[frozenset[tuple[str, int]], ...]

Group = tuple[range, range]
"""Axes of the input and axes of the output that hold the same elements."""


def groups(source: Shape, made: Shape) -> Iterator[Group]:
    """The smallest runs of axes that correspond, front to back; one run for all when lengths are unknown.

    Unknown lengths correspond at the front (the batch) and at the end only, unless what is left between shows
    that they differ: (?, 256) as (?, 196, 256) is a batch that was flattened with its tokens (LeViT).
    """
    if source is None or made is None:
        return
    start = 0
    while start < min(len(source), len(made)) and source[start] == made[start]:
        start += 1
    left, right = len(source), len(made)
    while left > start and right > start and source[left - 1] == made[right - 1]:
        left, right = left - 1, right - 1
    if _differ(source[start:left], made[start:right]):
        start = 0
    yield from ((range(axis, axis + 1), range(axis, axis + 1)) for axis in range(start))
    yield from _middle(source, made, range(start, left), range(start, right))
    tail = zip(range(left, len(source)), range(right, len(made)), strict=True)
    yield from ((range(axis, axis + 1), range(other, other + 1)) for axis, other in tail)


def _differ(one: tuple[Dim, ...], other: tuple[Dim, ...]) -> bool:
    """Whether two runs of axes are known to hold another number of elements."""
    lengths = [[dim for dim in run if isinstance(dim, int)] for run in (one, other)]
    return (
        len(lengths[0]) == len(one) and len(lengths[1]) == len(other) and prod(lengths[0]) != prod(lengths[1])
    )


def _middle(source: tuple[Dim, ...], made: tuple[Dim, ...], before: range, after: range) -> Iterator[Group]:
    numbers = source[before.start : before.stop] + made[after.start : after.stop]
    if not all(isinstance(dim, int) for dim in numbers):
        if before or after:
            yield before, after
        return
    left, right = before.start, after.start
    from_left, from_right = left, right
    above = below = 1
    while left < before.stop or right < after.stop:
        if left < before.stop and (above <= below or right >= after.stop):
            above *= _length(source[left])
            left += 1
        else:
            below *= _length(made[right])
            right += 1
        if above == below and left > from_left and right > from_right:
            yield range(from_left, left), range(from_right, right)
            from_left, from_right, above, below = left, right, 1, 1
    if left > from_left or right > from_right:
        yield range(from_left, left), range(from_right, right)


def _length(dim: Dim) -> int:
    return dim if isinstance(dim, int) else 1


def regrouped(axes: _Sets, source: Shape, made: Shape, stated: Attr) -> _Sets | None:
    """What each output axis holds: all that its group holds, nothing when its length is one.

    ``stated`` is the target of a reshape when lengths are followed: a length that stands there as a number
    depends on no input.
    """
    if source is None or made is None or len(source) != len(axes):
        return None
    found = [frozenset[tuple[str, int]]()] * len(made)
    for before, after in groups(source, made):
        held = frozenset[tuple[str, int]]().union(*(axes[axis] for axis in before))
        for axis in after:
            written = stated[axis] if isinstance(stated, tuple) and axis < len(stated) else None
            constant = isinstance(written, int) and written > 0
            if made[axis] != 1 and not constant:
                found[axis] = held
    return tuple(found)


def pinned(axes: _Sets, source: Shape, made: Shape, stated: tuple[Attr, ...]) -> frozenset[tuple[str, int]]:
    """The input axes whose length a reshape fixes: their group has no −1 or 0 in the target."""
    found: frozenset[tuple[str, int]] = frozenset()
    for before, after in groups(source, made):
        target = [stated[axis] for axis in after if axis < len(stated)]
        free = any(not isinstance(item, int) or item < 1 for item in target)
        lengths = prod(_length(made[axis]) for axis in after) if made is not None else 1
        if not free and lengths > 1:
            found = found.union(*(axes[axis] for axis in before))
    return found
