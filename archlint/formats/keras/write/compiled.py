"""Compile settings in a config: the loss, metric and optimizer objects, changed where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from archlint.errors import PatchError
from archlint.formats.keras.training import snake
from archlint.formats.keras.write.settings import plain
from archlint.formats.keras.write.tree import Config
from archlint.graph import Attr, Setting, Training

Slot = tuple[Any, Any]
"""A holder and the key or index at which a setting stands in it."""

_CLASSES: Mapping[str, str] = {
    "auc": "AUC",
    "binary_io_u": "BinaryIoU",
    "ctc": "CTC",
    "io_u": "IoU",
    "kl_divergence": "KLDivergence",
    "mean_io_u": "MeanIoU",
    "one_hot_io_u": "OneHotIoU",
    "one_hot_mean_io_u": "OneHotMeanIoU",
}
"""Names whose class is not the words put together."""

_WRAPPERS = frozenset({"LossFunctionWrapper", "MeanMetricWrapper"})
_BESIDE = frozenset({"weight", "weighted"})
"""What the reader notes of a loss or metric that does not stand in its own object."""


def set_training(compiled: Config | None, was: Training | None, now: Training | None, modules: bool) -> None:
    """Changes the settings that differ, in place.

    Raises:
        PatchError: the file has no compile settings, or they do not say what would have to change.
    """
    if compiled is None or was is None or now is None:
        raise PatchError("the model was saved without compile settings that could be changed")
    rows = (("loss", was.losses, now.losses, "losses"), ("metrics", was.metrics, now.metrics, "metrics"))
    for key, before, after, package in rows:
        _set_list(compiled, key, before, after, f"keras.{package}" if modules else None)
    if was.optimizer != now.optimizer:
        key = "optimizer_config" if compiled.get("optimizer_config") else "optimizer"
        if was.optimizer is None or now.optimizer is None:
            raise PatchError("an optimizer cannot be taken out of the compile settings")
        _set_one((compiled, key), was.optimizer, now.optimizer, "keras.optimizers" if modules else None)


def _set_list(
    compiled: Config, key: str, before: Sequence[Setting], after: Sequence[Setting], module: str | None
) -> None:
    if before == after:
        return
    if len(before) != len(after):
        raise PatchError(f"the number of {key} settings cannot be changed")
    slots = list(_leaves((compiled, key)))
    if key == "metrics":
        slots += _leaves((compiled, "weighted_metrics"))
    pairs = list(zip(before, after, strict=True))
    if len(slots) == 1 < len(pairs):
        kinds = {(repr(a.name), repr(sorted(a.attrs.items(), key=str))) for _, a in pairs}
        if len(kinds) != 1:
            raise PatchError(f"one {key} is stated for all outputs, and they would differ")
        pairs = pairs[:1]
    if len(slots) != len(pairs):
        raise PatchError(f"which {key} setting belongs to which output is not clear")
    for slot, (was, now) in zip(slots, pairs, strict=True):
        if was != now:
            _set_one(slot, was, now, module)


def _leaves(slot: Slot) -> Iterator[Slot]:
    holder, key = slot
    value = holder.get(key) if isinstance(holder, dict) else holder[key]
    if isinstance(value, str) or (isinstance(value, dict) and "class_name" in value):
        yield slot
    elif isinstance(value, dict):
        for inner in value:
            yield from _leaves((value, inner))
    elif isinstance(value, list):
        for index in range(len(value)):
            yield from _leaves((value, index))


def _set_one(slot: Slot, was: Setting, now: Setting, module: str | None) -> None:
    holder, key = slot
    value = holder[key]
    if was.custom or now.custom or any(was.attrs.get(k) != now.attrs.get(k) for k in _BESIDE):
        raise PatchError(f"'{was.name}' is not a setting that can be changed in a Keras file")
    attrs = {name: plain(item) for name, item in now.attrs.items() if name not in _BESIDE}
    if (isinstance(value, str) and not attrs) or (now.name == "accuracy" != was.name):
        holder[key] = now.name
    elif isinstance(value, str) or not isinstance(value.get("config"), dict):
        holder[key] = _object(now.name, attrs, module)
    else:
        _change(value, was, now)


def _object(name: str, attrs: Mapping[str, object], module: str | None) -> Config:
    entry: Config = {} if module is None else {"module": module}
    entry |= {"class_name": _class(name), "config": dict(attrs)}
    return entry if module is None else {**entry, "registered_name": None}


def _change(value: Config, was: Setting, now: Setting) -> None:
    config = value["config"]
    if now.name != was.name:
        if value["class_name"] in _WRAPPERS:
            config["fn"] = now.name
        else:
            value["class_name"] = _class(now.name)
        if "name" in config:
            config["name"] = now.name
    for key in sorted(was.attrs.keys() | now.attrs.keys()):
        if _differ(was.attrs.get(key), now.attrs.get(key)):
            if key in now.attrs:
                config[key] = plain(now.attrs[key])
            else:
                config.pop(key, None)


def _differ(one: Attr, other: Attr) -> bool:
    return repr(one) != repr(other)


def _class(name: str) -> str:
    made = _CLASSES.get(name) or "".join(word.capitalize() for word in name.split("_"))
    if snake(made) != name:
        raise PatchError(f"the class that Keras has for '{name}' is not known")
    return made
