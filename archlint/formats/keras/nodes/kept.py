"""Op nodes that no op of the catalogue says, but whose shape is known: Unknown nodes that declare it."""

from __future__ import annotations

from collections.abc import Mapping

from archlint.formats.keras.builder import Val
from archlint.formats.keras.nodes.operands import OpCall, OpTranslator, wholes
from archlint.graph import Shape, TensorType
from archlint.ops.dims import broadcast

SAME_SHAPE = """AffineTransform Angle Cbrt Cholesky CholeskyInverse Conj Conjugate Deg2rad ElasticTransform
    EmptyLike Erfc Erfinv Exp2 FullLike GaussianBlur HSVToRGB I0 Imag Inv Isneginf Isposinf Isreal Log10
    Log2 NanToNum PerspectiveTransform RGBToHSV Rad2deg Real ScatterUpdate Signbit Sinc
    SliceUpdate Trunc"""
"""Elementwise, or on images or matrices of the same size: the shape of the first value stays."""

BROADCASTING = "Gcd Heaviside Hypot Isclose Lcm Ldexp Logaddexp Logaddexp2 Nextafter"
REDUCING = "CountNonzero Median Nanmax Nanmean Nanmedian Nanmin Nanprod Nanstd Nansum Nanvar Ptp"
BATCH_NORMS = "BatchNorm LayerNorm RMSNorm"
"""Normalisation by values that are computed, which no layer has learned as its own."""


def _declared(op: OpCall, shape: Shape) -> list[Val]:
    values = op.call.unknown(op.native)
    if shape is not None:
        op.call.builder.declare(values[0], TensorType(None, shape))
    return values


def same_shape(op: OpCall) -> list[Val]:
    """An Unknown node whose value has the shape of the first operand."""
    return _declared(op, op.shape())


def _broadcast(op: OpCall) -> list[Val]:
    shapes = [op.call.tensor(value).shape for value in op.call.all_inputs()]
    both = len(shapes) == 2
    return _declared(op, broadcast(shapes) if both else shapes[0] if len(shapes) == 1 else None)


def _reduced(op: OpCall) -> list[Val]:
    shape, stated = op.shape(), op.setting(1, "axis")
    if shape is None:
        return _declared(op, None)
    rank = len(shape)
    axes = tuple(range(rank)) if stated is None else wholes(stated)
    if axes is None or not all(-rank <= axis < rank for axis in axes):
        return _declared(op, None)
    over = {axis % rank for axis in axes}
    keeps = op.setting(2, "keepdims") is True
    kept = (1 if axis in over else dim for axis, dim in enumerate(shape) if keeps or axis not in over)
    return _declared(op, tuple(kept))


def _gray(op: OpCall) -> list[Val]:
    """RGBToGrayscale: one channel of three."""
    shape = op.shape()
    if shape is None or len(shape) < 3:
        return _declared(op, None)
    axis = len(shape) - 3 if op.settings.get("data_format") == "channels_first" else len(shape) - 1
    return _declared(op, (*shape[:axis], 1, *shape[axis + 1 :]))


KEPT: Mapping[str, OpTranslator] = {
    **dict.fromkeys((*SAME_SHAPE.split(), *BATCH_NORMS.split()), same_shape),
    **dict.fromkeys(BROADCASTING.split(), _broadcast),
    **dict.fromkeys(REDUCING.split(), _reduced),
    "RGBToGrayscale": _gray,
}
"""Class of ``keras.ops`` → translator."""
