"""Reading an HDF5 file: attributes of its root, and the headers of tensors. Links are never followed."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Mapping

import h5py

from archlint.errors import ReadError
from archlint.formats.base import MAX_TEXT_BYTES

WANTED = ("model_config", "training_config", "keras_version", "backend")


class Part(io.RawIOBase):
    """A range of a file, or all of it, as a file of its own, read-only.

    HDF5 never returns from a global heap with an object that takes no room (1.14.6, what h5py 3.14 has), and
    nothing can stop it then; so a heap is looked at before the library gets it.
    """

    def __init__(self, file: io.BufferedReader, start: int = 0, size: int | None = None) -> None:
        self._file, self._start, self._at = file, start, 0
        self._size = os.fstat(file.fileno()).st_size - start if size is None else size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        base = {0: 0, 1: self._at, 2: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # h5py hands over a memoryview
        count = max(0, min(len(buffer), self._size - self._at))
        data = self._bytes(self._at, count)
        found = data.find(HEAP)
        while found >= 0:
            self._refuse_endless(self._at + found)
            found = data.find(HEAP, found + 1)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _bytes(self, offset: int, count: int) -> bytes:
        self._file.seek(self._start + offset)
        return self._file.read(count)

    def _refuse_endless(self, offset: int) -> None:
        """Walks the objects of a global heap: index, count of uses, reserved, size; then the object.

        Source: HDF5 File Format Specification 3.0, III.E "Disk Format: Level 1E - Global Heap".
        """
        size = struct.unpack("<Q", self._bytes(offset + 8, 8).ljust(8, b"\0"))[0]
        heap = self._bytes(offset, min(size, MAX_TEXT_BYTES, max(0, self._size - offset)))
        at = _HEAP_HEADER
        while at + _OBJECT_HEADER <= len(heap):
            index, _, length = struct.unpack_from("<HHxxxxQ", heap, at)
            step = _OBJECT_HEADER + (length + 7) // 8 * 8 if index else length
            if step == 0:
                raise OSError("an object of the global heap takes no room")
            at += step


HEAP = b"GCOL"
_HEAP_HEADER = _OBJECT_HEADER = 16


def attributes(path: str) -> Mapping[str, bytes]:
    """The texts that Keras keeps as attributes of the root group; an absent one is left out."""
    try:
        with open(path, "rb") as whole, h5py.File(Part(whole), "r") as file:
            return {name: text for name in WANTED if (text := _attribute(path, file, name)) is not None}
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as e:
        raise ReadError(path, "", f"the HDF5 file is damaged or cut short: {str(e)[:120]}") from e


def _attribute(path: str, file: h5py.File, name: str) -> bytes | None:
    key = name.encode()
    if not h5py.h5a.exists(file.id, key):
        return None
    stored = h5py.h5a.open(file.id, key)
    if stored.get_storage_size() > MAX_TEXT_BYTES or len(stored.shape) > 1:
        raise ReadError(path, name, f"the attribute is larger than {MAX_TEXT_BYTES} bytes or not a text")
    value = file.attrs[name]
    if hasattr(value, "tobytes") and getattr(value, "dtype", None) is not None and value.dtype.kind == "S":
        value = value.tobytes().rstrip(b"\0")
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    if not isinstance(value, bytes):
        raise ReadError(path, name, "the attribute is not a text")
    return value
