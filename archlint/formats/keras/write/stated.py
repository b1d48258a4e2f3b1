"""Shapes that a config states: of inputs, and of what layers were built with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archlint.formats.keras.write.entries import dims
from archlint.formats.keras.write.rewire import Rewiring
from archlint.formats.keras.write.tree import Config, Container, is_input, name_of
from archlint.graph import Shape

_INPUT_KEYS = ("batch_shape", "batch_input_shape")


def restate(rewiring: Rewiring, built: bool) -> None:
    """States the shapes that have changed; ``built`` when the file says what layers were built with."""
    for model in rewiring.models.values():
        _restate_inputs(rewiring, model)
        for entry in model.layers:
            if not is_input(entry):
                _restate_build(rewiring, model, entry, built)


def _restate_inputs(rewiring: Rewiring, model: Container) -> None:
    change = rewiring.change
    before = dict(change.before.inputs)
    values = rewiring.inputs(model)
    if model.parent is None:
        changed = [(value, type_.shape) for value, type_ in change.after.inputs if before[value] != type_]
    else:
        old = rewiring.read_before(model)
        changed = [
            (now, change.tensors_after[now].shape)
            for was, now in zip(old, values, strict=True)
            if now is not None and change.reshaped(was, now)
        ]
    for value, shape in changed:
        if shape is not None:
            _restate_input(rewiring, model, value, dims(shape))
    if changed:
        shapes = [change.tensors_after[value].shape for value in values if value is not None]
        _restate_model(model, shapes)
        for value, type_ in change.after.inputs if model.parent is None else ():
            _restate_dtype(model, value, type_.dtype, before[value].dtype)


def _restate_input(rewiring: Rewiring, model: Container, value: str, shape: list[int | None]) -> None:
    """In the InputLayer of this value, else in the first layer of a Sequential."""
    heads = [entry for entry in model.layers if is_input(entry)]
    found = [entry for entry in heads if value in rewiring.gives(model, entry)]
    if model.sequential:
        found = heads[:1] or model.layers[:1]
    for entry in found:
        for key in _INPUT_KEYS:
            if isinstance(entry["config"], dict) and entry["config"].get(key) is not None:
                entry["config"][key] = shape


def _restate_dtype(model: Container, value: str, dtype: str | None, before: str | None) -> None:
    for entry in model.layers:
        if is_input(entry) and name_of(entry) == value and dtype != before and dtype is not None:
            entry["config"]["dtype"] = dtype


def _restate_model(model: Container, shapes: Sequence[Shape]) -> None:
    """The input shape that a model itself states, one or a list."""
    places = [(model.entry.get("build_config"), "input_shape"), (model.entry["config"], "build_input_shape")]
    for holder, key in places:
        if isinstance(holder, dict) and holder.get(key) is not None:
            _replace(holder, key, shapes)


def _replace(holder: Config, key: str, shapes: Sequence[Shape]) -> bool:
    """Puts shapes in place of those that stand there; False when they are of another form."""
    stated: Any = holder[key]
    if not isinstance(stated, list) or any(shape is None for shape in shapes):
        return False
    said = [dims(shape) for shape in shapes if shape is not None]
    if len(said) == 1 and not any(isinstance(item, list) for item in stated):
        holder[key] = said[0]
        return True
    if len(said) == len(stated) and all(isinstance(item, list) for item in stated):
        holder[key] = said
        return True
    return False


def _restate_build(rewiring: Rewiring, model: Container, entry: Config, built: bool) -> None:
    change, name = rewiring.change, name_of(entry)
    key = (*model.path, name)
    if name in model.children or key not in change.new or rewiring.is_shared(model, name):
        return
    now = rewiring.reads(model, entry)
    old = rewiring.read_by(key)
    shapes = [change.tensors_after[value].shape for value in now if value in change.tensors_after]
    holder = entry.get("build_config")
    if not isinstance(holder, dict):
        if key in change.touched and built and len(shapes) == 1 and shapes[0] is not None:
            entry["build_config"] = {"input_shape": dims(shapes[0])}
        return
    same = len(old) == len(now) and not any(map(change.reshaped, old, now))
    if not same and not ("input_shape" in holder and _replace(holder, "input_shape", shapes)):
        del entry["build_config"]
