"""Where every field of an ONNX file lies, so that what is not changed can be copied as it is."""

from __future__ import annotations

from collections.abc import Iterator

from archlint.dataclass import dataclass
from archlint.errors import PatchError
from archlint.formats.onnx.decode import model
from archlint.formats.onnx.records import RawModel
from archlint.formats.onnx.wire import BYTES, FIXED32, FIXED64, VARINT, File, MalformedError

NODE, INITIALIZER, INPUT, OUTPUT, VALUE_INFO, SPARSE = 1, 5, 11, 12, 13, 15
"""Fields of GraphProto."""

GRAPH = 7
"""Field of ModelProto."""


@dataclass(frozen=True, slots=True)
class Span:
    """One field: its number, its first byte, and where its content lies; it ends with its content."""

    number: int
    start: int
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A file as records and as places.

    ``around`` are the fields of the model but for the graph, which stands before the ``at``-th of them;
    ``graph`` are the fields of the graph; the n-th node is ``raw.graph.nodes[n]``, and so on.
    """

    raw: RawModel
    source: File
    around: tuple[Span, ...]
    at: int
    graph: tuple[Span, ...]

    def spans(self, *numbers: int) -> list[Span]:
        """The fields of the graph with one of these numbers, in the order of the file."""
        return [span for span in self.graph if span.number in numbers]

    def content(self, span: Span) -> bytes:
        """The bytes of a small field."""
        return self.source.content(span.first, span.end)


def layout(path: str, source: File) -> Layout:
    """The layout of an open file.

    Raises:
        PatchError: it holds two graphs or is damaged.
    """
    try:
        raw = model(source, 0, source.size)
        fields = list(spans(source, 0, source.size))
        graphs = [at for at, span in enumerate(fields) if span.number == GRAPH]
        if len(graphs) != 1:
            raise PatchError(f"{path}: it holds {len(graphs)} graphs, of which readers take one or join them")
        at = graphs[0]
        inner = tuple(spans(source, fields[at].first, fields[at].end))
    except MalformedError as error:
        raise PatchError(f"{path}: {error.where}: {error.what}") from error
    return Layout(raw, source, (*fields[:at], *fields[at + 1 :]), at, inner)


def spans(source: File, start: int, end: int) -> Iterator[Span]:
    """The fields of the message at ``start..end``, which must be well formed."""
    at = start
    while at < end:
        head = source.content(at, min(at + 20, end))
        tag, used = _varint(head, 0)
        kind = tag & 7
        first = at + used
        if kind == VARINT:
            stop = at + _varint(head, used)[1]
        elif kind == BYTES:
            size, used = _varint(head, used)
            first = at + used
            stop = first + size
        else:
            stop = first + {FIXED32: 4, FIXED64: 8}[kind]
        yield Span(tag >> 3, at, first, stop)
        at = stop


def varint(value: int) -> bytes:
    """A number as protobuf writes it."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)


def header(number: int, size: int) -> bytes:
    """What stands in front of a content of ``size`` bytes."""
    return varint(number << 3 | BYTES) + varint(size)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
