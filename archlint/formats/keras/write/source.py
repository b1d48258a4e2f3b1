"""The tensors of the original file: where each param lies, and its contents without a copy where possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from math import prod
from typing import TYPE_CHECKING, Any

import h5py

from archlint.dataclass import dataclass
from archlint.errors import PatchError
from archlint.formats.base import ModelFile
from archlint.formats.keras.places import Slot
from archlint.formats.keras.weights import dtype_of, hard
from archlint.formats.keras.write.change import Recipe
from archlint.formats.stretch import Stretch
from archlint.graph import Param

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
else:
    Array = object

OLDER = {"layers": ("layers", "_layer_checkpoint_dependencies", "_layers")}
"""Group → what versions of Keras call it (variables.py)."""

VIEW_BYTES = 2**20
"""Tensors from this size up are mapped into memory, not read."""


@dataclass(frozen=True, slots=True)
class Source:
    """The original's weights, open. ``first_byte`` is where the HDF5 file begins in ``path``.

    ``stretches`` are contents that still have to be copied once HDF5 has written the new file, which has
    room for them.
    """

    path: str
    file: h5py.File
    first_byte: int
    places: Mapping[str, tuple[str, ...]]
    stretches: list[Stretch] = field(default_factory=list)

    def first_of(self, dataset: h5py.Dataset) -> int | None:
        """The byte of the file where the contents of a large tensor begin.

        None if it is small, or if its contents are not one stretch of bytes.
        """
        offset = dataset.id.get_offset()
        size = dataset.id.get_storage_size()
        plain = dataset.dtype.kind in "fiub" or dataset.dtype.str == "|V2"
        if offset is None or size < VIEW_BYTES or size != dataset.nbytes or not plain:
            return None
        return self.first_byte + int(offset)

    def dataset(self, param: Param) -> h5py.Dataset:
        """The stored tensor of a param.

        Raises:
            PatchError: the file holds none, or one of another shape.
        """
        found = member(self.file, self.places.get(param.name, ("",)))
        if not isinstance(found, h5py.Dataset) or found.shape != param.shape:
            raise PatchError(f"the contents of '{param.name}' cannot be found in the file")
        return found

    def contents(self, param: Param) -> Array:
        """The numbers of a param; bfloat16 as float32."""
        import numpy as np

        dataset = self.dataset(param)
        if dtype_of(dataset) == "bfloat16":
            halves: Array = dataset[()].view("<u2").astype("<u4") << 16
            return halves.view("<f4")
        offset = dataset.id.get_offset()
        if dataset.dtype.kind not in "fiub":
            raise PatchError(f"'{param.name}' holds {dtype_of(dataset)}, which is not computed with")
        if offset is None or prod(dataset.shape) * dataset.dtype.itemsize < VIEW_BYTES:
            found: Array = dataset[()]
            return found
        start = self.first_byte + offset
        mapped: Array = np.memmap(self.path, dataset.dtype, "r", start, dataset.shape)
        return mapped

    def made(self, recipe: Recipe) -> Array:
        """The contents of a tensor that an edit makes."""
        import numpy as np

        given = [self.made(one) if isinstance(one, Recipe) else self.contents(one) for one in recipe.sources]
        made: Array = np.asanyarray(recipe.made.compute(*given))
        return made


def member(group: h5py.Group, path: Sequence[str]) -> h5py.Group | h5py.Dataset | None:
    """What stands at a path in this very file; links are not followed."""
    found: h5py.Group | h5py.Dataset | None = group
    for name in path:
        if not isinstance(found, h5py.Group):
            return None
        here = next((one for one in (*OLDER.get(name, (name,)), f"_{name}") if one in found), None)
        found = None if here is None else hard(found, here)
    return found


def numbered(slots: Sequence[Slot]) -> dict[str, tuple[str, ...]]:
    """Param → its path in ``model.weights.h5``."""
    return {slot.param.name: (*slot.group, "vars", str(slot.index)) for slot in slots}


def listed(file: h5py.File, slots: Sequence[Slot]) -> dict[str, tuple[str, ...]]:
    """Param → its path in a ``.h5``: a list per top layer, trainable ones first."""
    found: dict[str, tuple[str, ...]] = {}
    by_top: dict[str, list[Slot]] = {}
    for slot in slots:
        if all(slot.param.name != other.param.name for other in by_top.get(slot.top, ())):
            by_top.setdefault(slot.top, []).append(slot)
    for top, rows in by_top.items():
        holder = member(file, ("model_weights", top))
        names = names_in(holder, "weight_names") if isinstance(holder, h5py.Group) else []
        if len(names) == len(rows):
            ordered = sorted(rows, key=lambda slot: not slot.param.trainable)
            for slot, name in zip(ordered, names, strict=True):
                found[slot.param.name] = ("model_weights", top, *[p for p in name.split("/") if p])
    return found


def names_in(group: h5py.Group, key: str) -> list[str]:
    """A list of names in an attribute; Keras splits a long one in ``key0``, ``key1``, …"""
    keys = [key] if key in group.attrs else []
    while not keys or keys[-1] != key:
        following = f"{key}{len(keys)}"
        if following not in group.attrs:
            break
        keys.append(following)
    items = [item for one in keys for item in group.attrs[one]]
    return [item.decode("utf-8") if isinstance(item, bytes) else str(item) for item in items]


def open_source(model: ModelFile, file: h5py.File, first_byte: int, slots: Sequence[Slot]) -> Source:
    """The original's weights with the place of each param."""
    import os

    from archlint.formats.keras.weights import WEIGHTS

    path = os.path.join(model.path, WEIGHTS) if model.format == "keras-folder" else model.path
    places = listed(file, slots) if model.format == "keras-h5" else numbered(slots)
    return Source(path, file, first_byte, places)
