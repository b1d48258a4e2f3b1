"""Pooling: sliding, global and adaptive. A pool compares or sums; it counts no multiply-accumulates."""

from __future__ import annotations

from collections.abc import Sequence

from archlint.graph import Dim, Node, Shape
from archlint.ops.base import Op, Settings, Tensor, at, flag, integer, integers, table
from archlint.ops.conv import spatial_axes
from archlint.ops.dims import known, pads_of, spread, transposed_length, window_length


def _pool(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source = at(ins, 0)
    indices = (Tensor("int64"),) if len(node.outputs) > 1 else ()
    shape = _pooled(node, source.shape)
    if shape is None:
        return (Tensor(source.dtype), *indices)
    return (Tensor(source.dtype, shape), *(Tensor("int64", shape) for _ in indices))


def _pooled(node: Node, source: Shape) -> Shape:
    axes = None if source is None else spatial_axes(len(source), integer(node, "channel_axis"))
    if source is None or axes is None:
        return None
    rank = len(axes)
    kernel = spread(integers(node, "kernel") or None, rank)
    strides, dilations = spread(integers(node, "strides"), rank), spread(integers(node, "dilations"), rank)
    pads, ceil = pads_of(node.attrs.get("padding"), rank), flag(node, "ceil_mode")
    shape: list[Dim] = list(source)
    for index, axis in enumerate(axes):
        if kernel is None or strides is None or dilations is None or pads is None:
            shape[axis] = None
        else:
            shape[axis] = window_length(
                source[axis], kernel[index], strides[index], dilations[index], pads[index], ceil
            )
    return tuple(shape)


def _global_pool(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source = at(ins, 0)
    axes = None if source.shape is None else spatial_axes(len(source.shape), integer(node, "channel_axis"))
    if source.shape is None or axes is None:
        return (Tensor(source.dtype),)
    if flag(node, "keepdims"):
        shape: Shape = tuple(1 if axis in axes else dim for axis, dim in enumerate(source.shape))
    else:
        shape = tuple(dim for axis, dim in enumerate(source.shape) if axis not in axes)
    return (Tensor(source.dtype, shape),)


def _adaptive_pool(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source = at(ins, 0)
    axes = None if source.shape is None else spatial_axes(len(source.shape), integer(node, "channel_axis"))
    lengths = None if axes is None else spread(integers(node, "output_size") or None, len(axes))
    if source.shape is None or axes is None or lengths is None:
        return (Tensor(source.dtype),)
    shape: list[Dim] = list(source.shape)
    for axis, length in zip(axes, lengths, strict=True):
        shape[axis] = length
    return (Tensor(source.dtype, tuple(shape)),)


def _unpool(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """Lengths as of a transposed convolution, or the third input's contents.

    Source: ONNX MaxUnpool, https://onnx.ai/onnx/operators/onnx__MaxUnpool.html.
    """
    source, stated = at(ins, 0), at(ins, 2).value
    if stated is not None:
        return (Tensor(source.dtype, tuple(dim if isinstance(dim, int | str) else None for dim in stated)),)
    if source.shape is None or len(node.inputs) > 2:
        return (Tensor(source.dtype),)
    rank = len(source.shape) - 2
    kernel, strides = spread(integers(node, "kernel") or None, rank), spread(integers(node, "strides"), rank)
    pads = pads_of(node.attrs.get("padding"), rank)
    if rank < 1 or kernel is None or strides is None or pads is None:
        return (Tensor(source.dtype),)
    rows = zip(source.shape[2:], kernel, strides, (1,) * rank, pads, (0,) * rank, strict=True)
    grown = tuple(transposed_length(*row) for row in rows)
    return (Tensor(source.dtype, (*source.shape[:2], *grown)),)


def _roi(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """(regions, channels, height, width)."""
    source, regions = at(ins, 0), at(ins, 1)
    lengths = known(integers(node, "output_size") or ())
    if source.shape is None or not lengths or len(source.shape) != 4 or len(lengths) != 2:
        return (Tensor(source.dtype),)
    count = regions.shape[0] if regions.shape else None
    return (Tensor(source.dtype, (count, source.shape[1], *lengths)),)


_WINDOW: Settings = {
    "kernel": (),
    "strides": (),
    "dilations": (),
    "padding": "valid",
    "ceil_mode": False,
    "channel_axis": -1,
}
_GLOBAL: Settings = {"channel_axis": -1, "keepdims": False}
_ADAPTIVE: Settings = {"output_size": (), "channel_axis": -1}

_MEAN = frozenset({"pool", "windowed", "linear_map"})
_MAX = frozenset({"pool", "windowed", "nonlinear"})
_WHOLE = frozenset({"pool", "global_pool"})

OPS = table(
    Op("MaxPool", _pool, _WINDOW, traits=_MAX),
    Op("AveragePool", _pool, {**_WINDOW, "count_include_pad": False}, traits=_MEAN),
    Op("LpPool", _pool, {**_WINDOW, "p": 2}, traits=_MAX),
    Op("GlobalAveragePool", _global_pool, _GLOBAL, traits=_WHOLE | {"linear_map"}),
    Op("GlobalMaxPool", _global_pool, _GLOBAL, traits=_WHOLE | {"nonlinear"}),
    Op("GlobalLpPool", _global_pool, {**_GLOBAL, "p": 2}, traits=_WHOLE | {"nonlinear"}),
    Op("AdaptiveAveragePool", _adaptive_pool, _ADAPTIVE, traits=frozenset({"pool", "linear_map"})),
    Op("AdaptiveMaxPool", _adaptive_pool, _ADAPTIVE, traits=frozenset({"pool", "nonlinear"})),
    Op("MaxUnpool", _unpool, {"kernel": (), "strides": (), "padding": "valid"}),
    Op("RoiAlign", _roi, {"output_size": (1, 1), "mode": "avg"}, traits=frozenset({"pool", "nonlinear"})),
    Op("MaxRoiPool", _roi, {"output_size": ()}, traits=frozenset({"pool", "nonlinear"})),
)
