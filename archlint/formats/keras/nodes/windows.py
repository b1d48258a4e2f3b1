"""Op nodes that slide over maps or normalise: ``keras.ops.nn`` and the resizing of ``keras.ops.image``."""

from __future__ import annotations

from collections.abc import Mapping

from archlint.formats.keras.builder import Val
from archlint.formats.keras.call import Arg
from archlint.formats.keras.nodes.operands import OpCall, OpTranslator, whole, wholes
from archlint.graph import Attr, Dim, Shape


def _resize(op: OpCall) -> list[Val] | None:
    size = wholes(op.setting(1, "size"))
    layout, mode = op.settings.get("data_format"), op.settings.get("interpolation", op.settings.get("method"))
    if size is None or len(size) != 2:
        return None
    channel_axis = 1 if layout == "channels_first" else -1
    word = mode if isinstance(mode, str) else "bilinear"
    attrs: dict[str, Attr] = {"sizes": size, "mode": word, "channel_axis": channel_axis}
    return op.node("Resize", op.sources("images", "image")[:1], attrs)


def _pool(kind: str) -> OpTranslator:
    def translator(op: OpCall) -> list[Val] | None:
        rank = op.rank()
        if rank is None or rank < 3:
            return None
        kernel = _spread(op.setting(1, "pool_size"), rank - 2)
        strides = _spread(op.setting(2, "strides"), rank - 2) or kernel
        padding = op.setting(3, "padding")
        if kernel is None or strides is None:
            return None
        first = op.settings.get("data_format") == "channels_first"
        attrs: dict[str, Attr] = {
            "kernel": kernel,
            "strides": strides if set(strides) != {1} else (),
            "padding": padding if isinstance(padding, str) else "valid",
            "channel_axis": 1 if first else -1,
        }
        return op.node(kind, op.sources("inputs")[:1], attrs)

    return translator


def _spread(arg: Arg, count: int) -> tuple[int, ...] | None:
    numbers = wholes(arg)
    return None if numbers is None else numbers * count if len(numbers) == 1 else numbers


def _blocks(kind: str) -> OpTranslator:
    def translator(op: OpCall) -> list[Val] | None:
        size = whole(op.setting(1, "block_size"))
        first = op.settings.get("data_format") == "channels_first"
        attrs: dict[str, Attr] = {"blocksize": size, "channel_axis": 1 if first else -1}
        return None if size is None else op.node(kind, op.sources("x")[:1], attrs)

    return translator


def _channel_axis(op: OpCall) -> int:
    return 1 if op.settings.get("data_format") == "channels_first" else -1


def _kernel_shape(op: OpCall, kernel: Val) -> tuple[int, ...] | None:
    """Shape of a kernel for the first value, when all of it is known."""
    shape, rank = op.call.tensor(kernel).shape, op.rank()
    known = tuple(dim for dim in shape or () if isinstance(dim, int))
    return known if rank is not None and rank >= 3 and len(known) == len(shape or ()) == rank else None


def _sliding(op: OpCall, rank: int) -> dict[str, Attr] | None:
    strides = _spread(op.setting(2, "strides") or 1, rank)
    dilations = _spread(op.settings.get("dilation_rate") or 1, rank)
    padding = op.settings.get("padding", "valid")
    if strides is None or dilations is None or not isinstance(padding, str):
        return None
    return {
        "strides": strides if set(strides) != {1} else (),
        "dilations": dilations if set(dilations) != {1} else (),
        "padding": padding.lower(),
        "channel_axis": _channel_axis(op),
        "use_bias": False,
    }


def _conv(kind: str) -> OpTranslator:
    """A convolution whose kernel is a value, (k…, in, out); (k…, out, in) of a ConvTranspose."""

    def translator(op: OpCall) -> list[Val] | None:
        source, kernel = (
            op.value(op.operand(0, "inputs"), "inputs"),
            op.value(op.operand(1, "kernel"), "kernel"),
        )
        if source is None or kernel is None:
            return None
        shape = _kernel_shape(op, kernel)
        attrs = None if shape is None else _sliding(op, len(shape) - 2)
        if shape is None or attrs is None:
            return None
        attrs |= {"kernel": shape[:-2], "filters": shape[-2 if kind == "ConvTranspose" else -1]}
        channels = _channels(op, source)
        if kind == "Conv" and isinstance(channels, int) and shape[-2] and channels != shape[-2]:
            attrs["groups"] = channels // shape[-2]
        extra = op.settings.get("output_padding")
        if kind == "ConvTranspose" and extra is not None:
            attrs["output_padding"] = _spread(extra, len(shape) - 2)
        return _with_kernel(op, kind, source, kernel, attrs)

    return translator


def _channels(op: OpCall, source: Val) -> Dim:
    shape: Shape = op.call.tensor(source).shape
    return shape[_channel_axis(op)] if shape else None


def _with_kernel(
    op: OpCall, kind: str, source: Val, kernel: Val, attrs: dict[str, Attr], part: str = ""
) -> list[Val]:
    """The node of a convolution that reads its kernel and holds none."""
    values = op.call.node(kind, [source, kernel], attrs, part)
    op.call.builder.set_params(())
    return values


def _depthwise(op: OpCall) -> list[Val] | None:
    """DepthwiseConv: a kernel (k…, channels, multiplier); only its shape and cost are as a Conv's."""
    source = op.sources("inputs")
    return _by_channel(op, source[0], op.operand(1, "kernel"), "kernel") if source else None


def _by_channel(op: OpCall, source: Val, stated: Arg, name: str, part: str = "") -> list[Val] | None:
    kernel = op.value(stated, name)
    shape = None if kernel is None else _kernel_shape(op, kernel)
    attrs = None if shape is None else _sliding(op, len(shape) - 2)
    if kernel is None or shape is None or attrs is None:
        return None
    attrs |= {"kernel": shape[:-2], "filters": shape[-2] * shape[-1], "groups": shape[-2]}
    return _with_kernel(op, "Conv", source, kernel, attrs, part)


def _separable(op: OpCall) -> list[Val] | None:
    """SeparableConv: a depthwise convolution, then one that mixes the channels of each position."""
    source = op.sources("inputs")
    point = op.value(op.operand(2, "pointwise_kernel"), "pointwise_kernel")
    mixes = None if point is None else _kernel_shape(op, point)
    if not source or point is None or mixes is None:
        return None
    depth = op.operand(1, "depthwise_kernel")
    made = _by_channel(op, source[0], depth, "depthwise_kernel", "depthwise")
    if made is None:
        return None
    attrs: dict[str, Attr] = {"kernel": mixes[:-2], "filters": mixes[-1], "use_bias": False}
    return _with_kernel(op, "Conv", made[0], point, {**attrs, "channel_axis": _channel_axis(op)})


def _adaptive(kind: str) -> OpTranslator:
    def translator(op: OpCall) -> list[Val] | None:
        rank = op.rank()
        size = None if rank is None else _spread(op.setting(1, "output_size"), rank - 2)
        attrs: dict[str, Attr] = {"output_size": size, "channel_axis": _channel_axis(op)}
        return None if size is None else op.node(kind, op.sources("inputs")[:1], attrs)

    return translator


def _normalize(op: OpCall) -> list[Val] | None:
    axis, order = whole(op.setting(1, "axis")), whole(op.setting(2, "order"))
    attrs: dict[str, Attr] = {"axis": -1 if axis is None else axis, "p": 2 if order is None else order}
    return op.node("LpNormalization", op.sources("x")[:1], attrs)


def _moments(op: OpCall) -> list[Val] | None:
    axes, source = wholes(op.setting(1, "axes")), op.sources("x")[:1]
    if axes is None:
        return None
    attrs: dict[str, Attr] = {"axes": axes, "keepdims": op.settings.get("keepdims") is True}
    return [
        op.call.one(kind, source, attrs, part=part)
        for kind, part in (("ReduceMean", "mean"), ("ReduceVar", "variance"))
    ]


WINDOWS: Mapping[str, OpTranslator] = {
    "AdaptiveAveragePool": _adaptive("AdaptiveAveragePool"),
    "AdaptiveMaxPool": _adaptive("AdaptiveMaxPool"),
    "AveragePool": _pool("AveragePool"),
    "Conv": _conv("Conv"),
    "ConvTranspose": _conv("ConvTranspose"),
    "DepthToSpace": _blocks("DepthToSpace"),
    "DepthwiseConv": _depthwise,
    "MaxPool": _pool("MaxPool"),
    "Moments": _moments,
    "Normalize": _normalize,
    "Resize": _resize,
    "SeparableConv": _separable,
    "SpaceToDepth": _blocks("SpaceToDepth"),
}
"""Class of ``keras.ops`` → translator."""
