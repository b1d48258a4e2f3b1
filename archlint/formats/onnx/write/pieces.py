"""A file to be written as a list of pieces, most of them stretches of the original that are only copied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO

from archlint.dataclass import dataclass
from archlint.formats.onnx.write.layout import Span, header
from archlint.formats.stretch import copy_between


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
    """Copies the bytes ``start..end`` of a file to the end of ``out``."""
    if start == end:
        return
    out.flush()
    target = out.tell()
    copy_between(source, start, out.fileno(), target, end - start)
    out.seek(target + end - start)
