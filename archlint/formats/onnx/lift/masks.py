"""A mask that was widened to the shape of the scores that it chooses, as Keras writes it for tf2onnx.

before: ``m = And(Expand(true, Shape(s)), mask)``, ``y = s * Cast(m) + -1e9 * Cast(Not(m))``
after: ``y = s * Cast(mask) + -1e9 * Cast(Not(mask))``

The sum has the shape of the scores either way, and the scores are left with one reader. Source: ``ones_like``
in Keras ``MultiHeadAttention._masked_softmax`` and ``Softmax.call``.
"""

from __future__ import annotations

from dataclasses import replace

from archlint.formats.onnx.lift.bench import Bench
from archlint.graph import Node


def lift(bench: Bench) -> None:
    """Has the two factors of such a sum read the mask itself."""
    for node in bench.nodes("Add"):
        for kept, filled in (node.inputs, node.inputs[::-1]) if len(node.inputs) == 2 else ():
            product, fill = bench.only(kept, "Mul"), _flag(bench, filled, "Not")
            if product is not None and fill is not None:
                _narrow(bench, product, fill)


def _flag(bench: Bench, value: str, op: str) -> Node | None:
    """The ``op`` of flags that became numbers, perhaps times one number, for a single reader."""
    product = bench.only(value, "Mul")
    for item in (value,) if product is None else product.inputs:
        cast = bench.only(item, "Cast")
        flags = bench.only(cast.inputs[0], op) if cast is not None else None
        others = [] if product is None else [other for other in product.inputs if other != item]
        if flags is not None and all(bench.scalar(other) is not None for other in others):
            return flags
    return None


def _narrow(bench: Bench, product: Node, fill: Node) -> None:
    for scores, factor in (product.inputs, product.inputs[::-1]) if len(product.inputs) == 2 else ():
        choice = bench.only(factor, "Cast")
        if choice is None or choice.inputs != fill.inputs:
            continue
        mask = _unwidened(bench, choice.inputs[0], scores)
        if mask is not None:
            bench.replace(choice, replace(choice, inputs=(mask,)))
            bench.replace(fill, replace(fill, inputs=(mask,)))
        return


def _unwidened(bench: Bench, value: str, scores: str) -> str | None:
    """The mask of ``And(Expand(true, Shape(scores)), mask)``, whichever comes first."""
    both = bench.maker(value, "And")
    for ones, mask in (both.inputs, both.inputs[::-1]) if both is not None else ():
        expand = bench.maker(ones, "Expand")
        if expand is None or len(expand.inputs) != 2 or not bench.scalar(expand.inputs[0]):
            continue
        if _measured(bench, expand.inputs[1]) == scores:
            return mask
    return None


def _measured(bench: Bench, value: str) -> str | None:
    """What a value is the Shape of, seen through the casts that tf2onnx puts around it."""
    for _ in range(4):
        node = bench.maker(value, "Cast", "Shape")
        if node is None or node.op == "Shape":
            whole = node is not None and not node.attrs.get("start") and node.attrs.get("end") is None
            return node.inputs[0] if node is not None and whole else None
        value = node.inputs[0]
    return None
