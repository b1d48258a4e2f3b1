"""The contents of a Keras model's weights: which tensor of the file each param is, read when asked for.

``.keras`` keys tensors by class and running number (``layers/conv2d_1/vars/0``), in the order in which
a layer creates them; ``.h5`` by layer name, a list per layer, trainable ones first.
Source: keras/src/saving/saving_lib.py and keras/src/legacy/saving/legacy_h5_format.py.
"""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from math import prod

import h5py

from archlint.dataclass import dataclass
from archlint.formats.base import ModelFile
from archlint.formats.keras.places import Slot, slots
from archlint.formats.keras.weights import MAX_TENSORS, WEIGHTS, dtype_of, first_byte, hard, opened
from archlint.graph import Array, Graph, Mismatch, Param, Shape
from archlint.graph.weights import MAX_TENSOR_BYTES

DAMAGED = (
    OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, struct.error, zipfile.BadZipFile,
)  # fmt: skip
"""What h5py and zipfile raise for damaged files; then the weights cannot be had."""

_OLDER = {"layers": ("_layer_checkpoint_dependencies",)}
"""Group → what older versions (Keras 3.0, TF 2.12) call it."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a tensor lies: its path in the HDF5 file, its shape and type, its first byte in the whole file.

    ``start`` is None for tensors in chunks, which h5py puts together.
    """

    path: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    start: int | None


class KerasWeights:
    """The tensors of one saved Keras model. Links, and tensors stored in other files, are not followed."""

    def __init__(self, file: ModelFile, graph: Graph) -> None:
        self._file = file
        self._graph = graph

    def read(self, param: Param) -> Array | None:
        """The contents as numbers, in the order of axes that Keras has; None when they cannot be had."""
        place = self._places.get(param.name)
        if place is None or prod(place.shape) * 4 > MAX_TENSOR_BYTES:
            return None
        try:
            values = self._slowly(place) if place.start is None else self._directly(place)
        except DAMAGED:
            return None
        return None if values is None else _numbers(values, place.dtype)

    def holds(self, param: Param) -> bool:
        """Whether nothing shows that the file lacks the param; Keras computes none."""
        return all(row.param != param.name or row.found is not None for row in self.mismatches())

    def mismatches(self) -> tuple[Mismatch, ...]:
        """The params of layers whose tensors are stored in other shapes, or only in part."""
        return self._located[1]

    def _directly(self, place: _Place) -> Array | None:
        """Straight from the file: opening it as HDF5 for each of a thousand tensors takes seconds."""
        import numpy as np

        inside = self._file.format == "keras-folder"
        name = os.path.join(self._file.path, WEIGHTS) if inside else self._file.path
        with open(name, "rb") as file:
            code = "<u2" if place.dtype == "bfloat16" else place.dtype
            found = np.fromfile(file, code, prod(place.shape), offset=place.start or 0)
        return found.reshape(place.shape) if found.size == prod(place.shape) else None

    def _slowly(self, place: _Place) -> Array | None:
        with opened(self._file.path, self._file.format) as file:
            found = None if file is None else _dataset(file, place.path)
            return None if found is None else found[()]

    @property
    def _places(self) -> Mapping[str, _Place]:
        return self._located[0]

    @cached_property
    def _located(self) -> tuple[Mapping[str, _Place], tuple[Mismatch, ...]]:
        """Param → where its tensor lies, and what does not fit. Headers only."""
        places: dict[str, _Place] = {}
        wrong: dict[str, Mismatch] = {}
        try:
            base = first_byte(self._file.path, self._file.format)
            with opened(self._file.path, self._file.format) as file:
                if file is None:
                    return {}, ()
                rows = list(slots(self._file, self._graph))
                locate = _by_name if self._file.format == "keras-h5" else _by_number
                for slot, found in locate(file, rows):
                    shape = None if found is None else found.shape
                    if found is not None and _fits(shape, slot.param.shape):
                        places.setdefault(slot.param.name, _place(found, base))
                    else:
                        mismatch = Mismatch(slot.param.name, slot.layer, slot.param.shape, shape)
                        wrong.setdefault(slot.param.name, mismatch)
        except DAMAGED:
            return {}, ()
        return places, tuple(row for name, row in wrong.items() if name not in places)


def _place(dataset: h5py.Dataset, base: int) -> _Place:
    dtype = dtype_of(dataset) if dataset.dtype.kind == "V" else dataset.dtype.str
    offset = dataset.id.get_offset()
    path = tuple(part for part in dataset.name.split("/") if part)
    return _Place(path, dataset.shape, dtype, None if offset is None else base + offset)


_Found = Iterator[tuple[Slot, h5py.Dataset | None]]


def _by_number(file: h5py.File, rows: Sequence[Slot]) -> _Found:
    """Where ``model.weights.h5`` holds each slot; a layer of which it holds nothing is left out."""
    for slot in rows:
        holder = _group(file, slot.group)
        if holder is None or "vars" not in holder:
            continue
        variables = hard(holder, "vars")
        if not isinstance(variables, h5py.Group) or not len(variables):
            continue
        found = _dataset(variables, [str(slot.index)])
        if slot.certain or (found is not None and _fits(found.shape, slot.param.shape)):
            yield slot, found


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
            yield slot, found[index] if index < len(found) else None


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


def _numbers(values: Array, dtype: str) -> Array | None:
    """The values; bfloat16, which HDF5 keeps as two opaque bytes, is the upper half of a float32."""
    if dtype == "bfloat16" and values.dtype.itemsize == 2:
        return (values.view("<u2").astype("<u4") << 16).view("<f4")
    return values if values.dtype.kind in "fiub" else None
