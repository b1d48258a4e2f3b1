"""ONNX Runtime's quantized operators: each is the float operator between dequantizing and quantizing.

before: ``y = com.microsoft.QLinearAdd(a, sa, za, b, sb, zb, s, z)``
after: ``Add(DequantizeLinear(a, sa, za), DequantizeLinear(b, sb, zb))``, then ``y = QuantizeLinear(…, s, z)``

Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archlint.formats.onnx.contrib.fused import self_attention
from archlint.formats.onnx.contrib.steps import Recipe, Steps


def _plain(steps: Steps, at: int) -> str:
    """The operand whose integers, scale and zero point begin at an input."""
    return steps.add("DequantizeLinear", *_given(steps, at))


def _given(steps: Steps, at: int) -> list[str]:
    found = [steps.given(place) for place in range(at, at + 3)]
    while found and not found[-1]:
        found.pop()
    return found


def _quantized(steps: Steps, value: str, scale: str, zero: str) -> bool:
    inputs = [value, scale, *([zero] if zero else [])]
    steps.add("QuantizeLinear", *inputs, to=(steps.wanted(0),))
    return bool(scale)


def _elementwise(op: str, operands: int, attrs: Sequence[str] = ()) -> Recipe:
    """An operator on so many operands; scale and zero point of the result follow."""

    def recipe(steps: Steps) -> bool:
        if steps.number("channels_last", 0):
            return False
        made = steps.add(op, *(_plain(steps, 3 * at) for at in range(operands)), attrs=steps.attrs(*attrs))
        return _quantized(steps, made, steps.given(3 * operands), steps.given(3 * operands + 1))

    return recipe


def _concat(steps: Steps) -> bool:
    """Scale and zero point of the result come first."""
    parts = [_plain(steps, at) for at in range(2, len(steps.call.inputs), 3)]
    made = steps.add("Concat", *parts, attrs=steps.attrs("axis"))
    return _quantized(steps, made, steps.given(0), steps.given(1))


def _gemm(steps: Steps) -> bool:
    """The bias has the scale of the product; without a scale of the result, it is in floats."""
    sides = [_plain(steps, 0), _plain(steps, 3)]
    if steps.given(6):
        scale = steps.add("Mul", steps.given(1), steps.given(4))
        sides.append(steps.add("DequantizeLinear", steps.given(6), scale))
    attrs = steps.attrs("alpha", "transA", "transB")
    if not steps.given(7):
        steps.add("Gemm", *sides, to=(steps.wanted(0),), attrs=attrs)
        return True
    return _quantized(steps, steps.add("Gemm", *sides, attrs=attrs), steps.given(7), steps.given(8))


def _product(steps: Steps, left: str, right: str, bias: str) -> bool:
    if not bias:
        steps.add("MatMul", left, right, to=(steps.wanted(0),))
        return True
    steps.add("Add", steps.add("MatMul", left, right), bias, to=(steps.wanted(0),))
    return True


def _dynamic_matmul(steps: Steps) -> bool:
    right = steps.add(
        "DequantizeLinear", *(value for value in (steps.given(at) for at in (1, 2, 3)) if value)
    )
    return _product(steps, steps.given(0), right, steps.given(4))


def _matmul_to_float(steps: Steps) -> bool:
    sides = [
        steps.add("DequantizeLinear", *(value for value in (steps.given(at) for at in places) if value))
        for places in ((0, 2, 4), (1, 3, 5))
    ]
    return _product(steps, sides[0], sides[1], steps.given(6))


def _attention(steps: Steps) -> bool:
    """Input and weight are whole numbers, scales stand behind the bias, zero points behind the mask."""
    sides = [
        steps.add("DequantizeLinear", *(value for value in (steps.given(at) for at in places) if value))
        for places in ((0, 3, 6), (1, 4, 7))
    ]
    product = steps.plus(steps.add("MatMul", *sides), steps.given(2))
    return not steps.given(8) and self_attention(steps, product, steps.given(5))


def _same(op: str) -> Recipe:
    def recipe(steps: Steps) -> bool:
        steps.add(
            op, *steps.call.inputs, to=tuple(steps.call.outputs), attrs=steps.attrs("axis", "block_size")
        )
        return True

    return recipe


_POOL = ("auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides")

QUANTIZED: Mapping[str, Recipe] = {
    "QLinearAdd": _elementwise("Add", 2),
    "QLinearMul": _elementwise("Mul", 2),
    "QLinearSigmoid": _elementwise("Sigmoid", 1),
    "QLinearLeakyRelu": _elementwise("LeakyRelu", 1, ("alpha",)),
    "QLinearAveragePool": _elementwise("AveragePool", 1, _POOL),
    "QLinearGlobalAveragePool": _elementwise("GlobalAveragePool", 1),
    "QLinearSoftmax": _elementwise("Softmax", 1, ("axis",)),
    "QLinearConcat": _concat,
    "QAttention": _attention,
    "QGemm": _gemm,
    "DynamicQuantizeMatMul": _dynamic_matmul,
    "MatMulIntegerToFloat": _matmul_to_float,
    "QuantizeLinear": _same("QuantizeLinear"),
    "DequantizeLinear": _same("DequantizeLinear"),
}
"""Operator of ``com.microsoft`` → what it stands for."""
