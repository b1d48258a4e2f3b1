"""The pieces of a patched file, in the order of the original."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from archlint.dataclass import dataclass
from archlint.errors import PatchError
from archlint.formats.onnx.write.contents import Contents, number_of
from archlint.formats.onnx.write.layout import (
    GRAPH,
    INITIALIZER,
    INPUT,
    NODE,
    SPARSE,
    Layout,
    Span,
    header,
    spans,
)
from archlint.formats.onnx.write.native import Proto
from archlint.formats.onnx.write.pieces import Copied, Piece, Written, field, whole
from archlint.formats.onnx.write.plan import Item, Plan, plan
from archlint.formats.onnx.write.types import Declarations
from archlint.graph import Edit, Graph, Param, Seal, all_of_stored, apply

LARGEST_FILE_BYTES = 2**31 - 1
"""Longest message that protobuf reads, https://protobuf.dev/programming-guides/proto-limits/"""

SMALL_BYTES = 1024
"""New tensors below this size stay in the model file even if others do not, as onnx itself does it."""

_INPUTS_TOO = 4
"""IR version from which an initializer need not be an input as well."""


@dataclass(frozen=True, slots=True)
class Build:
    """What to write: the pieces of the model file, and the new tensors that go to its data file, in order."""

    pieces: Sequence[Piece]
    contents: Contents
    outside: Sequence[str]

    def write_data(self, out: BinaryIO) -> None:
        """Writes the contents of the data file."""
        for name in self.outside:
            self.contents.write(name, out)


Places = Mapping[str, tuple[str, int]]
"""New tensor → data file and offset of its contents."""


def build(path: str, place: Layout, graph: Graph, edits: Sequence[Edit], location: str) -> Build:
    """What to write for a file that was read as ``graph``; ``location`` is the name of a data file to add.

    New tensors go to the data file if the model has others already, or would grow beyond what protobuf reads;
    those that lie in a data file of the model as they are stay there.

    Raises:
        PatchError: it cannot be said in ONNX, or in this opset.
    """
    from archlint.ops import infer

    target = apply(graph, edits)
    before, after = infer(graph), infer(target)
    planned = plan(place.raw, graph, all_of_stored(edits), after)
    contents = Contents(path, place, planned.made)
    sealed = any(isinstance(edit, Seal) for edit in edits)
    types = Declarations(place, planned, graph, target, before, after, sealed)
    declared = dict(types.pieces())
    places = _places(contents, location) if "external_data" in graph.metadata else {}
    pieces = _file(place, planned, contents, declared, places)
    if _size(pieces) > LARGEST_FILE_BYTES:
        places = _places(contents, location)
        pieces = _file(place, planned, contents, declared, places)
    if _size(pieces) > LARGEST_FILE_BYTES:
        raise PatchError("ONNX: the file would be larger than 2 GB; save the model with external data first")
    return Build(pieces, contents, [name for name, (file, _) in places.items() if file == location])


def _size(pieces: Sequence[Piece]) -> int:
    return sum(piece.size for piece in pieces)


def _places(contents: Contents, location: str) -> Places:
    """Where each new tensor that is not small lies: where it is already, or in the data file to add."""
    found: dict[str, tuple[str, int]] = {}
    at = 0
    for name, result in contents.results.items():
        if result.size_bytes < SMALL_BYTES:
            continue
        held = contents.held(name)
        found[name] = held or (location, at)
        at += 0 if held else result.size_bytes
    return found


def _file(
    place: Layout,
    planned: Plan,
    contents: Contents,
    declared: Mapping[Span, list[Piece]],
    places: Places,
) -> list[Piece]:
    graph = list(_old_fields(place, planned, declared))
    for proto in planned.constants:
        graph += field(INITIALIZER, [Written(proto.SerializeToString())])
    for name in contents.results:
        at = places.get(name)
        graph += contents.inline(name) if at is None else contents.outside(name, *at)
    if place.raw.ir_version < _INPUTS_TOO:
        graph += _as_inputs(planned, contents)
    around: list[Piece] = [whole(span) for span in place.around]
    return [*around[: place.at], *field(GRAPH, graph), *around[place.at :]]


def _old_fields(place: Layout, planned: Plan, declared: Mapping[Span, list[Piece]]) -> Iterator[Piece]:
    """The fields of the graph as they stand, all nodes where the first one stood."""
    nodes, tensors = place.spans(NODE), place.spans(INITIALIZER, SPARSE)
    dropped = set(range(len(tensors))) - set(planned.initializers)
    gone = {tensors[at] for at in dropped}
    pending = [piece for item in planned.items for piece in _node(place, nodes, item)]
    for span in place.graph:
        if span.number == NODE:
            yield from pending
            pending = []
        elif span in declared:
            yield from declared[span]
        elif span not in gone:
            yield whole(span)
    yield from pending


def _node(place: Layout, nodes: Sequence[Span], item: Item) -> list[Piece]:
    if item.proto is not None:
        if item.name is not None:
            item.proto.name = item.name
        return field(NODE, [Written(item.proto.SerializeToString())])
    span = nodes[item.at]
    if not item.renamed and item.name is None:
        return [whole(span)]
    return field(NODE, list(_renamed(place, span, item)))


def _renamed(place: Layout, span: Span, item: Item) -> Iterator[Piece]:
    """The fields of a node, with other inputs or another name; all others, known or not, as they are."""
    if item.name is not None:
        yield from field(_NAME, [Written(item.name.encode())])
    for part in spans(place.source, span.first, span.end):
        if part.number == _INPUT:
            old = place.content(part).decode()
            new = item.renamed.get(old, old)
            yield Written(header(_INPUT, len(new.encode())) + new.encode())
        elif part.number != _NAME or item.name is None:
            yield Copied(part.start, part.end)


_INPUT, _NAME = 1, 3
"""Fields of NodeProto."""


def _as_inputs(planned: Plan, contents: Contents) -> list[Piece]:
    """Declarations of the new tensors as inputs, which old files need."""
    from onnx import helper

    found: list[Piece] = []
    for proto in planned.constants:
        found += _input(helper.make_tensor_value_info(proto.name, proto.data_type, list(proto.dims)))
    for result in contents.results.values():
        found += _input(_declared(result.param))
    return found


def _declared(param: Param) -> Proto:
    from onnx import helper

    dtype = number_of(param.dtype)
    return helper.make_tensor_value_info(param.name, dtype, list(param.shape or ()))


def _input(proto: Proto) -> list[Piece]:
    return field(INPUT, [Written(proto.SerializeToString())])
