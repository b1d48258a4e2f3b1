"""Convolutions: ``Conv`` (also depthwise, by groups), ``ConvTranspose``, ``DeformConv``, quantized kinds."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from archlint.graph import Dim, Node, Shape
from archlint.ops.base import KERNEL_START, Op, Settings, Tensor, Weight, at, flag, integer, integers, table
from archlint.ops.dims import axis_of, known, pads_of, size, spread, transposed_length, window_length

_LAYOUT: Settings = {
    "filters": None,
    "kernel": (),
    "strides": (),
    "dilations": (),
    "groups": 1,
    "padding": "valid",
    "channel_axis": -1,
    "use_bias": True,
}


def spatial_axes(rank: int, channel_axis: int | None) -> tuple[int, ...] | None:
    """All axes but the batch and the channels, in order; None when the channel axis does not exist."""
    channels = axis_of(channel_axis, rank)
    if channels is None:
        return None
    return tuple(axis for axis in range(1, rank) if axis != channels)


def _with_kernel_size(node: Node, ins: Sequence[Tensor]) -> tuple[int, ...] | None:
    """Kernel lengths: the setting, or the trailing axes of a computed ONNX kernel (M, C/groups, k…)."""
    kernel = integers(node, "kernel")
    if kernel:
        return kernel
    computed = at(ins, 1).shape
    return known(computed[2:]) if computed is not None else kernel


def _filters(node: Node, ins: Sequence[Tensor], transposed: bool) -> Dim:
    filters = integer(node, "filters")
    computed = at(ins, 1).shape
    if filters is not None or computed is None or len(computed) < 2:
        return filters
    if not transposed:
        return computed[0]
    per_group, groups = computed[1], integer(node, "groups")
    return per_group * groups if isinstance(per_group, int) and groups is not None else None


def _outputs(node: Node, ins: Sequence[Tensor], transposed: bool) -> Sequence[Tensor]:
    source = at(ins, 0)
    if source.shape is None:
        return (Tensor(source.dtype),)
    rank = len(source.shape)
    axes = spatial_axes(rank, integer(node, "channel_axis"))
    channels = axis_of(integer(node, "channel_axis"), rank)
    if axes is None or channels is None:
        return (Tensor(source.dtype),)
    shape: list[Dim] = [source.shape[0]] + [None] * (rank - 1)
    shape[channels] = _filters(node, ins, transposed)
    lengths = tuple(source.shape[axis] for axis in axes)
    grown = _transposed(node, ins, lengths) if transposed else _slid(node, ins, lengths)
    for axis, length in zip(axes, grown, strict=True):
        shape[axis] = length
    return (Tensor(source.dtype, tuple(shape)),)


def _slid(node: Node, ins: Sequence[Tensor], lengths: Sequence[Dim]) -> Sequence[Dim]:
    rank = len(lengths)
    kernel = spread(_with_kernel_size(node, ins), rank)
    strides = spread(integers(node, "strides"), rank)
    dilations = spread(integers(node, "dilations"), rank)
    pads = pads_of(node.attrs.get("padding"), rank)
    if kernel is None or strides is None or dilations is None or pads is None:
        return (None,) * rank
    return [window_length(*args) for args in zip(lengths, kernel, strides, dilations, pads, strict=True)]


def _transposed(node: Node, ins: Sequence[Tensor], lengths: Sequence[Dim]) -> Sequence[Dim]:
    rank = len(lengths)
    stated = integers(node, "output_shape")
    if stated and len(stated) == rank:
        return stated
    kernel = spread(_with_kernel_size(node, ins), rank)
    strides = spread(integers(node, "strides"), rank)
    dilations = spread(integers(node, "dilations"), rank)
    pads = pads_of(node.attrs.get("padding"), rank)
    extra = integers(node, "output_padding")
    extras: Sequence[int | None] | None = spread(extra, rank) if extra else (None,) * rank
    if kernel is None or strides is None or dilations is None or pads is None or extras is None:
        return (None,) * rank
    rows = zip(lengths, kernel, strides, dilations, pads, extras, strict=True)
    return [transposed_length(*row) for row in rows]


def conv_outputs(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """Output of a convolution: the file's axis order is kept."""
    return _outputs(node, ins, transposed=False)


def conv_transpose_outputs(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """Output of a transposed convolution."""
    return _outputs(node, ins, transposed=True)


def _kernel_elements(node: Node, ins: Sequence[Tensor], transposed: bool) -> int | None:
    """prod(kernel) · Cin · Cout / groups, from the stored or computed kernel, else from the shapes."""
    stored = node.param("kernel")
    if stored is not None and stored.size is not None:
        return stored.size
    computed = size(at(ins, 1).shape)
    if computed is not None:
        return computed
    channels, filters = input_channels(node, ins), _filters(node, ins, transposed)
    kernel, groups = _kernel(node, ins), integer(node, "groups")
    if not isinstance(channels, int) or not isinstance(filters, int) or kernel is None or not groups:
        return None
    return prod(kernel) * channels * filters // groups


def _kernel(node: Node, ins: Sequence[Tensor]) -> tuple[int, ...] | None:
    shape = at(ins, 0).shape
    return None if shape is None else spread(_with_kernel_size(node, ins), len(shape) - 2)


def input_channels(node: Node, ins: Sequence[Tensor]) -> Dim:
    """Length of the channel axis of the first input."""
    shape = at(ins, 0).shape
    axis = None if shape is None else axis_of(integer(node, "channel_axis"), len(shape))
    return None if shape is None or axis is None else shape[axis]


def positions(node: Node, shape: Shape) -> int | None:
    """Number of spatial positions of a map; batch and channels do not count."""
    axes = None if shape is None else spatial_axes(len(shape), integer(node, "channel_axis"))
    return None if shape is None or axes is None else size(tuple(shape[axis] for axis in axes))


def conv_macs(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """Output positions · prod(kernel) · Cin · Cout / groups; padding counts, the bias does not.

    Source: He & Sun 2015, arXiv:1412.1710 §2, eq. 1.
    """
    places, kernel = positions(node, at(outs, 0).shape), _kernel_elements(node, ins, transposed=False)
    return None if places is None or kernel is None else places * kernel


def conv_transpose_macs(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """Input positions · prod(kernel) · Cin · Cout / groups: every input element meets every tap once.

    Source: Dumoulin & Visin 2016, arXiv:1603.07285 §4: the transpose of a convolution's matrix.
    """
    places, kernel = positions(node, at(ins, 0).shape), _kernel_elements(node, ins, transposed=True)
    return None if places is None or kernel is None else places * kernel


def _conv_weights(node: Node, ins: Sequence[Tensor]) -> Sequence[Weight]:
    """Kernel (k…, Cin / groups, filters) and bias (filters,), as Keras builds them."""
    kernel, channels, groups = _kernel(node, ins), input_channels(node, ins), integer(node, "groups")
    filters = integer(node, "filters")
    inner = channels // groups if isinstance(channels, int) and groups else None
    shape = None if kernel is None else (*kernel, inner, filters)
    return _kernel_and_bias(node, shape, filters)


def _conv_transpose_weights(node: Node, ins: Sequence[Tensor]) -> Sequence[Weight]:
    """Kernel (k…, filters / groups, Cin) and bias (filters,), as Keras builds them."""
    kernel, channels, filters = _kernel(node, ins), input_channels(node, ins), integer(node, "filters")
    groups = integer(node, "groups")
    per_group = filters // groups if filters is not None and groups else None
    return _kernel_and_bias(node, None if kernel is None else (*kernel, per_group, channels), filters)


def _kernel_and_bias(node: Node, shape: Shape, filters: int | None) -> Sequence[Weight]:
    bias = (Weight("bias", (filters,)),) if flag(node, "use_bias") else ()
    return (Weight("kernel", shape), *bias)


_LEARNED = frozenset({"learned", "linear", "windowed"})

OPS = table(
    Op("Conv", conv_outputs, {**_LAYOUT, **KERNEL_START}, conv_macs, _conv_weights, _LEARNED),
    Op(
        "ConvTranspose",
        conv_transpose_outputs,
        {**_LAYOUT, **KERNEL_START, "output_padding": (), "output_shape": ()},
        conv_transpose_macs,
        _conv_transpose_weights,
        _LEARNED,
    ),
    Op(
        "DeformConv",
        conv_outputs,
        {**_LAYOUT, "offset_group": 1, "channel_axis": 1},
        conv_macs,
        traits=frozenset({"learned", "nonlinear", "windowed"}),
    ),
)
