"""Products over pairs of heads that tf2onnx spells out of an einsum when the batch is unknown.

before, with shapes counted at run time: ``Squeeze(Reshape(MatMul(Reshape(a), Transpose(Reshape(b)))))`` with
a (N, heads, T, 1, D) and b (N, heads, 1, S, D)
after: ``MatMul(Squeeze(a), Transpose(Squeeze(b)))`` of shape (N, heads, T, S)
"""

from __future__ import annotations

from dataclasses import replace

from archlint.dataclass import dataclass
from archlint.formats.onnx.lift.bench import Bench
from archlint.graph import Node


@dataclass(frozen=True, slots=True)
class _Sides:
    """The reshape of the left side, the reshape of the right side, and the transpose behind it."""

    left: Node
    right: Node
    turn: Node


def lift(bench: Bench) -> None:
    """Lifts every product whose axes can be told apart: no length of 1 but the one that was put in."""
    for last in bench.nodes("Squeeze"):
        sides = _sides(bench, last)
        if sides is None or not _fits(bench, sides, last):
            continue
        left = _squeezed(bench, sides.left, 3)
        right = _squeezed(bench, sides.right, 2)
        turned = f"{sides.turn.outputs[0]}/heads"
        perm = {"perm": (0, 1, 3, 2)}
        bench.replace(sides.turn, replace(sides.turn, inputs=(right,), outputs=(turned,), attrs=perm))
        bench.replace(last, replace(last, op="MatMul", inputs=(left, turned), attrs={}))


def _sides(bench: Bench, last: Node) -> _Sides | None:
    back = bench.only(last.inputs[0], "Reshape") if last.attrs.get("axes") == (4,) else None
    product = bench.only(back.inputs[0], "MatMul") if back is not None else None
    if product is None:
        return None
    left = bench.only(product.inputs[0], "Reshape")
    turn = bench.only(product.inputs[1], "Transpose")
    right = bench.only(turn.inputs[0], "Reshape") if turn is not None else None
    if left is None or turn is None or right is None or turn.attrs.get("perm") != (0, 2, 1):
        return None
    return _Sides(left, right, turn)


def _fits(bench: Bench, sides: _Sides, last: Node) -> bool:
    """Whether the lengths say that heads go by heads and the last axes are summed over."""
    a, b = bench.shape(sides.left.inputs[0]), bench.shape(sides.right.inputs[0])
    made, flat = bench.shape(last.outputs[0]), bench.shape(sides.left.outputs[0])
    if a is None or b is None or made is None or flat is None or (len(a), len(b), len(made)) != (5, 5, 4):
        return False
    heads, targets, depth = a[1], a[2], a[4]
    sources = b[3]
    numbers = (heads, targets, depth, sources)
    known = all(isinstance(dim, int) and dim > 1 for dim in numbers)
    return (
        known
        and a[3] == 1
        and b[1:] == (heads, 1, sources, depth)
        and made[1:] == (heads, targets, sources)
        and flat[-1] == depth
    )


def _squeezed(bench: Bench, node: Node, axis: int) -> str:
    """The value without the axis that was put in; from before it was, if that was just now."""
    source = bench.maker(node.inputs[0], "Unsqueeze")
    if source is not None and source.attrs.get("axes") == (axis,):
        return source.inputs[0]
    name = f"{node.outputs[0]}/heads"
    attrs = {"axes": (axis,)}
    bench.replace(node, replace(node, op="Squeeze", inputs=node.inputs[:1], outputs=(name,), attrs=attrs))
    return name
