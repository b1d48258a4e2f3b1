"""Quantisation: conversions, and products of whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archlint.graph import Node
from archlint.ops.base import Op, Settings, Tensor, at, integer, table, word
from archlint.ops.conv import OPS as CONV
from archlint.ops.conv import conv_macs, conv_outputs
from archlint.ops.dense import matmul_macs, matmul_shape
from archlint.ops.dims import per_sample


def _quantized(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    dtype = word(node, "to") or at(ins, 2).dtype or "uint8"
    return (Tensor(dtype, at(ins, 0).shape),)


def _dequantized(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return (Tensor(at(ins, 1).dtype or "float32", at(ins, 0).shape),)


def _dynamic(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """Quantized tensor, scale, zero point."""
    return (Tensor("uint8", at(ins, 0).shape), Tensor("float32", ()), Tensor("uint8", ()))


def _data(node: Node, ins: Sequence[Tensor], weight: int) -> tuple[Node, Sequence[Tensor]]:
    """The node and inputs as the float op has them: data, then the kernel when it is an input."""
    inputs = tuple(node.inputs[index] if index < len(node.inputs) else "" for index in (0, weight))
    return replace(node, inputs=inputs), (at(ins, 0), at(ins, weight))


def _q_conv(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    made = conv_outputs(*_data(node, ins, 3))[0]
    return (Tensor(at(ins, 7).dtype or at(ins, 0).dtype, made.shape),)


def _q_conv_macs(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """As Conv."""
    return conv_macs(*_data(node, ins, 3), outs)


def _conv_integer(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return (Tensor("int32", conv_outputs(node, ins)[0].shape),)


def _q_matmul(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    shape = matmul_shape(at(ins, 0).shape, at(ins, 3).shape)
    return (Tensor(at(ins, 7).dtype or at(ins, 0).dtype, shape),)


def _matmul_integer(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return (Tensor("int32", matmul_shape(at(ins, 0).shape, at(ins, 1).shape)),)


def _packed_matmul(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """(…, K) times a packed matrix of K by N.

    Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits.
    """
    source = at(ins, 0)
    return (Tensor(source.dtype, None if not source.shape else (*source.shape[:-1], integer(node, "N"))),)


def _packed_macs(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """As of the matrix that is packed: K for every element of the result."""
    made, rows = per_sample(at(outs, 0).shape), integer(node, "K")
    return None if made is None or rows is None else made * rows


_LAYOUT: Settings = {**CONV["Conv"].attrs, "channel_axis": 1}
_QUANT = frozenset({"quantization"})
_LEARNED = frozenset({"learned", "linear", "windowed", "quantization"})

OPS = table(
    Op("QuantizeLinear", _quantized, {"axis": 1, "block_size": 0, "to": None, "saturate": 1}, traits=_QUANT),
    Op("DequantizeLinear", _dequantized, {"axis": 1, "block_size": 0}, traits=_QUANT),
    Op("DynamicQuantizeLinear", _dynamic, traits=_QUANT),
    Op("QLinearConv", _q_conv, _LAYOUT, _q_conv_macs, traits=_LEARNED),
    Op("ConvInteger", _conv_integer, _LAYOUT, conv_macs, traits=_LEARNED),
    Op(
        "MatMulNBits",
        _packed_matmul,
        {"K": None, "N": None, "bits": 4, "block_size": 32},
        _packed_macs,
        traits=_QUANT | {"product"},
    ),
    Op("QLinearMatMul", _q_matmul, {}, matmul_macs, traits=_QUANT | {"product"}),
    Op("MatMulInteger", _matmul_integer, {}, matmul_macs, traits=_QUANT | {"product"}),
)
