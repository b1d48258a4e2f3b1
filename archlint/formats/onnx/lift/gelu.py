"""GELU that is spelled out, exact or approximate, with the brackets anywhere.

before: ``0.5 * x * (1 + Erf(x / 1.4142))``; after: ``Gelu(x)``
before: ``0.5 * x * (1 + Tanh(0.79788 * (x + 0.044715 * x³)))``; after: ``Gelu(x) approximate=true``
Source: Hendrycks & Gimpel 2016, arXiv:1606.08415 §2.
"""

from __future__ import annotations

from math import pi, sqrt

from archlint.formats.onnx.lift.activations import put
from archlint.formats.onnx.lift.bench import Bench
from archlint.formats.onnx.lift.products import near, plus, product, product_of
from archlint.graph import Node


def lift(bench: Bench) -> None:
    """Lifts from the outermost product, which is the one that has the factor of one half."""
    for node in bench.nodes("Mul", "Div"):
        found = product(bench, node)
        if not near(found.scale, 0.5) or len(found.factors) != 2:
            continue
        for source, gate in (found.factors, found.factors[::-1]):
            inner = plus(bench, bench.only(gate, "Add"), 1.0)
            curve = bench.only(inner, "Erf", "Tanh") if inner else None
            if curve is None or not _argument(bench, curve, source):
                continue
            put(bench, node, curve, "Gelu", (source,), {"approximate": curve.op == "Tanh"})
            break


def _argument(bench: Bench, curve: Node, source: str) -> bool:
    found = product_of(bench, curve.inputs[0])
    if curve.op == "Erf":
        return near(found.scale, sqrt(0.5)) and found.factors == (source,)
    if not near(found.scale, sqrt(2 / pi)):
        return False
    if len(found.factors) == 1:
        return _is_sum(bench, found.factors[0], source, 3)
    rest = [value for value in found.factors if value != source]
    if len(found.factors) != 2 or len(rest) != 1:
        return False
    inner = plus(bench, bench.only(rest[0], "Add"), 1.0)
    return inner is not None and _is_power(bench, inner, source, 2)


def _is_sum(bench: Bench, value: str, source: str, power: int) -> bool:
    add = bench.only(value, "Add")
    if add is None or source not in add.inputs or len(add.inputs) != 2:
        return False
    other = add.inputs[1] if add.inputs[0] == source else add.inputs[0]
    return _is_power(bench, other, source, power)


def _is_power(bench: Bench, value: str, source: str, power: int) -> bool:
    """Whether a value is 0.044715 · source ** power."""
    found = product_of(bench, value)
    count = 0
    for factor in found.factors:
        node = bench.maker(factor, "Pow")
        exponent = bench.scalar(node.inputs[1]) if node is not None and node.inputs[0] == source else None
        square = bench.maker(factor, "Mul")
        if factor == source:
            count += 1
        elif exponent is not None:
            count += int(exponent)
        elif square is not None and square.inputs == (source, source):
            count += 2
    return near(found.scale, 0.044715) and count == power
