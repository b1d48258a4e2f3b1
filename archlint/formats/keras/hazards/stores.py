"""The HDF5 files of a model: the ``.h5`` itself, or the weights in an archive or a folder."""

from __future__ import annotations

import os
import re
import stat
import struct
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack

from archlint.dataclass import dataclass
from archlint.formats.base import ModelFile, foreign_kind
from archlint.formats.keras.hazards.config import shown
from archlint.formats.keras.hazards.ordinary import SIGNATURE, Store, end_of, is_ordinary
from archlint.graph import Attr, Hazard

_WEIGHTS = re.compile(r"(.*/)?[^/]*\.(h5|hdf5)", re.IGNORECASE)
_MAX_STORES = 256


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an HDF5 file lies: a file of the system, a range of it, and what to call it."""

    path: str
    start: int
    size: int
    name: str


def store_hazards(file: ModelFile) -> Iterator[Hazard]:
    """The hazards of every HDF5 file of a model, and of what could not be looked at."""
    try:
        for place in _places(file):
            yield from [place] if isinstance(place, Hazard) else _judged(place)
    except zipfile.BadZipFile:
        return  # a damaged archive is a row of its own: the reader says what is wrong with it
    except (OSError, ValueError, RuntimeError, NotImplementedError, struct.error):
        yield _unsearched("", "they cannot be read")


def _places(file: ModelFile) -> Iterator[_Place | Hazard]:
    if file.format == "keras-h5":
        yield _Place(file.path, 0, os.path.getsize(file.path), "")
    elif file.format == "keras-folder":
        yield from _in_folder(file.path)
    else:
        yield from _in_archive(file.path)


def _in_folder(folder: str) -> Iterator[_Place | Hazard]:
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if _WEIGHTS.fullmatch(name):
            info = os.lstat(path)
            if stat.S_ISREG(info.st_mode):
                yield _Place(path, 0, info.st_size, name)
            else:
                yield _unsearched(name, "it is not a regular file")


def _in_archive(path: str) -> Iterator[_Place | Hazard]:
    with ExitStack() as stack:
        archive = stack.enter_context(zipfile.ZipFile(path))
        whole = stack.enter_context(open(path, "rb", buffering=0))
        members = [info for info in archive.infolist() if _WEIGHTS.fullmatch(info.filename)]
        for at, info in enumerate(members):
            if at == _MAX_STORES:
                yield _unsearched(shown(info.filename), f"it is one of {len(members)}")
                return
            if info.flag_bits & 0x1 or info.compress_type != zipfile.ZIP_STORED:
                how = "it is encrypted" if info.flag_bits & 0x1 else "it is compressed inside the archive"
                yield _unsearched(shown(info.filename), how)
                continue
            whole.seek(info.header_offset + 26)
            start = info.header_offset + 30 + sum(struct.unpack("<HH", whole.read(4)))
            yield _Place(path, start, info.file_size, shown(info.filename))


def _judged(place: _Place) -> Iterator[Hazard]:
    """Nothing for an ordinary file; else what h5py finds in it, and that it could not be searched."""
    with open(place.path, "rb", buffering=0) as file:

        def piece(at: int, size: int) -> bytes:
            if at < 0 or at >= place.size or size <= 0:
                return b""
            return os.pread(file.fileno(), min(size, place.size - at), place.start + at)

        store = Store(piece, place.size)
        user_block = place.size > 0 and not piece(0, 8).startswith(SIGNATURE)
        end = end_of(store)
        if is_ordinary(store):
            yield from _outside(store, place, end)
            return
    from archlint.formats.keras.hazards.links import link_hazards  # h5py costs 60 ms to import

    yield from link_hazards(place.path, place.start, place.size, place.name)
    yield from _outside(store_of(place), place, end)
    if user_block and place.name == "":
        how = foreign_kind(_head(place)) or "bytes of no known kind"
        yield Hazard("foreign-payload", "before the HDF5 data", {"subject": "the user block", "how": how})


def store_of(place: _Place) -> Store:
    """A store that opens its file for each piece; for the few pieces that are wanted of an unusual file."""

    def piece(at: int, size: int) -> bytes:
        with open(place.path, "rb") as file:
            file.seek(place.start + at)
            return file.read(max(0, min(size, place.size - at)))

    return Store(piece, place.size)


def _head(place: _Place) -> bytes:
    return store_of(place).piece(0, 8)


def _outside(store: Store, place: _Place, end: int | None) -> Iterator[Hazard]:
    """Bytes behind what the file says is its end."""
    if end is None or not 0 < end < store.size:
        return
    head = store.piece(end, 8)
    if head.strip(b"\0"):
        how = foreign_kind(head) or "bytes of no known kind"
        where = f"{place.name}: " * bool(place.name) + "after the end of the HDF5 data"
        attrs: dict[str, Attr] = {"subject": place.name or "the file", "how": how, "stated": store.size - end}
        yield Hazard("foreign-payload", where, attrs)


def _unsearched(name: str, how: str) -> Hazard:
    return Hazard("unsearched", name, {"subject": name or "the file", "how": how})
