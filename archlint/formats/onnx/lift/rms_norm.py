"""Root mean square normalisation that is spelled out.

before: ``x * Reciprocal(Sqrt(ReduceMean(x²) + epsilon)) * gamma``, or x over the root
after: ``RMSNormalization(x) axes=(-1,) epsilon=1e-06 | gamma``

A gain that is computed, such as Gemma's 1 + w, stays a product behind it. The node is called what the file
calls the mean. Source: Zhang & Sennrich 2019, arXiv:1910.07467 eq. 4.
"""

from __future__ import annotations

from dataclasses import replace

from archlint.formats.onnx.lift.bench import Bench
from archlint.formats.onnx.lift.layer_norm import fits, last_axes
from archlint.formats.onnx.lift.weights import param_of
from archlint.graph import Attr, Node


def lift(bench: Bench) -> None:
    """Lifts the quotient, then the gain behind it."""
    for node in bench.nodes("Mul", "Div"):
        _quotient(bench, node)
    for node in bench.nodes("Mul"):
        _gain(bench, node)


def _quotient(bench: Bench, node: Node) -> None:
    if len(node.inputs) != 2:
        return
    for source, other in ((0, 1), (1, 0)) if node.op == "Mul" else ((0, 1),):
        root = _root(bench, node.inputs[other], node.op == "Mul")
        mean, epsilon = _mean(bench, root, node.inputs[source]) if root is not None else (None, None)
        axes = last_axes(bench, mean) if mean is not None else None
        if mean is None or epsilon is None or axes is None:
            continue
        attrs: dict[str, Attr] = {"axes": axes, "epsilon": epsilon, "scale": False}
        made = Node(
            mean.name, "RMSNormalization", (node.inputs[source],), node.outputs, attrs, (), (), mean.origin
        )
        bench.replace(node, made)
        return


def _root(bench: Bench, value: str, reciprocal: bool) -> str | None:
    """What the root is taken of, of a root or of one over a root."""
    if reciprocal:
        turned = bench.only(value, "Reciprocal", "Rsqrt", "Div", "Pow")
        if turned is None:
            return None
        if turned.op == "Rsqrt" or (turned.op == "Pow" and bench.scalar(turned.inputs[1]) == -0.5):
            return turned.inputs[0]
        if turned.op == "Pow" or (turned.op == "Div" and bench.scalar(turned.inputs[0]) != 1):
            return None
        value = turned.inputs[-1]
    root = bench.only(value, "Sqrt")
    return None if root is None else root.inputs[0]


def _mean(bench: Bench, value: str, source: str) -> tuple[Node | None, float | None]:
    """The mean of the squares of a value, and the epsilon that is added to it."""
    add = bench.only(value, "Add")
    for mine, other in ((0, 1), (1, 0)) if add is not None and len(add.inputs) == 2 else ():
        epsilon = bench.scalar(add.inputs[other]) if add is not None else None
        mean = bench.only(add.inputs[mine], "ReduceMean") if add is not None else None
        square = bench.only(mean.inputs[0], "Pow", "Mul") if mean is not None else None
        if mean is None or epsilon is None or square is None:
            continue
        squared = (
            square.inputs == (source, source)
            if square.op == "Mul"
            else (square.inputs[0] == source and bench.scalar(square.inputs[1]) == 2)
        )
        if squared:
            return mean, epsilon
    return None, None


def _gain(bench: Bench, node: Node) -> None:
    """``norm * gamma``, seen through a change of type."""
    for mine, other in ((0, 1), (1, 0)) if len(node.inputs) == 2 else ():
        cast = bench.only(node.inputs[mine], "Cast", "Identity")
        norm = bench.only(cast.inputs[0] if cast else node.inputs[mine], "RMSNormalization")
        held = bench.held(node.inputs[other]) if norm is not None else None
        if norm is None or held is None or norm.attrs.get("scale") is not False:
            continue
        if not fits(held, norm, bench.shape(norm.outputs[0])):
            continue
        made = replace(
            norm,
            outputs=node.outputs,
            attrs={**norm.attrs, "scale": True},
            params=(*norm.params, param_of(held, "gamma")),
        )
        bench.replace(node, made)
        return
