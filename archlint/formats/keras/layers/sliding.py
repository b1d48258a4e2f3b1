"""Pooling layers, and layers that only move, cut, pad or resize."""

from __future__ import annotations

from archlint.formats.keras.builder import Val
from archlint.formats.keras.call import Call, Translator
from archlint.formats.keras.layers.conv import window
from archlint.formats.keras.raw import Raw
from archlint.graph import Attr
from archlint.ops import TABLE

Pair = tuple[int, int]


def pool(op: str, rank: int) -> Translator:
    """MaxPooling and AveragePooling; strides are the kernel unless stated."""

    def translator(call: Call) -> list[Val]:
        raw = call.config["pool_size"]
        kernel = (2,) * rank if raw.is_null else raw.ints(rank, low=1)
        attrs = window(call, rank)
        strides = kernel if call.config["strides"].is_null else call.config["strides"].ints(rank, low=1)
        attrs["strides"] = strides if set(strides) != {1} else ()
        return [call.one(op, call.inputs[:1], {"kernel": kernel, **attrs})]

    return translator


def global_pool(op: str) -> Translator:
    """GlobalAveragePooling and GlobalMaxPooling."""

    def translator(call: Call) -> list[Val]:
        keepdims = call.config["keepdims"].flag(False)
        attrs: dict[str, Attr] = {"channel_axis": call.channel_axis(), "keepdims": keepdims}
        return [call.one(op, call.inputs[:1], attrs)]

    return translator


def adaptive_pool(op: str, rank: int) -> Translator:
    """AdaptiveAveragePooling and AdaptiveMaxPooling."""

    def translator(call: Call) -> list[Val]:
        size = call.config["output_size"].ints(rank, low=1)
        return [call.one(op, None, {"output_size": size, "channel_axis": call.channel_axis()})]

    return translator


def pairs(raw: Raw, rank: int) -> tuple[Pair, ...]:
    """(before, after) per spatial axis, from one number, one per axis, or one pair per axis."""
    if rank == 1 and isinstance(raw.value, list):
        before, after = (
            raw.ints(2, low=0) if not isinstance(raw.at(0).value, list) else raw.at(0).ints(2, low=0)
        )
        return ((before, after),)
    if not isinstance(raw.value, list):
        size = raw.int(1, low=0)
        return ((size, size),) * rank
    items = list(raw.items())
    if len(items) != rank:
        raise raw.bad(f"{rank} items, one per spatial axis")
    found = [item.ints(2, low=0) for item in items]
    return tuple((both[0], both[1]) for both in found)


def spatial(call: Call, per_axis: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """The pairs with (0, 0) put in for the batch and the channels."""
    if call.channel_axis() == 1:
        return ((0, 0), (0, 0), *per_axis)
    return ((0, 0), *per_axis, (0, 0))


def zero_padding(rank: int) -> Translator:
    """ZeroPadding1D to 3D."""

    def translator(call: Call) -> list[Val]:
        return [call.one("Pad", None, {"pads": spatial(call, pairs(call.config["padding"], rank))})]

    return translator


def cropping(rank: int) -> Translator:
    """Cropping1D to 3D: a Slice of the axes that lose something."""

    def translator(call: Call) -> list[Val]:
        cuts = spatial(call, pairs(call.config["cropping"], rank))
        axes = [axis for axis, cut in enumerate(cuts) if any(cut)]
        if not axes:
            return [call.one("Identity")]
        attrs: dict[str, Attr] = {
            "starts": tuple(cuts[axis][0] for axis in axes),
            "ends": tuple(-cuts[axis][1] if cuts[axis][1] else 2**31 - 1 for axis in axes),
            "axes": tuple(axes),
        }
        return [call.one("Slice", None, attrs)]

    return translator


def up_sampling(rank: int) -> Translator:
    """UpSampling1D to 3D."""

    def translator(call: Call) -> list[Val]:
        size = call.config.first("size", "length")
        factors = (2,) * rank if size.is_null else size.ints(rank, low=1)
        attrs: dict[str, Attr] = {
            "scales": tuple(float(factor) for factor in factors),
            "mode": call.config["interpolation"].text("nearest"),
            "channel_axis": call.channel_axis(),
        }
        return [call.one("Resize", None, attrs)]

    return translator


def flatten(call: Call) -> list[Val]:
    """Flatten."""
    first = call.config["data_format"].text("channels_last") == "channels_first"
    return [call.one("Flatten", None, {"channels_first": first})]


def reshape(call: Call) -> list[Val]:
    """Reshape: the batch axis is copied."""
    target = call.config.first("target_shape", "dims")
    shape = tuple(-1 if item.is_null else item.int(low=-1) for item in target.items())
    return [call.one("Reshape", None, {"shape": (0, *shape)})]


def permute(call: Call) -> list[Val]:
    """Permute: dims count from 1, the batch axis stays."""
    return [call.one("Transpose", None, {"perm": (0, *call.config["dims"].ints(low=1))})]


def repeat_vector(call: Call) -> list[Val]:
    """RepeatVector."""
    return [call.one("RepeatVector", None, {"n": call.config["n"].int(low=0)})]


def concatenate(call: Call) -> list[Val]:
    """Concatenate."""
    return [call.one("Concat", None, {"axis": call.axis(call.config["axis"])})]


def merge(op: str) -> Translator:
    """Add, Multiply and the like, over all inputs."""
    return lambda call: [call.one(op)]


MERGES = {"ave": "Mean", "max": "Max", "mul": "Mul", "sum": "Add"}
"""Mode of Keras 1's Merge → op."""


def merge_by_mode(call: Call) -> list[Val]:
    """Merge of Keras 1 (keras/engine/topology.py of 1.2.2); "cos" and functions of the user stay unknown."""
    mode = call.config["mode"].value
    if mode == "concat":
        return [call.one("Concat", None, {"axis": call.axis(call.config["concat_axis"])})]
    if mode == "dot":
        axes = call.config["dot_axes"]
        pair = axes.ints(2) if isinstance(axes.value, list) or axes.value is not None else (-1, -1)
        return [call.one("Dot", None, {"axes": pair})]
    op = MERGES.get(mode) if isinstance(mode, str) else None
    return call.unknown() if op is None else [call.one(op)]


def same(op: str, **settings: str) -> Translator:
    """A layer that becomes one op; each setting is read when it is there.

    Kinds are those of ``READ`` and "layout", which becomes ``channel_axis``.
    """

    def translator(call: Call) -> list[Val]:
        attrs: dict[str, Attr] = {}
        for key, kind in settings.items():
            raw = call.config[key]
            if kind == "layout":
                attrs["channel_axis"] = call.channel_axis()
            elif not raw.is_null:
                attrs[key] = READ[kind](raw)
        if "training" in TABLE[op].attrs and call.kwargs.get("training") is True:
            attrs["training"] = True
        return [call.one(op, call.inputs[:1], attrs)]

    return translator


READ = {
    "float": lambda raw: raw.float(),
    "int": lambda raw: raw.int(),
    "flag": lambda raw: raw.flag(),
    "text": lambda raw: raw.text(),
}

_RANKS = (1, 2, 3)

SLIDING: dict[str, Translator] = {
    **{f"MaxPooling{rank}D": pool("MaxPool", rank) for rank in _RANKS},
    **{f"AveragePooling{rank}D": pool("AveragePool", rank) for rank in _RANKS},
    **{f"GlobalAveragePooling{rank}D": global_pool("GlobalAveragePool") for rank in _RANKS},
    **{f"GlobalMaxPooling{rank}D": global_pool("GlobalMaxPool") for rank in _RANKS},
    **{f"AdaptiveAveragePooling{rank}D": adaptive_pool("AdaptiveAveragePool", rank) for rank in _RANKS},
    **{f"AdaptiveMaxPooling{rank}D": adaptive_pool("AdaptiveMaxPool", rank) for rank in _RANKS},
    **{f"ZeroPadding{rank}D": zero_padding(rank) for rank in _RANKS},
    **{f"Cropping{rank}D": cropping(rank) for rank in _RANKS},
    **{f"UpSampling{rank}D": up_sampling(rank) for rank in _RANKS},
    "Add": merge("Add"),
    "Average": merge("Mean"),
    "Concatenate": concatenate,
    "Flatten": flatten,
    "Identity": merge("Identity"),
    "Maximum": merge("Max"),
    "Minimum": merge("Min"),
    "Merge": merge_by_mode,
    "Multiply": merge("Mul"),
    "Permute": permute,
    "RepeatVector": repeat_vector,
    "Reshape": reshape,
    "Subtract": merge("Sub"),
}
