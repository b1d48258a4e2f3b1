"""Copying parts of HDF5 files as they are, and writing new tensors in pieces."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import h5py

from archlint.errors import PatchError
from archlint.formats.keras.write.change import Recipe
from archlint.formats.keras.write.source import Source
from archlint.formats.stretch import Stretch
from archlint.graph import Param

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
else:
    Array = object

PIECE_BYTES = 2**24
"""How much of a tensor is written at once."""

ATTRIBUTE_BYTES = 64512
"""Longest list of names that Keras puts in one attribute (HDF5_OBJECT_HEADER_LIMIT)."""


def copy_member(
    source: h5py.Group, name: str, target: h5py.Group, new: str, large: Source | None = None
) -> None:
    """Copies a group or tensor with all that is in it and said of it; a link stays a link.

    With the file as ``large`` its large tensors only get their room, and become stretches to be copied.
    """
    link = source.get(name, getlink=True)
    if new in target:
        raise PatchError(f"the weights would hold '{new}' twice")
    if not isinstance(link, h5py.HardLink):
        target[new] = link
        return
    held = source[name]
    first = large.first_of(held) if large is not None and isinstance(held, h5py.Dataset) else None
    if large is not None and first is not None:
        made = _room(target, new, held.id.get_type(), held.shape)
        copy_attributes(held, made)
        large.stretches.append(Stretch(large.path, first, made.id.get_offset(), held.nbytes))
    elif large is not None and isinstance(held, h5py.Group) and _once(held):
        group = h5py.Group(h5py.h5g.create(target.id, new.encode(), gcpl=held.id.get_create_plist()))
        copy_attributes(held, group)
        for inner in held:
            copy_member(held, inner, group, inner, large)
    else:
        h5py.h5o.copy(source.id, name.encode(), target.id, new.encode())


def _once(group: h5py.Group) -> bool:
    """Whether nothing in a group has a second name, which copying it member by member would make a copy."""
    links = [name for name in group if isinstance(group.get(name, getlink=True), h5py.HardLink)]
    return all(h5py.h5o.get_info(group.id, name.encode()).rc == 1 for name in links)


def _room(target: h5py.Group, name: str, type_: h5py.h5t.TypeID, shape: Sequence[int]) -> h5py.Dataset:
    """A tensor whose place in the file is fixed and whose contents are not written."""
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_layout(h5py.h5d.CONTIGUOUS)
    settings.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    settings.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    space = h5py.h5s.create_simple(tuple(shape))
    return h5py.Dataset(h5py.h5d.create(target.id, name.encode(), type_, space, settings))


def copy_attributes(
    source: h5py.Group | h5py.Dataset, target: h5py.Group | h5py.Dataset, without: Sequence[str] = ()
) -> None:
    """Copies what is said of a group or tensor, byte for byte."""
    for name in source.attrs:
        if name not in without:
            stored = source.attrs.get_id(name)
            target.attrs.create(name, source.attrs[name], shape=stored.shape, dtype=stored.dtype)


def write_param(source: Source, param: Param, recipe: Recipe | None, target: h5py.Group, name: str) -> None:
    """Writes a param: the stored tensor as it is, or the one that an edit makes."""
    if recipe is None:
        held = source.dataset(param)
        copy_member(held.parent, held.name.rpartition("/")[2], target, name, source)
        return
    values = source.made(recipe)
    if tuple(values.shape) != param.shape:
        raise PatchError(f"'{param.name}' was computed as {tuple(values.shape)}, not {param.shape}")
    first = _stored_at(source, values, param)
    if first is None:
        _write(values, param, target, name)
        return
    made = _room(target, name, h5py.h5t.py_create(values.dtype), values.shape)
    source.stretches.append(Stretch(source.path, first, made.id.get_offset(), values.nbytes))


def _stored_at(source: Source, values: Array, param: Param) -> int | None:
    """The byte of the original where a made tensor lies as it is, such as one that is only reshaped."""
    import numpy as np

    root = values
    while isinstance(root.base, np.ndarray):
        root = root.base
    same = values.flags.c_contiguous and values.dtype.name == param.dtype
    if not isinstance(root, np.memmap) or not same or str(root.filename) != os.path.abspath(source.path):
        return None
    return int(root.offset + values.ctypes.data - root.ctypes.data)


def _write(values: Array, param: Param, target: h5py.Group, name: str) -> None:
    import numpy as np

    if param.dtype == "bfloat16":
        bits = np.ascontiguousarray(values, "<f4").view("<u4")
        rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
        made = target.create_dataset(name, data=rounded.view("V2"))
        made.attrs["dtype"] = "bfloat16"
        return
    dataset = target.create_dataset(name, values.shape, param.dtype)
    if values.ndim == 0:
        dataset[()] = values
        return
    whole = dataset.dtype.itemsize * max(1, values.size // max(1, values.shape[0]))
    rows = max(1, PIECE_BYTES // whole)
    for first in range(0, values.shape[0], rows):
        if whole > 2 * PIECE_BYTES and values.ndim > 1:
            for row in range(first, min(first + rows, values.shape[0])):
                _write_row(dataset, values, row)
        else:
            dataset[first : first + rows] = values[first : first + rows]
        _release(values)


def _write_row(dataset: h5py.Dataset, values: Array, row: int) -> None:
    whole = dataset.dtype.itemsize * max(1, values[row].size // max(1, values.shape[1]))
    rows = max(1, PIECE_BYTES // whole)
    for first in range(0, values.shape[1], rows):
        dataset[row, first : first + rows] = values[row, first : first + rows]
        _release(values)


def _release(values: Array) -> None:
    """Gives back the memory of the mapped file behind an array."""
    base: Any = values
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    if base is not None and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


def write_names(group: h5py.Group, key: str, names: Sequence[str]) -> None:
    """A list of names as an attribute, split as Keras splits it when it is long."""
    import numpy as np

    encoded = np.array([name.encode() for name in names], dtype="S") if names else np.array([], "S1")
    parts = [encoded]
    while max(part.nbytes for part in parts) > ATTRIBUTE_BYTES:
        parts = np.array_split(encoded, len(parts) + 1)
    for index, part in enumerate(parts):
        group.attrs[f"{key}{index}" if len(parts) > 1 else key] = part
