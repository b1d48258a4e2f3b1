"""Op nodes that no op of the catalogue says, but whose shape is known: Unknown nodes that declare it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from archlint.formats.keras.builder import Val
from archlint.formats.keras.nodes.operands import OpCall, OpTranslator, wholes
from archlint.graph import Shape, TensorType
from archlint.ops.dims import broadcast

SAME_SHAPE = """
    AffineTransform Angle Argpartition Cbrt Cholesky CholeskyInverse Conj Conjugate Deg2rad Digitize
    ElasticTransform EmptyLike Erfc Erfinv Exp2 FullLike GaussianBlur HSVToRGB I0 Imag InTopK Inv
    IsIn Isneginf Isposinf Isreal Log10 Log2 NanToNum PerspectiveTransform Polar Rad2deg Real
    RGBToHSV ScatterUpdate Signbit Sinc SliceUpdate Trunc
"""
"""Elementwise, or on images or matrices of the same size: the shape of the first value stays."""

BROADCASTING = """BinaryCrossentropy Gcd Heaviside Hypot Isclose Lcm Ldexp Logaddexp Logaddexp2 Nextafter"""
REDUCING = """CountNonzero Median Nanargmax Nanargmin Nanmax Nanmean Nanmedian Nanmin Nanprod Nanstd Nansum
    Nanvar Ptp"""
BATCH_NORMS = "BatchNorm LayerNorm RMSNorm"
"""Normalisation by values that are computed, which no layer has learned as its own."""

ShapesOf = Callable[[OpCall], "Shape | list[Shape]"]
"""The shape of an op call's value, or a list of them when it has several; None where it is not known."""


def shaped(shapes: ShapesOf) -> OpTranslator:
    """An Unknown node that declares these shapes."""

    def translator(op: OpCall) -> list[Val]:
        found = shapes(op)
        stated = found if isinstance(found, list) else [found]
        layer = replace(op.call.layer, cls=op.native)
        call = replace(op.call, layer=layer)
        values = call.node("Unknown", call.all_inputs(), outputs=len(stated))
        for value, shape in zip(values, stated, strict=True):
            if shape is not None:
                call.builder.declare(value, TensorType(None, shape))
        return values

    return translator


same_shape = shaped(OpCall.shape)
"""An Unknown node whose value has the shape of the first operand."""


def second(op: OpCall) -> Shape:
    """Shape of the second operand."""
    return op.shape_of(1, "x2", "y", "b", "values", "output")


def _broadcast(op: OpCall) -> Shape:
    shapes = [op.call.tensor(value).shape for value in op.call.all_inputs()]
    return broadcast(shapes) if len(shapes) == 2 else shapes[0] if len(shapes) == 1 else None


def reduced(op: OpCall) -> Shape:
    """The shape of the first operand without the axes of the setting ``axis``; None: all go."""
    return without_axes(op, op.setting(1, "axis"), op.setting(2, "keepdims") is True)


def without_axes(op: OpCall, stated: object, keeps: bool = False) -> Shape:
    """The shape of the first operand without these axes, or with length 1 there."""
    shape = op.shape()
    if shape is None:
        return None
    rank = len(shape)
    axes = tuple(range(rank)) if stated is None else wholes(stated)
    if axes is None or not all(-rank <= axis < rank for axis in axes):
        return None
    over = {axis % rank for axis in axes}
    return tuple(1 if axis in over else dim for axis, dim in enumerate(shape) if keeps or axis not in over)


def _quantiles(op: OpCall) -> Shape:
    """As reduced, behind an axis for each of several quantiles."""
    rest = without_axes(op, op.settings.get("axis"), op.settings.get("keepdims") is True)
    asked = op.shape_of(1, "q")
    several = asked is not None and asked not in ((), (1,))
    return None if rest is None or asked is None else (*asked[:1], *rest) if several else rest


def scalar(_: OpCall) -> Shape:
    """The shape of a single number."""
    return ()


def _cumulative(op: OpCall) -> Shape:
    return op.shape() if op.settings.get("axis") is not None else None


def _scatter(op: OpCall) -> Shape:
    return wholes(op.settings.get("shape"))


def _segments(op: OpCall) -> Shape:
    data, count = op.shape(), op.settings.get("num_segments")
    return None if not data else (count if isinstance(count, int) else None, *data[1:])


def _grid(op: OpCall) -> list[Shape]:
    """Meshgrid: a value per operand, each with an axis per operand; the first two change places in "xy"."""
    shapes = [op.shape_of(index) for index in range(len(op.call.args))]
    lengths = [None if shape is None or len(shape) != 1 else shape[0] for shape in shapes]
    if op.settings.get("indexing", "xy") == "xy" and len(lengths) > 1:
        lengths[:2] = lengths[1::-1]
    return [tuple(lengths)] * len(lengths)


def _without_classes(op: OpCall) -> Shape:
    """A crossentropy per example: the shape of the output without the axis of the classes."""
    made, axis = second(op), op.settings.get("axis", -1)
    if not made or not isinstance(axis, int) or not -len(made) <= axis < len(made):
        return None
    return (*made[: axis % len(made)], *made[axis % len(made) + 1 :])


def _multi_hot(op: OpCall) -> Shape:
    """(N, …, classes): the last axis of the indices, or their only one, is gone."""
    shape, count, axis = op.shape(), op.settings.get("num_classes"), op.settings.get("axis", -1)
    if not shape or not isinstance(count, int) or axis != -1:
        return None
    return (*shape[:1], *shape[2:], count) if len(shape) > 1 else (count,)


def _gray(op: OpCall) -> Shape:
    """RGBToGrayscale: one channel of three."""
    shape = op.shape()
    if shape is None or len(shape) < 3:
        return None
    axis = len(shape) - 3 if op.settings.get("data_format") == "channels_first" else len(shape) - 1
    return (*shape[:axis], 1, *shape[axis + 1 :])


def _per_example(op: OpCall) -> Shape:
    shape = op.shape()
    return None if shape is None else shape[:1]


KEPT: Mapping[str, OpTranslator] = {
    **dict.fromkeys((*SAME_SHAPE.split(), *BATCH_NORMS.split()), same_shape),
    **dict.fromkeys(BROADCASTING.split(), shaped(_broadcast)),
    **dict.fromkeys(REDUCING.split(), shaped(reduced)),
    **dict.fromkeys(("Nanpercentile", "Nanquantile", "Percentile", "Quantile"), shaped(_quantiles)),
    **dict.fromkeys(("Nancumprod", "Nancumsum"), shaped(_cumulative)),
    **dict.fromkeys(("AllClose", "PSNR"), shaped(scalar)),
    **dict.fromkeys(("SegmentMax", "SegmentMin", "SegmentProd", "SegmentSum"), shaped(_segments)),
    **dict.fromkeys(("CategoricalCrossentropy", "SparseCategoricalCrossentropy"), shaped(_without_classes)),
    "CTCLoss": shaped(_per_example),
    "Meshgrid": shaped(_grid),
    "MultiHot": shaped(_multi_hot),
    "RGBToGrayscale": shaped(_gray),
    "SSIM": shaped(lambda op: () if op.rank() == 3 else _per_example(op)),
    "Scatter": shaped(_scatter),
    "SearchSorted": shaped(second),
    "Select": same_shape,
}
"""Class of ``keras.ops`` → translator."""
