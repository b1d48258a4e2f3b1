"""Layer normalisation that is spelled out.

before: ``d = x - ReduceMean(x)``, ``y = d / Sqrt(ReduceMean(d²) + epsilon) * gamma + beta``
after: ``LayerNormalization(x) axes=(-1,) epsilon=1e-05 | gamma, beta``
before (tf2onnx): ``k = Reciprocal(Sqrt(ReduceMean(d²) + epsilon)) * gamma``,
``y = x * k + (beta - mean * k)``
after: the same

The node is called what the file calls the first mean. Source: Ba et al. 2016, arXiv:1607.06450 §3.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from archlint.dataclass import dataclass
from archlint.formats.onnx.lift.bench import Bench, Held
from archlint.formats.onnx.lift.weights import param_of
from archlint.graph import Attr, Node


@dataclass(frozen=True, slots=True)
class _Spread:
    """A standard deviation: of which value, about which mean, over which axes."""

    source: str
    mean: Node
    axes: tuple[int, ...]
    epsilon: float


_MEANS = ("ReduceMean", "GlobalAveragePool")
"""tf2onnx says the mean over the last of three axes as a GlobalAveragePool."""


def lift(bench: Bench) -> None:
    """Lifts the quotient, then the gain and the offset after it, then tf2onnx's order of the same."""
    for node in bench.nodes("Div", "Mul"):
        _quotient(bench, node)
    for node in bench.nodes("Add"):
        _expanded(bench, node)
    for role, op in (("gamma", "Mul"), ("beta", "Add")):
        for node in bench.nodes(op):
            _affine(bench, node, role)


def _quotient(bench: Bench, node: Node) -> None:
    """``(x - mean) / deviation``, or times its reciprocal."""
    if len(node.inputs) != 2:
        return
    for mine, other in ((0, 1),) if node.op == "Div" else ((0, 1), (1, 0)):
        centred = bench.maker(node.inputs[mine], "Sub")
        spread = _deviation(bench, node.inputs[other], node.op == "Mul") if centred else None
        if spread is None or centred is None or centred.inputs[0] != spread.source:
            continue
        if bench.peeled(centred.inputs[1]) != spread.mean.outputs[0]:
            continue
        _put(bench, node, spread, None, None)
        return


def _expanded(bench: Bench, node: Node) -> None:
    """``x * k + (beta - mean * k)`` with ``k = gamma / deviation``; gamma and beta may be missing."""
    for mine, other in ((0, 1), (1, 0)):
        scaled, shift = bench.maker(node.inputs[mine], "Mul"), bench.maker(node.inputs[other], "Sub", "Add")
        if scaled is None or shift is None:
            continue
        beta, shifted = _offset(bench, shift)
        for gain in scaled.inputs:
            source = scaled.inputs[0] if gain == scaled.inputs[1] else scaled.inputs[1]
            spread, gamma = _gain(bench, gain)
            if spread is None or spread.source != source or shifted is None:
                continue
            if set(shifted.inputs) == {spread.mean.outputs[0], gain}:
                _put(bench, node, spread, gamma, beta)
                return


def _offset(bench: Bench, shift: Node) -> tuple[Held | None, Node | None]:
    """beta and the product that is taken from it, of ``beta - p``, ``beta + -p`` in either order."""
    for mine, other in ((0, 1),) if shift.op == "Sub" else ((0, 1), (1, 0)):
        beta = bench.held(shift.inputs[mine])
        value = shift.inputs[other]
        negated = bench.maker(value, "Neg")
        if shift.op == "Add" and negated is not None:
            value = negated.inputs[0]
        taken = bench.maker(value, "Mul")
        if beta is not None and taken is not None and (shift.op == "Sub" or negated is not None):
            return beta, taken
        if beta is not None and taken is not None:
            mean = [bench.maker(item, "Neg") for item in taken.inputs]
            inputs = tuple(
                item.inputs[0] if item else value for item, value in zip(mean, taken.inputs, strict=True)
            )
            if any(mean):
                return beta, replace(taken, inputs=inputs)
    return None, None


def _gain(bench: Bench, value: str) -> tuple[_Spread | None, Held | None]:
    node = bench.maker(value, "Mul")
    for mine, other in ((0, 1), (1, 0)) if node else ():
        gamma = bench.held(node.inputs[mine]) if node else None
        if node is not None and gamma is not None:
            return _deviation(bench, node.inputs[other], True), gamma
    return _deviation(bench, value, True), None


def _deviation(bench: Bench, value: str, reciprocal: bool) -> _Spread | None:
    """What ``Sqrt(ReduceMean((x - mean)²) + epsilon)`` is the deviation of."""
    if reciprocal:
        turned = bench.maker(value, "Reciprocal", "Rsqrt", "Div")
        if turned is None or (turned.op == "Div" and bench.scalar(turned.inputs[0]) != 1):
            return None
        value = turned.inputs[-1]
        if turned.op == "Rsqrt":
            return _variance(bench, value)
    root = bench.maker(value, "Sqrt", "Pow")
    if root is None or (root.op == "Pow" and bench.scalar(root.inputs[1]) != 0.5):
        return None
    return _variance(bench, root.inputs[0])


def _variance(bench: Bench, value: str) -> _Spread | None:
    add = bench.maker(value, "Add")
    for mine, other in ((0, 1), (1, 0)) if add else ():
        epsilon = bench.scalar(add.inputs[other]) if add else None
        mean = bench.maker(add.inputs[mine], *_MEANS) if add else None
        if epsilon is None or mean is None:
            continue
        centred = _squared(bench, mean.inputs[0])
        if centred is None:
            return None
        first = bench.maker(bench.peeled(centred.inputs[1]), *_MEANS)
        axes = None if first is None else last_axes(bench, first)
        if (
            first is None
            or axes is None
            or axes != last_axes(bench, mean)
            or first.inputs[0] != centred.inputs[0]
        ):
            return None
        return _Spread(centred.inputs[0], first, axes, epsilon)
    return None


def _squared(bench: Bench, value: str) -> Node | None:
    """The Sub whose result is squared."""
    square = bench.maker(value, "Pow", "Mul")
    if square is None:
        return None
    if square.op == "Pow" and bench.scalar(square.inputs[1]) != 2:
        return None
    if square.op == "Mul" and square.inputs[0] != square.inputs[1]:
        return None
    return bench.maker(square.inputs[0], "Sub")


def last_axes(bench: Bench, mean: Node) -> tuple[int, ...] | None:
    """Axes counted from the end; None when the reduction drops them or they are not known."""
    axes, rank = mean.attrs.get("axes"), bench.rank(mean.inputs[0])
    if mean.op == "GlobalAveragePool":
        axes = tuple(range(2, rank or 2))
    if (
        not isinstance(axes, tuple)
        or not axes
        or not mean.attrs.get("keepdims", True)
        or len(mean.inputs) > 1
    ):
        return None
    found = [axis for axis in axes if isinstance(axis, int)]
    if rank is None:
        return tuple(sorted(found))
    return tuple(sorted(axis % rank - rank for axis in found))


def _put(bench: Bench, last: Node, spread: _Spread, gamma: Held | None, beta: Held | None) -> None:
    params = [param_of(held, role) for held, role in ((gamma, "gamma"), (beta, "beta")) if held is not None]
    attrs: dict[str, Attr] = {
        "axes": spread.axes,
        "epsilon": spread.epsilon,
        "scale": gamma is not None,
        "center": beta is not None,
    }
    mean = spread.mean
    new = Node(
        mean.name, "LayerNormalization", (spread.source,), last.outputs, attrs, tuple(params), (), mean.origin
    )
    bench.replace(last, new)


def _affine(bench: Bench, node: Node, role: str) -> None:
    """``norm * gamma`` or ``norm + beta`` of a node that has none yet."""
    for mine, other in ((0, 1), (1, 0)) if len(node.inputs) == 2 else ():
        norm = bench.only(node.inputs[mine], "LayerNormalization")
        held = bench.held(node.inputs[other]) if norm is not None else None
        switch = "scale" if role == "gamma" else "center"
        if norm is None or held is None or norm.attrs.get(switch) is not False or norm.param("beta"):
            continue
        if not fits(held, norm, bench.shape(norm.outputs[0])):
            continue
        params = (*norm.params, param_of(held, role))
        new = replace(norm, outputs=node.outputs, attrs={**norm.attrs, switch: True}, params=params)
        bench.replace(node, new)
        return


def fits(held: Held, norm: Node, shape: tuple[object, ...] | None) -> bool:
    """Whether a stored tensor has its elements along the normalised axes and nowhere else."""
    axes = norm.attrs.get("axes")
    if held.shape is None or not isinstance(axes, tuple):
        return False
    rank = len(held.shape)
    wide = {at - rank for at, dim in enumerate(held.shape) if dim != 1}
    if shape is not None and rank > len(shape):
        return False
    return wide <= set(axes) and prod(dim for dim in held.shape if isinstance(dim, int)) > 0
