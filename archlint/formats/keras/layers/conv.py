"""Convolution layers."""

from __future__ import annotations

from archlint.formats.keras.activations import activate
from archlint.formats.keras.builder import Val
from archlint.formats.keras.call import Call, Translator
from archlint.formats.keras.policies import as_stored
from archlint.formats.keras.start import kernel_start
from archlint.graph import Attr, Dim, Param, Shape, TensorType
from archlint.ops.dims import product, window_length

PADDINGS = ("valid", "same", "causal")
"""Words for the padding of a sliding layer. Source: keras/src/ops/operation_utils.py."""


def window(call: Call, rank: int) -> dict[str, Attr]:
    """Settings that every sliding layer has: strides, dilations, padding, channel axis."""
    config = call.config
    strides = config["strides"].ints(rank, low=1) if not config["strides"].is_null else ()
    dilations = config["dilation_rate"].ints(rank, low=1) if not config["dilation_rate"].is_null else ()
    return {
        "strides": strides if set(strides) != {1} else (),
        "dilations": dilations if set(dilations) != {1} else (),
        "padding": config["padding"].word(PADDINGS, "valid"),
        "channel_axis": call.channel_axis(),
    }


def conv(rank: int) -> Translator:
    """Conv1D to Conv3D."""

    def translator(call: Call) -> list[Val]:
        attrs: dict[str, Attr] = {
            "filters": call.config["filters"].int(low=1),
            "kernel": call.config["kernel_size"].ints(rank, low=1),
            **window(call, rank),
            "groups": call.config["groups"].int(1, low=1),
            "use_bias": call.config["use_bias"].flag(True),
            **kernel_start(call.config),
        }
        value = call.one("Conv", None, attrs)
        as_stored(call, ("kernel", tuple(range(rank + 1)), (rank + 1,)))
        return [activate(call, value, call.config["activation"])]

    return translator


def conv_transpose(rank: int) -> Translator:
    """Conv1DTranspose to Conv3DTranspose."""

    def translator(call: Call) -> list[Val]:
        padding = call.config["output_padding"]
        attrs: dict[str, Attr] = {
            "filters": call.config["filters"].int(low=1),
            "kernel": call.config["kernel_size"].ints(rank, low=1),
            **window(call, rank),
            "output_padding": () if padding.is_null else padding.ints(rank, low=0),
            "use_bias": call.config["use_bias"].flag(True),
            **kernel_start(call.config),
        }
        return [activate(call, call.one("ConvTranspose", None, attrs), call.config["activation"])]

    return translator


def _depthwise(call: Call, rank: int) -> dict[str, Attr]:
    """A Conv whose groups are the input channels; both stay out when those are not known."""
    channels = call.dim(call.channel_axis())
    multiplier = call.config["depth_multiplier"].int(1, low=1)
    known = isinstance(channels, int) and channels > 0
    return {
        "filters": channels * multiplier if isinstance(channels, int) and known else None,
        "kernel": call.config["kernel_size"].ints(rank, low=1),
        **window(call, rank),
        "groups": channels if known else None,
    }


def depthwise(rank: int) -> Translator:
    """DepthwiseConv1D and 2D. The kernel is (k…, channels, multiplier), not a Conv's (k…, 1, filters)."""

    def translator(call: Call) -> list[Val]:
        attrs = {**_depthwise(call, rank), "use_bias": call.config["use_bias"].flag(True)}
        value = call.one("Conv", None, attrs)
        _as_depthwise_kernel(call)
        return [activate(call, value, call.config["activation"])]

    return translator


def _as_depthwise_kernel(call: Call) -> None:
    """Gives the kernel of the node just made the shape that Keras stores: (k…, channels, multiplier)."""
    node = call.builder.nodes[-1]
    groups, filters, kernel = node.attrs.get("groups"), node.attrs.get("filters"), node.attrs.get("kernel")
    assert isinstance(kernel, tuple)
    inner: tuple[Dim, Dim] = (None, None)
    if isinstance(groups, int) and isinstance(filters, int):
        inner = (groups, filters // groups)
    lengths: tuple[Dim, ...] = tuple(length for length in kernel if isinstance(length, int))
    call.builder.reshape_param("kernel", (*lengths, *inner))


def separable(rank: int) -> Translator:
    """SeparableConv1D and 2D: a depthwise Conv, then a pointwise one that holds the bias."""

    def translator(call: Call) -> list[Val]:
        spread = call.one("Conv", None, {**_depthwise(call, rank), "use_bias": False}, part="depthwise")
        _as_depthwise_kernel(call)
        attrs: dict[str, Attr] = {
            "filters": call.config["filters"].int(low=1),
            "kernel": (1,) * rank,
            "channel_axis": call.channel_axis(),
            "use_bias": call.config["use_bias"].flag(True),
        }
        return [activate(call, call.one("Conv", [spread], attrs), call.config["activation"])]

    return translator


def local(rank: int) -> Translator:
    """LocallyConnected1D and 2D of Keras 2: Unknown, with the shape of a Conv and a kernel per position.

    Source: keras/layers/locally_connected of Keras 2.15; kernels by ``implementation``, 1 unless stated.
    """

    def translator(call: Call) -> list[Val]:
        config, shape = call.config, call.shape
        settings, kernel = window(call, rank), config["kernel_size"].ints(rank, low=1)
        first = call.channel_axis() == 1
        if shape is None or len(shape) != rank + 2 or config["implementation"].int(1) != 1:
            return call.unknown()
        strides = config["strides"].ints(rank, low=1) if not config["strides"].is_null else (1,) * rank
        rows = zip(shape[2:] if first else shape[1:-1], kernel, strides, strict=True)
        made = tuple(window_length(*row, 1, str(settings["padding"])) for row in rows)
        filters, channels = config["filters"].int(low=1), shape[1 if first else -1]
        sizes: dict[str, Shape] = {"kernel": (product(made), product((*kernel, channels)), filters)}
        if config["use_bias"].flag(True):
            sizes["bias"] = (*made, filters)
        layer = call.layer
        extra = [
            Param(f"{layer.path}/{role}", role, size, layer.dtype, layer.trainable)
            for role, size in sizes.items()
        ]
        value = call.one("Unknown", call.inputs[:1], extra=extra)
        call.builder.declare(
            value, TensorType(None, (shape[0], filters, *made) if first else (shape[0], *made, filters))
        )
        return [activate(call, value, config["activation"])]

    return translator


CONV: dict[str, Translator] = {
    **{f"LocallyConnected{rank}D": local(rank) for rank in (1, 2)},
    **{f"Conv{rank}D": conv(rank) for rank in (1, 2, 3)},
    **{f"Conv{rank}DTranspose": conv_transpose(rank) for rank in (1, 2, 3)},
    **{f"DepthwiseConv{rank}D": depthwise(rank) for rank in (1, 2)},
    **{f"SeparableConv{rank}D": separable(rank) for rank in (1, 2)},
}
