"""Params of layers that archlint does not know: names, shapes and element types from the weights file.

Only the headers of ``model.weights.h5`` are read, in place inside the stored zip, and only when a model
holds such a layer. Links are never followed and no value is read.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import h5py

from archlint.formats.keras.hdf5 import Part
from archlint.graph import Param

WEIGHTS = "model.weights.h5"
MAX_TENSORS = 4096
"""Most tensors that one layer may hold; the rest of a damaged or hostile file is not walked."""

MAX_GROUP_DEPTH = 24


def params_of(
    path: str, format_: str, group: Sequence[str], address: Sequence[str], trainable: bool
) -> tuple[Param, ...]:
    """Params of the layer at this place in the weights file; none when the file does not hold them.

    ``group`` is the group path that Keras 3 gives a layer, ``("layers", "my_layer_1")``; ``address`` the
    names that lead to it, by the first of which a ``.h5`` keeps its weights.
    """
    prefix = "/".join(address)
    if format_ == "keras-h5":
        group, address = ("model_weights", address[0]), address[1:]
    else:
        address = ()
    try:
        return _open(path, format_, group, address, prefix, trainable)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, struct.error, zipfile.BadZipFile):
        return ()  # a damaged weights file takes nothing from what the architecture says


def _open(
    path: str, format_: str, group: Sequence[str], within: Sequence[str], prefix: str, trainable: bool
) -> tuple[Param, ...]:
    with opened(path, format_) as file:
        return () if file is None else tuple(_params(file, group, within, prefix, trainable))


@contextmanager
def opened(path: str, format_: str) -> Iterator[h5py.File | None]:
    """The HDF5 file that holds a model's weights, open for reading; None when there is none.

    In a ``.keras`` it is read in place inside the zip, which stores it without packing it.
    """
    if format_ in ("keras-folder", "keras-h5"):
        inside = format_ == "keras-folder"
        name = os.path.join(path, WEIGHTS) if inside else path
        if not stat.S_ISREG((os.lstat(name) if inside else os.stat(name)).st_mode):
            yield None
            return
        with open(name, "rb") as whole, h5py.File(Part(whole), "r") as file:
            yield file
        return
    with open(path, "rb") as whole, zipfile.ZipFile(whole) as archive:
        found = _member(whole, archive)
        if found is None:
            yield None
            return
        with h5py.File(Part(whole, *found), "r") as file:
            yield file


def first_byte(path: str, format_: str) -> int:
    """Where the HDF5 file of ``opened`` begins: its place in the zip, else 0."""
    if format_ != "keras":
        return 0
    with open(path, "rb") as whole, zipfile.ZipFile(whole) as archive:
        found = _member(whole, archive)
    return found[0] if found else 0


def _member(whole: io.BufferedReader, archive: zipfile.ZipFile) -> tuple[int, int] | None:
    """First byte and size of the weights in a zip; None when they are not stored as they are."""
    info = archive.getinfo(WEIGHTS) if archive.namelist().count(WEIGHTS) == 1 else None
    if info is None or info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1:
        return None
    whole.seek(info.header_offset + 26)
    lengths = struct.unpack("<HH", whole.read(4))
    return info.header_offset + 30 + sum(lengths), info.file_size


def _params(
    file: h5py.File, path: Sequence[str], within: Sequence[str], prefix: str, trainable: bool
) -> Iterator[Param]:
    """What lies under a path; of that, only what has the last of ``within`` among the groups on its way."""
    group: h5py.Group = file
    for name in path:
        found = hard(group, name)
        if not isinstance(found, h5py.Group):
            return
        group = found
    for count, (role, dataset) in enumerate(_datasets(group, "", 0)):
        if count >= MAX_TENSORS:
            return
        if not within or within[-1] in role.split("/")[:-1]:
            yield Param(f"{prefix}/{role}", role, tuple(dataset.shape), dtype_of(dataset), trainable)


def hard(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset | None:
    """A member that stands in this very file; None for links, and for tensors stored or mapped elsewhere."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        return None
    found = group[name]
    if isinstance(found, h5py.Dataset) and (found.is_virtual or found.external):
        return None
    return found


def _datasets(group: h5py.Group, path: str, depth: int) -> Iterator[tuple[str, h5py.Dataset]]:
    if depth > MAX_GROUP_DEPTH:
        return
    for name in sorted(group):
        found = hard(group, name)
        here = f"{path}/{name}" if path else name
        if isinstance(found, h5py.Dataset) and found.shape is not None:
            yield here.replace("vars/", "variable_"), found
        elif isinstance(found, h5py.Group):
            yield from _datasets(found, here, depth + 1)


def dtype_of(dataset: h5py.Dataset) -> str:
    stated = dataset.attrs.get("dtype") if dataset.dtype.kind == "V" else None
    return stated if isinstance(stated, str) else dataset.dtype.name
