"""A file to be written as a list of pieces, most of them stretches of the original that are only copied."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO

from archlint.dataclass import dataclass
from archlint.errors import PatchError
from archlint.formats.onnx.write.layout import Span, header

CHUNK_BYTES = 1 << 23
"""Copied at a time where the system cannot copy by itself."""


@dataclass(frozen=True, slots=True)
class Copied:
    """The bytes ``start..end`` of the original."""

    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes that are new."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)


@dataclass(frozen=True, slots=True)
class Streamed:
    """``size`` new bytes that are made while they are written."""

    size: int
    write: Callable[[BinaryIO], None]


Piece = Copied | Written | Streamed


def whole(span: Span) -> Copied:
    """A field with what stands in front of it."""
    return Copied(span.start, span.end)


def field(number: int, content: Sequence[Piece]) -> list[Piece]:
    """A field with a content of pieces."""
    return [Written(header(number, sum(piece.size for piece in content))), *content]


def write_pieces(pieces: Iterable[Piece], source: int, out: BinaryIO) -> None:
    """Writes the pieces in order; ``source`` is the descriptor of the original."""
    start = end = 0
    for piece in pieces:
        if isinstance(piece, Copied) and piece.start == end:
            end = piece.end
            continue
        copy_range(source, start, end, out)
        start = end = 0
        match piece:
            case Copied():
                start, end = piece.start, piece.end
            case Written():
                out.write(piece.data)
            case Streamed():
                before = out.tell()
                piece.write(out)
                assert out.tell() - before == piece.size, "a tensor has another size than was announced"
    copy_range(source, start, end, out)


def copy_range(source: int, start: int, end: int, out: BinaryIO) -> None:
    """Copies the bytes ``start..end`` of a file to the end of ``out``, in the system where it can."""
    if end - start < CHUNK_BYTES:
        _copy_in_chunks(source, start, end, out)
        return
    out.flush()
    while start < end:
        try:
            count = os.copy_file_range(source, out.fileno(), end - start, start)
        except (OSError, AttributeError):
            count = 0
        if count == 0:
            break
        start += count
    out.seek(0, os.SEEK_END)
    _copy_in_chunks(source, start, end, out)


def _copy_in_chunks(source: int, start: int, end: int, out: BinaryIO) -> None:
    while start < end:
        data = os.pread(source, min(CHUNK_BYTES, end - start), start)
        if not data:
            raise PatchError("the original became shorter while it was copied")
        out.write(data)
        start += len(data)
