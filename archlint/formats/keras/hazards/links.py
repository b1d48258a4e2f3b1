"""What an HDF5 file that is not an ordinary one holds: links, storage in other files, tensors out of
proportion.

Used only when ``ordinary`` has not proved that there is nothing to find. Links are read, never followed,
and no
value is read; groups are walked without recursion (h5py's own visit hangs on 5,000 nested ones).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import h5py

from archlint.formats.keras.hazards.config import shown
from archlint.formats.keras.hazards.ordinary import LARGE_BYTES, MAX_OBJECTS
from archlint.formats.keras.hdf5 import Part
from archlint.graph import Hazard

BOMB_RATIO = 1000
"""Stated bytes per stored byte from which a large tensor is a bomb: Keras's bound
(keras/src/saving/saving_lib.py)."""


def link_hazards(path: str, start: int, size: int, name: str) -> Iterator[Hazard]:
    """The hazards of the HDF5 file that lies at ``start`` in a file, called ``name``, and what hid from the
    search."""
    try:
        with open(path, "rb") as whole, h5py.File(Part(whole, start, size), "r") as file:
            yield from _walk(file, name)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError):
        yield Hazard(
            "unsearched", name, {"subject": name or "the file", "how": "its HDF5 structure is damaged"}
        )


def _walk(file: h5py.File, name: str) -> Iterator[Hazard]:
    waiting: list[tuple[str, h5py.Group]] = [("", file)]
    seen = {_address(file)}
    while waiting:
        path, group = waiting.pop()
        if len(group) > MAX_OBJECTS or len(seen) > MAX_OBJECTS:
            how = f"it holds more than {MAX_OBJECTS:,} objects"
            yield Hazard("unsearched", name, {"subject": name or "the file", "how": how})
            return
        for key in group:
            here = f"{path}/{key}" if path else str(key)
            where = shown(f"{name}: {here}" if name else here)
            kind = _link_kind(group, key)
            if kind is None:
                raise KeyError(key)
            if kind:
                yield Hazard("hdf5-outside", where, {"subject": shown(here), "how": kind})
                continue
            found = group[key]
            if _address(found) in seen:
                continue
            seen.add(_address(found))
            if isinstance(found, h5py.Group):
                waiting.append((here, found))
            elif isinstance(found, h5py.Dataset):
                yield from _of_tensor(found, where, shown(here))


def _link_kind(group: h5py.Group, key: str) -> str | None:
    """How a member is no plain one; "" when it is one, None when it is listed and cannot be looked up."""
    link = group.get(key, getlink=True)
    if link is None or isinstance(link, h5py.HardLink):
        return None if link is None else ""
    if isinstance(link, h5py.ExternalLink):
        return "a link into another file"
    return "a soft link" if isinstance(link, h5py.SoftLink) else "a link of an unknown kind"


def _of_tensor(found: h5py.Dataset, where: str, subject: str) -> Iterator[Hazard]:
    plist = found.id.get_create_plist()
    if plist.get_layout() == h5py.h5d.VIRTUAL:
        yield Hazard(
            "hdf5-outside",
            where,
            {"subject": subject, "how": "a virtual tensor, put together from other files"},
        )
    elif plist.get_external_count() > 0:
        yield Hazard(
            "hdf5-outside", where, {"subject": subject, "how": "a tensor whose contents lie in another file"}
        )
    elif found.shape is not None:
        stated, stored = prod(found.shape) * found.dtype.itemsize, found.id.get_storage_size()
        if stated > LARGE_BYTES and stated > BOMB_RATIO * stored:
            attrs = {"subject": subject, "how": "states", "stated": stated, "stored": stored}
            yield Hazard("size-bomb", where, attrs)


def _address(found: h5py.Group | h5py.Dataset | h5py.Datatype) -> tuple[int, int]:
    info = h5py.h5o.get_info(found.id)
    return info.fileno, info.addr
