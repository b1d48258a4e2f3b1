"""A zip whose members are stored as they are, one of which is written in place by a library of its own."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import BinaryIO, cast

PIECE_BYTES = 2**22

_LARGE = 2**30
"""A member that was larger gets a header with room for sizes from 2 GiB up."""


class Range(io.RawIOBase):
    """The end of a file from some byte on, as a file of its own, to read and to write."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._file, self._start, self._at, self.size = file, start, 0, 0

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, {0: 0, 1: self._at, 2: self.size}[whence] + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def truncate(self, size: int | None = None) -> int:
        self.size = self._at if size is None else size
        self._file.truncate(self._start + self.size)
        return self.size

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # h5py hands over a memoryview
        count = max(0, min(len(buffer), self.size - self._at))
        self._file.seek(self._start + self._at)
        data = self._file.read(count)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def write(self, data: memoryview) -> int:  # type: ignore[override]  # h5py hands over a memoryview
        self._file.seek(self._start + self._at)
        count = self._file.write(data)
        self._at += count
        self.size = max(self.size, self._at)
        return count


class _Under:
    """The file below a zip; while ``passes`` is set, what is written stands there and is only passed over."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.passes = False
        self.seek, self.tell, self.read, self.flush = file.seek, file.tell, file.read, file.flush
        self.seekable, self.close, self.truncate = file.seekable, file.close, file.truncate

    def write(self, data: bytes) -> int:
        """Writes, or passes over as many bytes."""
        if not self.passes:
            return self._file.write(data)
        self._file.seek(len(data), io.SEEK_CUR)
        return len(data)


class Archive:
    """A zip that is being written to an open file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._under = file, _Under(file)
        self._zip = zipfile.ZipFile(cast(BinaryIO, self._under), "w", zipfile.ZIP_STORED)

    def put(self, like: zipfile.ZipInfo, data: bytes) -> None:
        """Adds a small member, dated as the one it takes the place of."""
        self._zip.writestr(_info(like), data)

    def copy(self, source: zipfile.ZipFile, like: zipfile.ZipInfo) -> None:
        """Adds a member of another zip with the same contents."""
        with source.open(like) as held, self._zip.open(_info(like, like.file_size), "w") as target:
            while data := held.read(PIECE_BYTES):
                target.write(data)

    def grow(self, like: zipfile.ZipInfo, fill: Callable[[Range], None]) -> None:
        """Adds a member that ``fill`` writes at its place in the zip, seeking as it likes."""
        with self._zip.open(_info(like), "w", force_zip64=like.file_size > _LARGE) as member:
            start = self._file.tell()
            inside = Range(self._file, start)
            fill(inside)
            self._under.passes = True
            at = 0
            while at < inside.size:
                self._file.seek(start + at)
                data = self._file.read(min(PIECE_BYTES, inside.size - at))
                self._file.seek(start + at)
                member.write(data)
                at += len(data)
            self._under.passes = False

    def close(self) -> None:
        """Writes the directory."""
        self._zip.close()


def _info(like: zipfile.ZipInfo, size: int = 0) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(like.filename, like.date_time)
    made.external_attr, made.comment, made.file_size = like.external_attr, like.comment, size
    made.create_system = like.create_system
    return made
