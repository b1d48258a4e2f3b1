"""Reshapes that keep the batch and join all other axes are Flatten; other known targets are attributes.

before: ``Reshape(x, [N, -1])``, ``Reshape(x, [-1, 25088])`` or ``Reshape(x, Concat(Slice(Shape(x)), 25088))``
after: ``Flatten(x)``
before (tf2onnx, of one channel): ``Reshape(x[N,28,28,1], [-1,1,28,28])``
after: ``Transpose(x) perm=(0,3,1,2)``
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from archlint.formats.onnx.lift.bench import Bench, Values
from archlint.graph import Node, Shape


def lift(bench: Bench) -> None:
    """Lifts every Reshape whose target is known, in part or in full."""
    for node in bench.nodes("Reshape"):
        target = _target(bench, node)
        if target is None:
            continue
        shape = bench.shape(node.inputs[0])
        if is_flatten(shape, target, bool(node.attrs.get("allowzero"))):
            bench.replace(node, replace(node, op="Flatten", inputs=node.inputs[:1], attrs={}))
        elif perm := _channel_move(shape, target):
            bench.replace(node, replace(node, op="Transpose", inputs=node.inputs[:1], attrs={"perm": perm}))
        elif len(node.inputs) > 1 or node.attrs.get("allowzero"):
            whole = _whole(shape, target)
            if whole is not None and not (node.attrs.get("allowzero") and 0 in target):
                attrs = {"shape": whole}
                bench.replace(node, replace(node, inputs=node.inputs[:1], attrs=attrs))


def _target(bench: Bench, node: Node) -> Values | None:
    if len(node.inputs) > 1:
        return bench.contents(node.inputs[1])
    shape = node.attrs.get("shape")
    return tuple(item for item in shape if isinstance(item, int)) if isinstance(shape, tuple) else None


def is_flatten(shape: Shape, target: Values, allow_zero: bool = False) -> bool:
    """Whether a target of two elements keeps the first axis of ``shape`` and joins all others."""
    if len(target) != 2 or shape is None or len(shape) < 2 or (allow_zero and 0 in target):
        return False
    first, second = target
    lengths = [dim for dim in shape[1:] if isinstance(dim, int)]
    joined = prod(lengths) if len(lengths) == len(shape) - 1 else None
    keeps = first == 0 or (first is not None and first == shape[0])
    if first == -1:
        return joined is not None and second == joined
    return keeps and (second == -1 or (joined is not None and second == joined))


def _channel_move(shape: Shape, target: Values) -> tuple[int, ...]:
    """The permutation, when a target only moves a single channel from the last axis to axis 1 or back."""
    if shape is None or len(shape) < 3 or len(target) != len(shape) or target[0] not in (-1, 0, shape[0]):
        return ()
    rank, moved = len(shape), tuple(target[1:])
    if None in shape[1:] or moved == shape[1:] or 0 in moved or target[0] is None:
        return ()
    if shape[-1] == 1 and moved == (1, *shape[1:-1]):
        return (0, rank - 1, *range(1, rank - 1))
    if shape[1] == 1 and moved == (*shape[2:], 1):
        return (0, *range(2, rank), 1)
    return ()


def _whole(shape: Shape, target: Values) -> tuple[int, ...] | None:
    """The target in whole numbers: 0 where it copies an axis, -1 for one element that is not known."""
    found: list[int] = []
    unknown = 0
    for axis, item in enumerate(target):
        if isinstance(item, int):
            found.append(int(item))
        elif shape is not None and axis < len(shape) and item is not None and item == shape[axis]:
            found.append(0)
        else:
            found.append(-1)
            unknown += 1
    return tuple(found) if unknown == 0 or (unknown == 1 and found.count(-1) == 1) else None
