"""A zip whose members are stored as they are, one of which is written in place by a library of its own."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO

from archlint.dataclass import dataclass
from archlint.formats.keras.write.crc import joined, middle
from archlint.formats.stretch import BLOCK_BYTES, Stretch, blocks, carry

_LARGE = 2**30
"""A member that was larger gets a header with room for sizes from 2 GiB up."""


class Range(io.RawIOBase):
    """The end of a file from some byte on, as a file of its own, to read and to write."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._file, self.start, self._at, self.size = file, start, 0, 0

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
        self._file.truncate(self.start + self.size)
        return self.size

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # h5py hands over a memoryview
        count = max(0, min(len(buffer), self.size - self._at))
        self._file.seek(self.start + self._at)
        data = self._file.read(count)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def write(self, data: memoryview) -> int:  # type: ignore[override]  # h5py hands over a memoryview
        self._file.seek(self.start + self._at)
        count = self._file.write(data)
        self._at += count
        self.size = max(self.size, self._at)
        return count


class Archive:
    """A zip that is being written to an open file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)

    def put(self, like: zipfile.ZipInfo, data: bytes) -> None:
        """Adds a small member, dated as the one it takes the place of."""
        self._zip.writestr(_info(like), data)

    def copy(self, source: zipfile.ZipFile, like: zipfile.ZipInfo) -> None:
        """Adds a member of another zip with the same contents."""
        with source.open(like) as held, self._zip.open(_info(like, like.file_size), "w") as target:
            while data := held.read(BLOCK_BYTES):
                target.write(data)

    def grow(self, old: Member, fill: Callable[[Range], Sequence[Stretch]]) -> None:
        """Adds a member that ``fill`` writes at its place in the zip, seeking as it likes.

        What it returns are stretches of the old member that it left room for.
        """
        info = _info(old.info)
        info.header_offset, info.CRC = self._file.tell(), 0
        large = old.info.file_size > _LARGE
        self._file.write(info.FileHeader(zip64=large))
        inside = Range(self._file, self._file.tell())
        stretches = fill(inside)
        self._file.flush()
        carry(stretches, self._file.fileno(), inside.start)
        info.file_size = info.compress_size = inside.size
        info.CRC = old.checksum(self._file.fileno(), inside.start, inside.size, stretches)
        self._file.seek(info.header_offset)
        self._file.write(info.FileHeader(zip64=large))
        self._file.seek(inside.start + inside.size)
        self._zip.filelist.append(info)
        self._zip.NameToInfo[info.filename] = info
        self._zip.start_dir = self._file.tell()

    def close(self) -> None:
        """Writes the directory."""
        self._zip.close()


@dataclass(frozen=True, slots=True)
class Member:
    """A stored member of the zip at ``path``, whose contents begin at byte ``first``."""

    path: str
    info: zipfile.ZipInfo
    first: int

    def checksum(self, out: int, start: int, size: int, stretches: Sequence[Stretch]) -> int:
        """The CRC-32 of a member that holds ``stretches`` of this one, and other bytes between them.

        That of the largest stretch follows from the CRC of this member, and from those of what stands around
        it: if this one is damaged, so is the new one, as any reader will say.
        """
        known: dict[Stretch, int] = {}
        with open(self.path, "rb") as file:
            source = file.fileno()
            largest = max(stretches, key=lambda one: one.size, default=None)
            for one in stretches:
                if one is not largest:
                    known[one] = _crc(source, one.source, one.size)
            if largest is not None:
                before, after = self._around(source, largest, known)
                tail = self.first + self.info.file_size - largest.source - largest.size
                known[largest] = middle(self.info.CRC, before, after, largest.size, tail)
        parts = [(start + one.target, one.size, crc) for one, crc in known.items()]
        return _patched(out, start, start + size, parts)

    def _around(self, source: int, largest: Stretch, known: Mapping[Stretch, int]) -> tuple[int, int]:
        """The CRC of what stands before a stretch in this member, and of what stands behind it."""
        parts = [(one.source, one.size, crc) for one, crc in known.items()]
        end = self.first + self.info.file_size
        before = _patched(source, self.first, largest.source, parts)
        return before, _patched(source, largest.source + largest.size, end, parts)


def _patched(file: int, start: int, end: int, parts: Sequence[tuple[int, int, int]]) -> int:
    """The CRC of the bytes ``start..end`` of a file; ``parts`` are places, sizes and CRCs that are known."""
    found, at = 0, start
    for place, size, crc in sorted(parts):
        if at <= place and place + size <= end:
            found = joined(_crc(file, at, place - at, found), crc, size)
            at = place + size
    return _crc(file, at, end - at, found)


def _crc(file: int, start: int, size: int, before: int = 0) -> int:
    for block in blocks(file, start, size):
        before = zlib.crc32(block, before)
    return before


def _info(like: zipfile.ZipInfo, size: int = 0) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(like.filename, like.date_time)
    made.external_attr, made.comment, made.file_size = like.external_attr, like.comment, size
    made.create_system = like.create_system
    return made
