"""An ONNX file as records: one function per message of onnx.proto, each a walk over its fields."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from archlint.formats.base import foreign_kind
from archlint.formats.onnx.records import (
    RawAttr,
    RawFunction,
    RawGraph,
    RawModel,
    RawNode,
    Reference,
)
from archlint.formats.onnx.tensors import DTYPES, shortest, signed, sparse_tensor, tensor, text, varints
from archlint.formats.onnx.wire import BYTES, FIXED32, VARINT, MalformedError, Source
from archlint.graph import Dim, Shape, TensorType

MAX_DEPTH = 50
"""Deepest nest of If, Loop and Scan; protobuf's own readers stop at 100 nested messages, 32 graphs."""

MAX_LIST_BYTES = 1 << 16
"""Longest attribute text or packed list that is kept; settings are short, embedded blobs are not."""

MAX_LIST_ITEMS = 1 << 14
"""Most items of a list attribute that are kept (tree ensembles hold millions)."""

MAX_LEFTOVERS = 100
"""Most fields unknown to ONNX that are noted."""

LARGE_LEFTOVER_BYTES = 1 << 20
"""Unknown fields from this size on are told of whatever they hold: a newer ONNX adds settings, not
megabytes."""

_MODEL_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})


def model(src: Source, start: int, end: int) -> RawModel:
    """The ModelProto at ``start..end``.

    Raises:
        MalformedError: not protobuf, cut off, nested too deep, or no graph inside.
    """
    ir_version = training_infos = 0
    names = {"producer": "", "version": ""}
    opsets: dict[str, int] = {}
    graphs = []
    functions = []
    leftovers: list[tuple[int, int, str]] = []
    for tag, a, b in src.fields(start, end):
        if tag == 1 << 3 | VARINT:
            ir_version = a
        elif tag == 2 << 3 | BYTES:
            names["producer"] = text(src, a, b)
        elif tag == 3 << 3 | BYTES:
            names["version"] = text(src, a, b).partition(" ")[0]
        elif tag == 7 << 3 | BYTES:
            graphs.append(_graph(*src.settle(a, b), 0))
        elif tag == 8 << 3 | BYTES:
            opsets.update([_opset(*src.settle(a, b))])
        elif tag == 20 << 3 | BYTES:
            training_infos += 1
        elif tag == 25 << 3 | BYTES:
            functions.append(_function(*src.settle(a, b)))
        elif tag >> 3 not in _MODEL_FIELDS and tag & 7 == BYTES and len(leftovers) < MAX_LEFTOVERS:
            leftovers.append((tag >> 3, b - a, foreign_kind(src.content(a, min(b, a + 8)))))
    if not graphs:
        raise MalformedError("", "it holds no graph; the file is cut off, damaged or not ONNX")
    producer = " ".join(word for word in names.values() if word)
    strange = tuple(item for item in leftovers if item[2] or item[1] > LARGE_LEFTOVER_BYTES)
    return RawModel(ir_version, producer, opsets, graphs[-1], functions, training_infos, strange)


def _graph(src: Source, start: int, end: int, depth: int) -> RawGraph:
    if depth > MAX_DEPTH:
        raise MalformedError("", f"graphs are nested more than {MAX_DEPTH} deep")
    name = ""
    nodes, initializers, inputs, outputs = [], [], [], []
    value_info = {}
    for tag, a, b in src.fields(start, end):
        if tag == 1 << 3 | BYTES:
            nodes.append(_node(*src.settle(a, b), depth))
        elif tag == 5 << 3 | BYTES:
            initializers.append(tensor(*src.settle(a, b)))
        elif tag == 13 << 3 | BYTES:
            value, type_ = _value_info(*src.settle(a, b))
            value_info[value] = type_
        elif tag == 11 << 3 | BYTES:
            inputs.append(_value_info(*src.settle(a, b)))
        elif tag == 12 << 3 | BYTES:
            outputs.append(_value_info(*src.settle(a, b)))
        elif tag == 15 << 3 | BYTES:
            initializers.append(sparse_tensor(*src.settle(a, b)))
        elif tag == 2 << 3 | BYTES:
            name = text(src, a, b)
    return RawGraph(name, nodes, initializers, inputs, outputs, value_info)


def _node(src: Source, start: int, end: int, depth: int) -> RawNode:
    name = op = domain = overload = ""
    inputs, outputs = [], []
    attrs = {}
    for tag, a, b in src.fields(start, end):
        if tag == 1 << 3 | BYTES:
            inputs.append(text(src, a, b))
        elif tag == 2 << 3 | BYTES:
            outputs.append(text(src, a, b))
        elif tag == 5 << 3 | BYTES:
            key, value = _attribute(*src.settle(a, b), depth)
            attrs[key] = value
        elif tag == 3 << 3 | BYTES:
            name = text(src, a, b)
        elif tag == 4 << 3 | BYTES:
            op = text(src, a, b)
        elif tag == 7 << 3 | BYTES:
            domain = text(src, a, b)
        elif tag == 8 << 3 | BYTES:
            overload = text(src, a, b)
    return RawNode(name, op, "" if domain == "ai.onnx" else domain, inputs, outputs, attrs, overload)


def _attribute(src: Source, start: int, end: int, depth: int) -> tuple[str, RawAttr]:
    name = ""
    single: RawAttr = None
    many: list[RawAttr] = []
    is_list = False
    for tag, a, b in src.fields(start, end):
        if tag == 1 << 3 | BYTES:
            name = text(src, a, b)
        elif tag == 20 << 3 | VARINT:
            is_list = a in _LIST_TYPES
        elif tag == 21 << 3 | BYTES:
            single = Reference(text(src, a, b))
        elif tag == 6 << 3 | BYTES:
            single = _graph(*src.settle(a, b), depth + 1)
        elif tag in _SINGLES:
            single = _SINGLES[tag](src, a, b)
        elif tag in _ITEMS and len(many) <= MAX_LIST_ITEMS:
            many.append(_ITEMS[tag](src, a, b))
        elif tag in _PACKED and b - a <= MAX_LIST_BYTES:
            many.extend(_PACKED[tag](src.content(a, b)))
    if not many and not is_list:
        return name, single
    simple = tuple(item for item in many if isinstance(item, int | float | str))
    return name, simple if len(simple) == len(many) <= MAX_LIST_ITEMS else None


def _number(src: Source, a: int, b: int) -> RawAttr:
    return shortest(struct.unpack("<f", src.content(a, b))[0])


def _integer(src: Source, a: int, b: int) -> RawAttr:
    return signed(a)


def _string(src: Source, a: int, b: int) -> RawAttr:
    if b - a > MAX_LIST_BYTES:
        return None
    try:
        return src.content(a, b).decode()
    except UnicodeDecodeError:
        return None


def _stored(src: Source, a: int, b: int) -> RawAttr:
    return tensor(*src.settle(a, b))


def _sparse(src: Source, a: int, b: int) -> RawAttr:
    return sparse_tensor(*src.settle(a, b))


def _packed_ints(data: bytes) -> Iterator[RawAttr]:
    return (signed(value) for value in varints(data))


def _packed_floats(data: bytes) -> Iterator[RawAttr]:
    return (shortest(item[0]) for item in struct.iter_unpack("<f", data[: len(data) & ~3]))


_LIST_TYPES = frozenset({6, 7, 8, 9, 10, 12, 14})

_SINGLES: dict[int, Callable[[Source, int, int], RawAttr]] = {
    2 << 3 | FIXED32: _number,
    3 << 3 | VARINT: _integer,
    4 << 3 | BYTES: _string,
    5 << 3 | BYTES: _stored,
    22 << 3 | BYTES: _sparse,
}

_ITEMS: dict[int, Callable[[Source, int, int], RawAttr]] = {
    7 << 3 | FIXED32: _number,
    8 << 3 | VARINT: _integer,
    9 << 3 | BYTES: _string,
}

_PACKED: dict[int, Callable[[bytes], Iterator[RawAttr]]] = {
    7 << 3 | BYTES: _packed_floats,
    8 << 3 | BYTES: _packed_ints,
}


def _value_info(src: Source, start: int, end: int) -> tuple[str, TensorType]:
    name = ""
    type_ = TensorType()
    for tag, a, b in src.fields(start, end):
        if tag == 1 << 3 | BYTES:
            name = text(src, a, b)
        elif tag == 2 << 3 | BYTES:
            type_ = _type(src, a, b)
    return name, type_


def _type(src: Source, start: int, end: int) -> TensorType:
    for tag, a, b in src.fields(start, end):
        if tag in (1 << 3 | BYTES, 8 << 3 | BYTES):
            return _tensor_type(src, a, b)
    return TensorType()


def _tensor_type(src: Source, start: int, end: int) -> TensorType:
    dtype = None
    shape: Shape = None
    for tag, a, b in src.fields(start, end):
        if tag == 1 << 3 | VARINT:
            dtype = DTYPES.get(a)
        elif tag == 2 << 3 | BYTES:
            shape = tuple(_dim(src, c, d) for tag, c, d in src.fields(a, b) if tag == 1 << 3 | BYTES)
    return TensorType(dtype, shape)


def _dim(src: Source, start: int, end: int) -> Dim:
    dim: Dim = None
    for tag, a, b in src.fields(start, end):
        if tag == 1 << 3 | VARINT:
            value = signed(a)
            dim = value if value >= 0 else None
        elif tag == 2 << 3 | BYTES:
            dim = text(src, a, b)
            dim = None if dim in ("", "?") else dim
    return dim


def _opset(src: Source, start: int, end: int) -> tuple[str, int]:
    domain, version = "", 0
    for tag, a, b in src.fields(start, end):
        if tag == 1 << 3 | BYTES:
            domain = text(src, a, b)
        elif tag == 2 << 3 | VARINT:
            version = signed(a)
    return "" if domain == "ai.onnx" else domain, version


def _function(src: Source, start: int, end: int) -> RawFunction:
    names = {"name": "", "domain": "", "overload": ""}
    inputs, outputs, nodes = [], [], []
    defaults: dict[str, RawAttr] = {}
    opsets = {}
    for tag, a, b in src.fields(start, end):
        if tag == 7 << 3 | BYTES:
            nodes.append(_node(*src.settle(a, b), 0))
        elif tag == 4 << 3 | BYTES:
            inputs.append(text(src, a, b))
        elif tag == 5 << 3 | BYTES:
            outputs.append(text(src, a, b))
        elif tag == 11 << 3 | BYTES:
            key, value = _attribute(*src.settle(a, b), 0)
            defaults[key] = value
        elif tag == 9 << 3 | BYTES:
            domain, version = _opset(*src.settle(a, b))
            opsets[domain] = version
        elif tag == 1 << 3 | BYTES:
            names["name"] = text(src, a, b)
        elif tag == 10 << 3 | BYTES:
            names["domain"] = text(src, a, b)
        elif tag == 13 << 3 | BYTES:
            names["overload"] = text(src, a, b)
    return RawFunction(**names, inputs=inputs, outputs=outputs, defaults=defaults, nodes=nodes, opsets=opsets)
