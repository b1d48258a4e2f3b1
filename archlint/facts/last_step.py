"""Where the last step of a recurrent layer's sequence is picked, whatever way the file spells it."""

from __future__ import annotations

from archlint.facts.basis import Basis
from archlint.graph import Node, Shape
from archlint.ops import attr
from archlint.ops.dims import axis_of

_MAX_STEPS = 12
"""Nodes between a recurrent layer and the pick; the exporters seen use up to 4."""


def last_step_picks(basis: Basis, node: Node) -> tuple[Node, ...] | None:
    """The nodes that pick the last step of what a recurrent node puts out; None when anything reads more.

    Follows the time axis through Transpose, Squeeze and Reshape to a Slice from -1 or a Gather of -1.
    """
    if not node.outputs or node.outputs[0] in basis.graph.outputs:
        return None
    axis = attr(node, "time_axis")
    waiting = [(node.outputs[0], axis if isinstance(axis, int) else 1)]
    picks: list[Node] = []
    for value, time in waiting:
        if len(waiting) > _MAX_STEPS or value in basis.graph.outputs:
            return None
        for reader in basis.graph.consumers.get(value, ()):
            shape = basis.tensor(value).shape
            if _picks(basis, reader, time, shape):
                picks.append(reader)
                continue
            moved = _moved(basis, reader, time, shape) if reader.inputs[0] == value else None
            if moved is None or not reader.outputs:
                return None
            waiting.append((reader.outputs[0], moved))
    return tuple(picks) or None


def _picks(basis: Basis, node: Node, time: int, shape: Shape) -> bool:
    rank = None if shape is None else len(shape)
    if rank is None:
        return False
    if node.op == "Slice":
        axes, starts, ends = node.attrs.get("axes"), node.attrs.get("starts"), node.attrs.get("ends")
        past = isinstance(ends, tuple) and isinstance(ends[0], int) and ends[0] > 2**30
        only = isinstance(axes, tuple) and len(axes) == 1 and isinstance(axes[0], int)
        return past and starts == (-1,) and only and axis_of(_integer(axes), rank) == time
    if node.op == "Gather":
        index = basis.tensor(node.inputs[1]).value if len(node.inputs) > 1 else None
        axis = attr(node, "axis")
        return index == (-1,) and isinstance(axis, int) and axis_of(axis, rank) == time
    return False


def _integer(values: object) -> int | None:
    first = values[0] if isinstance(values, tuple) and values else None
    return first if isinstance(first, int) else None


def _moved(basis: Basis, node: Node, time: int, shape: Shape) -> int | None:
    """The time axis after a node that only changes the layout; None when it may be cut or joined."""
    if node.op == "Transpose":
        perm = attr(node, "perm")
        return perm.index(time) if isinstance(perm, tuple) and time in perm else None
    if node.op == "Squeeze":
        axes = attr(node, "axes")
        if not isinstance(axes, tuple) or not axes or shape is None:
            return None
        gone = [axis_of(axis, len(shape)) for axis in axes if isinstance(axis, int)]
        return (
            time - sum(1 for axis in gone if axis is not None and axis < time) if time not in gone else None
        )
    if node.op == "Reshape" and time == 0:
        target, length = attr(node, "shape"), shape[0] if shape else None
        first = target[0] if isinstance(target, tuple) and target else None
        return 0 if first == 0 or (isinstance(length, int) and first == length) else None
    return None
