"""The protobuf wire format, walked over a file so that large contents are jumped over, never read.

A message is a stretch ``start..end`` of a source. ``fields`` gives ``(tag, a, b)`` for each of its fields:
``tag`` is ``number << 3 | wire type``, ``a`` the value of a varint, else ``a..b`` is where the content lies.
Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Protocol

from archlint.formats.base import MAX_NODES, MAX_TEXT_BYTES

LOAD_BYTES = 1 << 15
"""Messages up to this size are taken into memory whole; larger ones are walked in the file."""

MAX_MESSAGES = 2 * MAX_NODES
"""Most nodes, tensors, attributes and declared values in a file, bodies and functions included."""

FIRST_CHUNK = 1 << 9
LAST_CHUNK = 1 << 17

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Field = tuple[int, int, int]


class MalformedError(Exception):
    """The bytes are not what they should be: at which byte, and a sentence. Never leaves the reader."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(what)
        self.where = where
        self.what = what


class Budget:
    """How many messages may still be taken up; each costs some 500 bytes as a record."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_MESSAGES

    def spend(self, at: int) -> None:
        """Counts one message."""
        self.left -= 1
        if self.left < 0:
            raise MalformedError(
                f"byte {at}", f"it holds more than {MAX_MESSAGES} nodes, tensors and attributes"
            )


class Source(Protocol):
    """Bytes that can be walked as protobuf messages."""

    def settle(self, start: int, end: int) -> tuple[Source, int, int]:
        """The same stretch, in memory if it is small."""

    def fields(self, start: int, end: int) -> Iterator[Field]:
        """The fields of the message that lies at ``start..end``."""

    def content(self, start: int, end: int) -> bytes:
        """The bytes at ``start..end``."""


class Memory:
    """A source that is in memory; ``base`` is where its first byte lies in the file."""

    __slots__ = ("base", "budget", "data")

    def __init__(self, data: bytes, base: int, budget: Budget) -> None:
        self.data = data
        self.base = base
        self.budget = budget

    def settle(self, start: int, end: int) -> tuple[Source, int, int]:
        """Itself."""
        self.budget.spend(self.base + start)
        return self, start, end

    def content(self, start: int, end: int) -> bytes:
        """The bytes at ``start..end``."""
        return self.data[start:end]

    def fields(self, start: int, end: int) -> Iterator[Field]:
        """The fields of the message that lies at ``start..end``."""
        data = self.data
        at = start
        while at < end:
            tag = data[at]
            at += 1
            if tag > 127:
                tag, at = self._varint(at - 1, end)
            kind = tag & 7
            if kind == BYTES:
                size = data[at] if at < end else 128
                at += 1
                if size > 127:
                    size, at = self._varint(at - 1, end)
                stop = at + size
            elif kind == VARINT:
                value, at = self._varint(at, end)
                yield tag, value, 0
                continue
            else:
                stop = at + _fixed_size(kind, self.base + at)
            if stop > end or tag < 8:
                raise _overrun(self.base + at, stop - at, end - at)
            yield tag, at, stop
            at = stop

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = shift = 0
        while at < end and shift < 70:
            byte = self.data[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value & 0xFFFFFFFFFFFFFFFF, at
            shift += 7
        raise MalformedError(f"byte {self.base + at}", "a number has no end; the file is damaged or not ONNX")


class File:
    """A file that is read in small pieces, larger ones while reading goes straight on.

    ``bytes_read`` counts what was asked of the system, ``bytes_used`` what was taken as structure.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        self.size = size
        self.bytes_read = 0
        self.bytes_used = 0
        self._budget = Budget()
        self._descriptor = descriptor
        self._chunk = b""
        self._chunk_at = 0
        self._next_chunk = FIRST_CHUNK

    def settle(self, start: int, end: int) -> tuple[Source, int, int]:
        """The same stretch, in memory if it is small."""
        self._budget.spend(start)
        if end - start > LOAD_BYTES:
            return self, start, end
        return Memory(self.content(start, end), start, self._budget), 0, end - start

    def content(self, start: int, end: int) -> bytes:
        """The bytes at ``start..end``; bounded in sum, so that no claim makes memory run out."""
        self.bytes_used += end - start
        if self.bytes_used > MAX_TEXT_BYTES:
            raise MalformedError(f"byte {start}", f"more than {MAX_TEXT_BYTES >> 20} MB that are not weights")
        offset = start - self._chunk_at
        if offset < 0 or end > self._chunk_at + len(self._chunk):
            self._fill(start, end)
            offset = 0
        return self._chunk[offset : offset + end - start]

    def fields(self, start: int, end: int) -> Iterator[Field]:
        """The fields of the message that lies at ``start..end``; contents are jumped over."""
        at = start
        while at < end:
            head = self.content(at, min(at + 20, end))
            walk = Memory(head, at, self._budget)
            tag, used = walk._varint(0, len(head))
            kind = tag & 7
            if kind in (VARINT, BYTES):
                value, used = walk._varint(used, len(head))
            at += used
            if kind == VARINT:
                yield tag, value, 0
                continue
            stop = at + (value if kind == BYTES else _fixed_size(kind, at))
            if stop > end or tag < 8:
                raise _overrun(at, stop - at, end - at)
            yield tag, at, stop
            at = stop

    def _fill(self, start: int, end: int) -> None:
        straight_on = self._chunk_at <= start <= self._chunk_at + len(self._chunk)
        self._next_chunk = min(self._next_chunk * 2, LAST_CHUNK) if straight_on else FIRST_CHUNK
        wanted = min(max(end - start, self._next_chunk), self.size - start)
        pieces = []
        at = start
        while at < start + wanted:
            piece = os.pread(self._descriptor, start + wanted - at, at)
            if not piece:
                break
            pieces.append(piece)
            at += len(piece)
        self._chunk = b"".join(pieces)
        self._chunk_at = start
        self.bytes_read += len(self._chunk)
        if len(self._chunk) < end - start:
            raise MalformedError(
                f"byte {start + len(self._chunk)}", "the file became shorter while it was read"
            )


def _fixed_size(kind: int, at: int) -> int:
    if kind == FIXED32:
        return 4
    if kind == FIXED64:
        return 8
    raise MalformedError(f"byte {at}", "no protobuf field starts here; the file is damaged or not ONNX")


def _overrun(at: int, claimed: int, left: int) -> MalformedError:
    return MalformedError(
        f"byte {at}",
        f"a field claims {claimed} bytes where {left} are left; the file is cut off, damaged or not ONNX",
    )
