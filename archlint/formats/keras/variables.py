"""The contents of a Keras model's weights: which tensor of the file each param is, read when asked for.

``.keras`` keys tensors by class and running number (``layers/conv2d_1/vars/0``), in the order in which
a layer creates them; ``.h5`` by layer name, a list per layer, trainable ones first.
Source: keras/src/saving/saving_lib.py and keras/src/legacy/saving/legacy_h5_format.py.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from math import prod

import h5py

from archlint.formats.base import ModelFile
from archlint.formats.keras.places import Slot, slots
from archlint.formats.keras.weights import MAX_TENSORS, dtype_of, hard, opened
from archlint.graph import Array, Graph, Mismatch, Param, Shape
from archlint.graph.weights import MAX_TENSOR_BYTES

DAMAGED = (
    OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, struct.error, zipfile.BadZipFile,
)  # fmt: skip
"""What h5py and zipfile raise for damaged files; then the weights cannot be had."""

_OLDER = {"layers": ("_layer_checkpoint_dependencies",)}
"""Group → what older versions (Keras 3.0, TF 2.12) call it."""


class KerasWeights:
    """The tensors of one saved Keras model. Links, and tensors stored in other files, are not followed."""

    def __init__(self, file: ModelFile, graph: Graph) -> None:
        self._file = file
        self._graph = graph

    def read(self, param: Param) -> Array | None:
        """The contents as floats, in the order of axes that Keras has; None when they cannot be had."""
        place = self._places.get(param.name)
        if place is None:
            return None
        try:
            with opened(self._file.path, self._file.format) as file:
                found = None if file is None else _dataset(file, place)
                if found is None or not _fits(found.shape, param.shape):
                    return None
                return _contents(found)
        except DAMAGED:
            return None

    def mismatches(self) -> tuple[Mismatch, ...]:
        """The params of layers whose tensors are stored in other shapes, or only in part."""
        return self._located[1]

    @property
    def _places(self) -> Mapping[str, Sequence[str]]:
        return self._located[0]

    @cached_property
    def _located(self) -> tuple[Mapping[str, Sequence[str]], tuple[Mismatch, ...]]:
        """Param → path of its tensor, and what does not fit. Headers only."""
        try:
            with opened(self._file.path, self._file.format) as file:
                if file is None:
                    return {}, ()
                rows = list(slots(self._file, self._graph))
                locate = _by_name if self._file.format == "keras-h5" else _by_number
                found = list(locate(file, rows))
        except DAMAGED:
            return {}, ()
        places: dict[str, Sequence[str]] = {}
        wrong: dict[str, Mismatch] = {}
        for slot, place, shape in found:
            if shape is not None and _fits(shape, slot.param.shape):
                places.setdefault(slot.param.name, place)
            else:
                mismatch = Mismatch(slot.param.name, slot.layer, slot.param.shape, shape)
                wrong.setdefault(slot.param.name, mismatch)
        return places, tuple(row for name, row in wrong.items() if name not in places)


_Found = Iterator[tuple[Slot, Sequence[str], Shape]]


def _by_number(file: h5py.File, rows: Sequence[Slot]) -> _Found:
    """Where ``model.weights.h5`` holds each slot; a layer of which it holds nothing is left out."""
    for slot in rows:
        holder = _group(file, slot.group)
        if holder is None or "vars" not in holder:
            continue
        variables = hard(holder, "vars")
        if not isinstance(variables, h5py.Group) or not len(variables):
            continue
        found = hard(variables, str(slot.index)) if str(slot.index) in variables else None
        names = (*[part for part in holder.name.split("/") if part], "vars", str(slot.index))
        shape = found.shape if isinstance(found, h5py.Dataset) else None
        if slot.certain or (shape is not None and _fits(shape, slot.param.shape)):
            yield slot, names, shape


def _group(file: h5py.Group, path: Sequence[str]) -> h5py.Group | None:
    group = file
    for name in path:
        names = (name, *_OLDER.get(name, ()), f"_{name}")
        found = next((hard(group, one) for one in names if one in group), None)
        if not isinstance(found, h5py.Group):
            return None
        group = found
    return group


def _by_name(file: h5py.File, rows: Sequence[Slot]) -> _Found:
    """Where a ``.h5`` holds each slot: the list of a top layer, in order, trainable ones first."""
    top = hard(file, "model_weights") if "model_weights" in file else None
    if not isinstance(top, h5py.Group):
        return
    by_layer: dict[str, list[Slot]] = {}
    for slot in rows:
        by_layer.setdefault(slot.top, []).append(slot)
    for name, slots_ in by_layer.items():
        holder = hard(top, name) if name in top else None
        if not isinstance(holder, h5py.Group) or "weight_names" not in holder.attrs:
            continue
        listed = [_text(item) for item in holder.attrs["weight_names"]][:MAX_TENSORS]
        ordered = sorted(slots_, key=lambda slot: not slot.param.trainable)
        if not listed:
            continue
        plain = all(slot.layer == name and slot.certain for slot in slots_)
        found = [_dataset(holder, [part for part in one.split("/") if part]) for one in listed]
        fits = len(found) == len(ordered) and all(
            one is not None and _fits(one.shape, slot.param.shape)
            for one, slot in zip(found, ordered, strict=True)
        )
        if not fits and not plain:
            continue
        for index, slot in enumerate(ordered):
            one = found[index] if index < len(found) else None
            path = () if one is None else tuple(part for part in one.name.split("/") if part)
            yield slot, path, None if one is None else one.shape


def _text(item: object) -> str:
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)


def _dataset(file: h5py.Group, path: Sequence[str]) -> h5py.Dataset | None:
    found: h5py.Group | h5py.Dataset | None = file
    for name in path:
        found = hard(found, name) if isinstance(found, h5py.Group) and name in found else None
    return found if isinstance(found, h5py.Dataset) and found.shape is not None else None


def _fits(found: Shape, expected: Shape) -> bool:
    """Whether a stored shape is the one that the architecture asks for; what is not known fits."""
    if found is None or expected is None:
        return found is not None
    return len(found) == len(expected) and all(
        not isinstance(want, int) or want == have for have, want in zip(found, expected, strict=True)
    )


def _contents(dataset: h5py.Dataset) -> Array | None:
    if prod(dataset.shape) * max(dataset.dtype.itemsize, 4) > MAX_TENSOR_BYTES:
        return None
    values: Array = dataset[()]
    if dataset.dtype.kind == "V":
        if dtype_of(dataset) != "bfloat16" or dataset.dtype.itemsize != 2:
            return None
        halves = values.view("<u2").astype("<u4")
        return (halves << 16).view("<f4")
    return values if dataset.dtype.kind in "fiub" else None
