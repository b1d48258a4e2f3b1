"""Stretches of files that are copied as they are, in the system where it can."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from archlint.dataclass import dataclass
from archlint.errors import PatchError

BLOCK_BYTES = 1 << 18
"""Read at a time: stays in the processor's cache, where 4 MB took twice as long (measured)."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """``size`` bytes from byte ``source`` on of the file at ``path``, which go to byte ``target``."""

    path: str
    source: int
    target: int
    size: int


def carry(stretches: Iterable[Stretch], out: int, first: int = 0) -> None:
    """Copies stretches to their places in the file that begins at byte ``first`` of a descriptor."""
    for one in stretches:
        descriptor = os.open(one.path, os.O_RDONLY)
        try:
            copy_between(descriptor, one.source, out, first + one.target, one.size)
        finally:
            os.close(descriptor)


def copy_between(source: int, start: int, out: int, target: int, size: int) -> None:
    """Copies bytes from one descriptor to another, each at a place of its own.

    Raises: PatchError: the source has fewer.
    """
    done = 0
    while done < size:
        try:
            count = os.copy_file_range(source, out, size - done, start + done, target + done)
        except (OSError, AttributeError):
            break
        if count == 0:
            break
        done += count
    for block in blocks(source, start + done, size - done):
        view = block
        while view:
            count = _write(out, view, target + done)
            view, done = view[count:], done + count


def blocks(source: int, start: int, size: int) -> Iterator[memoryview]:
    """The bytes of a stretch, a block at a time; each stands until the next is asked for.

    Raises: PatchError: there are fewer.
    """
    buffer = memoryview(bytearray(min(BLOCK_BYTES, max(size, 1))))
    end = start + size
    while start < end:
        count = _read(source, buffer[: min(len(buffer), end - start)], start)
        if count == 0:
            raise PatchError("the original became shorter while it was copied")
        yield buffer[:count]
        start += count


def _write(out: int, data: memoryview, target: int) -> int:
    if hasattr(os, "pwrite"):
        return os.pwrite(out, data, target)
    os.lseek(out, target, os.SEEK_SET)
    return os.write(out, data)


def _read(source: int, buffer: memoryview, start: int) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(source, [buffer], start)
    os.lseek(source, start, os.SEEK_SET)
    data = os.read(source, len(buffer))
    buffer[: len(data)] = data
    return len(data)
