"""Activations that are spelled out become one node, under the name of the op that gives them away.

before: ``Clip(x, 0, 6)``, ``Min(Max(x, 0), 6)``; after: ``Relu(x) max_value=6.0``
before: ``x * Sigmoid(x)``; after: ``Swish(x)``
before: ``Clip(x + 3, 0, 6) / 6``; after: ``HardSigmoid(x)``, and times x ``HardSwish(x)``
before: ``x * Tanh(Softplus(x))``; after: ``Mish(x)``
before: ``Log(Exp(x) + 1)``; after: ``Softplus(x)``
before: ``Log(Sigmoid(x))``; after: ``LogSigmoid(x)``
before: ``x / (1 + Abs(x))``; after: ``Softsign(x)``
"""

from __future__ import annotations

from dataclasses import replace

from archlint.formats.onnx.lift.bench import Bench
from archlint.formats.onnx.lift.products import near, plus, product
from archlint.graph import Attr, Node

SIXTH = 1 / 6


def lift(bench: Bench) -> None:
    """Lifts each kind in turn; HardSwish and Mish build on what the kinds before them have made."""
    for node in bench.nodes("Clip", "Max", "Min"):
        _bounds(bench, node)
    for node in bench.nodes("Log"):
        _softplus(bench, node)
    for node in bench.nodes("Mul", "Div"):
        _hard_sigmoid(bench, node)
    for node in bench.nodes("Mul", "Div"):
        _gated(bench, node)
    for node in bench.nodes("Div"):
        _softsign(bench, node)


def put(
    bench: Bench, last: Node, anchor: Node, op: str, inputs: tuple[str, ...], attrs: dict[str, Attr]
) -> None:
    """Replaces ``last`` by an op that is called what the file calls ``anchor``."""
    bench.replace(last, replace(anchor, op=op, inputs=inputs, outputs=last.outputs, attrs=attrs, params=()))


def _bounds(bench: Bench, node: Node) -> None:
    if node.op == "Clip":
        if len(node.inputs) > 1 or node.attrs.get("min") != 0:
            return
        low, high, source = 0.0, node.attrs.get("max"), node.inputs[0]
    else:
        if len(node.inputs) != 2:
            return
        number, source = bench.scalar(node.inputs[1]), node.inputs[0]
        if number is None:
            number, source = bench.scalar(node.inputs[0]), node.inputs[1]
        if number is None:
            return
        low, high = (number, None) if node.op == "Max" else (None, number)  # type: ignore[assignment]
    inner = bench.only(source, "Relu")
    plain = inner is not None and not inner.attrs
    if low == 0:
        start = source if not plain or inner is None else inner.inputs[0]
        attrs: dict[str, Attr] = {} if high is None else {"max_value": high}
        put(bench, node, node, "Relu", (start,), attrs)
    elif plain and inner is not None and isinstance(high, float) and high > 0:
        put(bench, node, inner, "Relu", inner.inputs, {"max_value": high})


def _softplus(bench: Bench, node: Node) -> None:
    sigmoid = bench.only(node.inputs[0], "Sigmoid")
    if sigmoid is not None:
        put(bench, node, sigmoid, "LogSigmoid", sigmoid.inputs, {})
        return
    inner = plus(bench, bench.only(node.inputs[0], "Add"), 1.0)
    exp = bench.only(inner, "Exp") if inner else None
    if exp is not None:
        put(bench, node, exp, "Softplus", exp.inputs, {})


def _softsign(bench: Bench, node: Node) -> None:
    inner = plus(bench, bench.only(node.inputs[1], "Add"), 1.0)
    size = bench.only(inner, "Abs") if inner else None
    if size is not None and size.inputs == node.inputs[:1]:
        put(bench, node, size, "Softsign", size.inputs, {})


def _relu6_of_plus_3(bench: Bench, value: str) -> str | None:
    """x, when the value is Relu6(x + 3)."""
    relu = bench.only(value, "Relu")
    if relu is None or relu.attrs.get("max_value") != 6:
        return None
    return plus(bench, bench.maker(relu.inputs[0], "Add"), 3.0)


def _hard_sigmoid(bench: Bench, node: Node) -> None:
    found = product(bench, node)
    if not near(found.scale, SIXTH) or len(found.factors) > 2:
        return
    for gate in found.factors:
        source = _relu6_of_plus_3(bench, gate)
        if source is None:
            continue
        rest = [value for value in found.factors if value != gate]
        if not rest:
            put(bench, node, node, "HardSigmoid", (source,), {"alpha": SIXTH, "beta": 0.5})
        elif rest == [source]:
            put(bench, node, node, "HardSwish", (source,), {})


def _gated(bench: Bench, node: Node) -> None:
    if node.op != "Mul" or len(node.inputs) != 2:
        return
    for mine, other in ((0, 1), (1, 0)):
        source = node.inputs[mine]
        gate = bench.only(node.inputs[other], "Sigmoid", "HardSigmoid", "Tanh")
        if gate is None:
            continue
        if gate.op == "Sigmoid" and gate.inputs[0] == source:
            put(bench, node, gate, "Swish", (source,), {})
        elif gate.op == "HardSigmoid" and gate.inputs[0] == source:
            alpha, beta = gate.attrs.get("alpha"), gate.attrs.get("beta")
            if isinstance(alpha, float) and near(alpha, SIXTH) and beta == 0.5:
                put(bench, node, gate, "HardSwish", (source,), {})
        elif gate.op == "Tanh":
            soft = bench.only(gate.inputs[0], "Softplus")
            if soft is not None and soft.inputs[0] == source:
                put(bench, node, soft, "Mish", (source,), {})
        else:
            continue
        return
