"""Stored tensors as records: name, type and shape always, contents only of small ones."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator

from archlint.formats.onnx.records import Stored
from archlint.formats.onnx.wire import BYTES, FIXED32, FIXED64, VARINT, MalformedError, Source
from archlint.graph import MAX_ELEMENTS

MAX_VALUES = 64
"""Most elements whose contents are kept (``graph.Param.value``)."""

DTYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    8: "string",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    14: "complex64",
    15: "complex128",
    16: "bfloat16",
    17: "float8e4m3fn",
    18: "float8e4m3fnuz",
    19: "float8e5m2",
    20: "float8e5m2fnuz",
    21: "uint4",
    22: "int4",
    23: "float4e2m1",
    24: "float8e8m0",
    25: "uint2",
    26: "int2",
    27: "float6e2m3",
    28: "float6e3m2",
}
"""TensorProto.DataType → dtype."""

LARGE_ELEMENTS = 1 << 30
HOLLOW_RATIO = 1000
"""A tensor of more elements than this with less than a thousandth of their bytes exhausts memory when it is
loaded."""

_STRUCT = {
    "float32": "f",
    "float64": "d",
    "float16": "e",
    "uint8": "B",
    "int8": "b",
    "uint16": "H",
    "int16": "h",
    "uint32": "I",
    "int32": "i",
    "uint64": "Q",
    "int64": "q",
    "bool": "?",
}

_RAW, _EXTERNAL = 9, 13
_CONTENT = frozenset({4, 5, 6, 7, 9, 10, 11})


def text(src: Source, start: int, end: int) -> str:
    """The text at ``start..end``."""
    try:
        return src.content(start, end).decode()
    except UnicodeDecodeError as error:
        raw = src.content(start, min(end, start + 40))
        raise MalformedError("", f"the name {raw!r} is not UTF-8") from error


def signed(value: int) -> int:
    """A varint as the int64 that it stands for."""
    return value - (1 << 64) if value >> 63 else value


def shortest(value: float) -> float:
    """A float32 as the shortest decimal that stands for it: 1e-05, not 9.999999747378752e-06."""
    if value != value or value in (math.inf, -math.inf):
        return value
    short = float(f"{value:.7g}")
    return short if struct.pack("<f", short) == struct.pack("<f", value) else float(f"{value:.9g}")


def varints(data: bytes) -> Iterator[int]:
    """The numbers of a packed field; a cut-off last one is left out."""
    value = shift = 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield value & 0xFFFFFFFFFFFFFFFF
            value = shift = 0


def tensor(src: Source, start: int, end: int) -> Stored:
    """The TensorProto at ``start..end``; contents of more than ``MAX_VALUES`` elements are jumped over."""
    name, dtype, external = "", 0, False
    dims: list[int] = []
    content: list[tuple[int, int, int]] = []
    entries: dict[str, str] = {}
    pieces = 0
    for tag, a, b in src.fields(start, end):
        number = tag >> 3
        if tag == 1 << 3 | VARINT:
            dims.append(signed(a))
        elif tag == 1 << 3 | BYTES:
            dims.extend(signed(value) for value in varints(src.content(a, b)))
        elif tag == 2 << 3 | VARINT:
            dtype = a
        elif tag == 8 << 3 | BYTES:
            name = text(src, a, b)
        elif tag == 14 << 3 | VARINT:
            external = a == 1
        elif tag == _EXTERNAL << 3 | BYTES:
            entries.update([_entry(src, a, b)])
        elif number in _CONTENT:
            pieces += 1
            if pieces <= MAX_VALUES:
                content.append((tag, a, b))
    if any(dim < 0 for dim in dims):
        raise MalformedError(f"tensor '{name}'", f"it has a negative dimension: {dims}")
    return _stored(src, name, DTYPES.get(dtype), tuple(dims), content, entries if external else None)


def sparse_tensor(src: Source, start: int, end: int) -> Stored:
    """The SparseTensorProto at ``start..end``: the name of its values, the shape that it stands for."""
    values = Stored("", None, ())
    dims: list[int] = []
    for tag, a, b in src.fields(start, end):
        if tag == 1 << 3 | BYTES:
            values = tensor(*src.settle(a, b))
        elif tag == 3 << 3 | VARINT:
            dims.append(max(signed(a), 0))
        elif tag == 3 << 3 | BYTES:
            dims.extend(max(signed(value), 0) for value in varints(src.content(a, b)))
    return Stored(values.name, values.dtype, tuple(dims), external=values.external, sparse=True)


def _entry(src: Source, start: int, end: int) -> tuple[str, str]:
    pair = {1: "", 2: ""}
    for tag, a, b in src.fields(start, end):
        if tag & 7 == BYTES and tag >> 3 in pair:
            pair[tag >> 3] = text(src, a, b)
    return pair[1], pair[2]


def _stored(
    src: Source,
    name: str,
    dtype: str | None,
    shape: tuple[int, ...],
    content: list[tuple[int, int, int]],
    entries: dict[str, str] | None,
) -> Stored:
    if entries is not None:
        where = (entries.get("location", ""), entries.get("offset", ""), entries.get("length", ""))
        return Stored(name, dtype, shape, external=where, external_keys=tuple(entries))
    code = _STRUCT.get(dtype or "")
    size = math.prod(shape)
    if size > LARGE_ELEMENTS:
        stated = size * (struct.calcsize(code) if code else 1)
        there = sum(b - a for tag, a, b in content if tag & 7 == BYTES)
        if stated > HOLLOW_RATIO * there and len(content) < MAX_VALUES:
            return Stored(name, dtype, shape, short=True, hollow=(min(stated, MAX_ELEMENTS), there))
    raw = [(a, b) for tag, a, b in content if tag == _RAW << 3 | BYTES]
    if raw and code:
        a, b = raw[-1]
        if b - a != size * struct.calcsize(code):
            return Stored(name, dtype, shape, short=True)
        if size <= MAX_VALUES:
            items = struct.unpack(f"<{size}{code}", src.content(a, b))
            return Stored(name, dtype, shape, tuple(_cast(value, code, True) for value in items))
        return Stored(name, dtype, shape)
    if size > MAX_VALUES or code is None or raw:
        return Stored(name, dtype, shape)
    found = _typed(src, content, MAX_VALUES * 10)
    if len(found) != size:
        return Stored(name, dtype, shape, short=bool(found))
    return Stored(name, dtype, shape, tuple(_cast(value, code, False) for value in found))


def _typed(src: Source, content: list[tuple[int, int, int]], limit: int) -> list[int | float]:
    found: list[int | float] = []
    for tag, a, b in content:
        number, kind = tag >> 3, tag & 7
        if kind == VARINT and number in (5, 7, 11):
            found.append(a if number == 11 else signed(a))
        elif kind in (BYTES, FIXED32, FIXED64) and b - a <= limit and number in _READ:
            found.extend(_READ[number](src.content(a, b)))
    return found


def _cast(value: int | float, code: str, raw: bool) -> int | float | bool:
    """An element of int32_data stands for bool, float16 bits and the small integers too."""
    if code == "?":
        return bool(value)
    if code == "f":
        return shortest(value)
    if code == "e" and not raw:
        return float(struct.unpack("<e", struct.pack("<H", int(value) & 0xFFFF))[0])
    return value


def _unpack(code: str) -> Callable[[bytes], list[int | float]]:
    size = struct.calcsize(code)
    return lambda data: [item[0] for item in struct.iter_unpack(f"<{code}", data[: len(data) // size * size])]


_READ: dict[int, Callable[[bytes], list[int | float]]] = {
    4: _unpack("f"),
    5: lambda data: [signed(value) for value in varints(data)],
    7: lambda data: [signed(value) for value in varints(data)],
    10: _unpack("d"),
    11: lambda data: list(varints(data)),
}
