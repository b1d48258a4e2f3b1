"""Layers that normalise."""

from __future__ import annotations

from archlint.formats.keras.builder import Val
from archlint.formats.keras.call import Call, Translator
from archlint.graph import Attr, Param


def batch_norm(call: Call) -> list[Val]:
    """BatchNormalization."""
    config = call.config
    attrs: dict[str, Attr] = {
        "channel_axis": call.axis(config["axis"]),
        "epsilon": config["epsilon"].float(0.001),
        "momentum": config["momentum"].float(0.99),
        "center": config["center"].flag(True),
        "scale": config["scale"].flag(True),
    }
    if call.kwargs.get("training") is True:
        attrs["training"] = True
    extra = _renormalising(call) if config["renorm"].flag(False) else ()
    return [call.one("BatchNormalization", None, attrs, extra=extra)]


def _renormalising(call: Call) -> tuple[Param, ...]:
    """What Keras 2 keeps for batch renormalisation. Source: Ioffe 2017, arXiv:1702.03275."""
    channels, path, dtype = call.dim(call.axis(call.config["axis"])), call.layer.path, call.layer.dtype
    names = ("moving_stddev", "renorm_mean", "renorm_stddev")
    return tuple(Param(f"{path}/{name}", name, (channels,), dtype, False) for name in names)


def layer_norm(call: Call) -> list[Val]:
    """LayerNormalization; with ``rms_scaling`` it is an RMSNormalization."""
    config = call.config
    axes = config["axis"].ints() if isinstance(config["axis"].value, list) else (config["axis"].int(-1),)
    attrs: dict[str, Attr] = {
        "axes": tuple(-1 if call.rank is not None and axis == call.rank - 1 else axis for axis in axes),
        "epsilon": config["epsilon"].float(0.001),
        "scale": config["scale"].flag(True),
    }
    if config["rms_scaling"].flag(False):
        return [call.one("RMSNormalization", None, attrs)]
    return [call.one("LayerNormalization", None, {**attrs, "center": config["center"].flag(True)})]


def rms_norm(call: Call) -> list[Val]:
    """RMSNormalization."""
    config = call.config
    axes = config["axis"].ints() if isinstance(config["axis"].value, list) else (config["axis"].int(-1),)
    return [call.one("RMSNormalization", None, {"axes": axes, "epsilon": config["epsilon"].float(1e-6)})]


def group_norm(call: Call) -> list[Val]:
    """GroupNormalization; groups=-1 means one per channel."""
    config = call.config
    axis = call.axis(config["axis"])
    groups: Attr = config["groups"].int(32)
    if groups == -1:
        channels = call.dim(axis)
        groups = channels if isinstance(channels, int) else None
    attrs: dict[str, Attr] = {
        "groups": groups,
        "channel_axis": axis,
        "epsilon": config["epsilon"].float(0.001),
        "center": config["center"].flag(True),
        "scale": config["scale"].flag(True),
    }
    return [call.one("GroupNormalization", None, attrs)]


def unit_norm(call: Call) -> list[Val]:
    """UnitNormalization."""
    raw = call.config["axis"]
    axes = raw.ints() if isinstance(raw.value, list) else (raw.int(-1),)
    return [call.one("UnitNormalization", None, {"axes": axes})]


def normalization(call: Call) -> list[Val]:
    """Normalization (preprocessing); holds mean, variance and count only when they were learned from data."""
    raw = call.config["axis"]
    whole = raw.is_null and "axis" in call.config
    axes = None if whole else raw.ints() if isinstance(raw.value, list) else (raw.int(-1),)
    attrs: dict[str, Attr] = {"axis": axes, "invert": call.config["invert"].flag(False)}
    for key in ("mean", "variance"):
        stated = call.config[key]
        if not stated.is_null:
            attrs[key] = stated.numbers()
    return [call.one("Normalization", None, attrs)]


NORM: dict[str, Translator] = {
    "BatchNormalization": batch_norm,
    "GroupNormalization": group_norm,
    "LayerNormalization": layer_norm,
    "Normalization": normalization,
    "RMSNormalization": rms_norm,
    "SyncBatchNormalization": batch_norm,
    "UnitNormalization": unit_norm,
}
