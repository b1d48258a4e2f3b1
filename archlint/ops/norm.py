"""Normalisation: all keep the shape; they count no multiply-accumulates."""

from __future__ import annotations

from collections.abc import Sequence

from archlint.graph import Dim, Node, Shape
from archlint.ops.base import Op, Settings, ShapeFn, Tensor, Weight, at, flag, integer, integers, table
from archlint.ops.dims import axes_of, axis_of


def keep(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """The first input's type and shape, unchanged."""
    source = at(ins, 0)
    return (Tensor(source.dtype, source.shape),)


def _channels(node: Node, ins: Sequence[Tensor]) -> Dim:
    shape = at(ins, 0).shape
    axis = None if shape is None else axis_of(integer(node, "channel_axis"), len(shape))
    return None if shape is None or axis is None else shape[axis]


def _scale_and_center(node: Node, shape: Shape) -> list[Weight]:
    roles = (("gamma", "scale"), ("beta", "center"))
    return [Weight(role, shape) for role, setting in roles if flag(node, setting)]


def _batch_norm(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    channels: Shape = (_channels(node, ins),) if at(ins, 0).shape is not None else None
    statistics = Tensor("float32", channels)
    return (*keep(node, ins), *[statistics] * (len(node.outputs) - 1))


def _batch_norm_weights(node: Node, ins: Sequence[Tensor]) -> Sequence[Weight]:
    """gamma, beta, moving_mean, moving_variance, each (channels,); the last two frozen."""
    shape = (_channels(node, ins),)
    if flag(node, "folded"):
        return _scale_and_center(node, shape)
    moving = [Weight("moving_mean", shape, False), Weight("moving_variance", shape, False)]
    return [*_scale_and_center(node, shape), *moving]


def _axes_weights(node: Node, ins: Sequence[Tensor]) -> Sequence[Weight]:
    """gamma and beta with the lengths of the normalised axes."""
    source = at(ins, 0).shape
    axes = None if source is None else axes_of(integers(node, "axes"), len(source))
    shape = None if source is None or axes is None else tuple(source[axis] for axis in axes)
    return _scale_and_center(node, shape)


def _channel_weights(node: Node, ins: Sequence[Tensor]) -> Sequence[Weight]:
    """gamma and beta, each (channels,)."""
    return _scale_and_center(node, (_channels(node, ins),))


def _layer_norm(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """The input's shape; ONNX's mean and inverse deviation have ones in place of the normalised axes."""
    source = at(ins, 0)
    extra = len(node.outputs) - 1
    if extra < 1:
        return keep(node, ins)
    axes = None if source.shape is None else axes_of(integers(node, "axes"), len(source.shape))
    shape: Shape = None
    if source.shape is not None and axes is not None:
        shape = tuple(1 if axis in axes else dim for axis, dim in enumerate(source.shape))
    return (*keep(node, ins), *[Tensor("float32", shape)] * extra)


def _normalization_weights(node: Node, ins: Sequence[Tensor]) -> Sequence[Weight]:
    """mean and variance over the kept axes and a scalar count, all frozen; none when given as settings.

    Source: Keras ``Normalization.build``.
    """
    if node.attrs.get("mean") is not None:
        return ()
    source = at(ins, 0).shape
    if node.attrs.get("axis") is None:
        shape: Shape = ()
    else:
        axes = None if source is None else axes_of(integers(node, "axis"), len(source))
        shape = None if source is None or axes is None else tuple(source[axis] for axis in sorted(axes))
    return (Weight("mean", shape, False), Weight("variance", shape, False), Weight("count", (), False))


def _spectral(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return keep(node, ins)


_AXES: Settings = {"axes": (-1,), "epsilon": 0.001, "center": True, "scale": True}
_NORM = frozenset({"norm", "nonlinear"})
_LEARNED = frozenset({"norm", "learned", "nonlinear"})

# Batch normalisation with moving statistics is an affine map of each channel.
_BATCH = frozenset({"norm", "learned", "affine"})
_KEEP: ShapeFn = keep

OPS = table(
    Op(
        "BatchNormalization",
        _batch_norm,
        {
            "channel_axis": -1,
            "epsilon": 0.001,
            "momentum": 0.99,
            "center": True,
            "scale": True,
            "training": False,
            "folded": False,
        },
        weights=_batch_norm_weights,
        traits=_BATCH,
    ),
    Op("LayerNormalization", _layer_norm, _AXES, weights=_axes_weights, traits=_LEARNED),
    Op(
        "GroupNormalization",
        _KEEP,
        {"groups": 32, "channel_axis": -1, "epsilon": 0.001, "center": True, "scale": True},
        weights=_channel_weights,
        traits=_LEARNED,
    ),
    Op(
        "InstanceNormalization",
        _KEEP,
        {"channel_axis": 1, "epsilon": 1e-05, "center": True, "scale": True},
        weights=_channel_weights,
        traits=_LEARNED,
    ),
    Op(
        "RMSNormalization",
        _KEEP,
        {"axes": (-1,), "epsilon": 1e-06, "scale": True},
        weights=_axes_weights,
        traits=_LEARNED,
    ),
    Op("UnitNormalization", _KEEP, {"axes": (-1,)}, traits=_NORM),
    Op("LpNormalization", _KEEP, {"axis": -1, "p": 2}, traits=_NORM),
    Op("MeanVarianceNormalization", _KEEP, {"axes": (0, 2, 3)}, traits=_NORM),
    Op("LRN", _KEEP, {"size": None, "alpha": 0.0001, "beta": 0.75, "bias": 1.0}, traits=_NORM),
    Op("SpectralNormalization", _spectral, {"power_iterations": 1}, traits=frozenset({"norm", "learned"})),
    Op(
        "Normalization",
        _KEEP,
        {"axis": (-1,), "mean": None, "variance": None, "invert": False},
        weights=_normalization_weights,
        traits=frozenset({"affine", "preprocessing"}),
    ),
)
