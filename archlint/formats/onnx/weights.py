"""The contents of stored tensors, read where they lie in the file when a rule asks for one."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator, Mapping
from functools import cached_property

from archlint.dataclass import dataclass
from archlint.errors import ReadError
from archlint.formats.onnx.external import external_metadata
from archlint.formats.onnx.records import Stored
from archlint.formats.onnx.tensors import tensor, text, varints
from archlint.formats.onnx.wire import BYTES, File, MalformedError, Memory, Source
from archlint.graph import Array, Mismatch, Param
from archlint.graph.weights import MAX_TENSOR_BYTES

MAX_VARINTS = 1 << 20
"""Longest packed list of varints (float16 weights in int32_data) that is decoded; exporters use raw_data."""

_RAW, _FLOATS, _INTS, _DOUBLES = 9, 4, 5, 10
_NUMPY = {"float32": "<f4", "float64": "<f8", "float16": "<f2", "bfloat16": "<u2"}
_TYPED = {_FLOATS: "float32", _DOUBLES: "float64"}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a tensor lies: what the file says of it, and (field, first byte, end) of its contents."""

    stored: Stored
    pieces: tuple[tuple[int, int, int], ...]


class OnnxWeights:
    """The tensors of one ONNX file and its data files; paths out of its folder are not followed."""

    def __init__(self, path: str) -> None:
        self._path = path

    def holds(self, param: Param) -> bool:
        """Whether the param is an initializer or a constant; other nodes may compute weights."""
        return param.name in self._places

    def mismatches(self) -> tuple[Mismatch, ...]:
        """None: in ONNX the stored shape is the architecture's."""
        return ()

    def read(self, param: Param) -> Array | None:
        """The contents as floats, in the file's own axis order; None when they cannot be had."""
        place = self._places.get(param.name)
        if place is None or place.stored.shape != param.shape or place.stored.sparse:
            return None
        code = _NUMPY.get(place.stored.dtype or "")
        if code is None:
            return None
        flat = self._flat(place, code)
        return None if flat is None else _shaped(flat, place.stored)

    def _flat(self, place: _Place, code: str) -> Array | None:
        import numpy as np

        count = math.prod(place.stored.shape)
        size = count * np.dtype(code).itemsize
        if size > MAX_TENSOR_BYTES:
            return None
        if place.stored.external is not None:
            return self._external(place.stored, code, count)
        kinds = {number for number, _, _ in place.pieces}
        if kinds == {_RAW}:
            start, end = place.pieces[-1][1:]
            return _from_file(self._path, code, count, start) if end - start == size else None
        if len(kinds) == 1 and place.stored.dtype == _TYPED.get(min(kinds)):
            parts = [_from_file(self._path, code, (b - a) // int(code[-1]), a) for _, a, b in place.pieces]
            known = [part for part in parts if part is not None]
            found = np.concatenate(known) if len(known) == len(parts) else None
            return found if found is not None and found.size == count else None
        if kinds == {_INTS} and code in ("<u2", "<f2"):
            return self._bits(place, count, code)
        return None

    def _bits(self, place: _Place, count: int, code: str) -> Array | None:
        """Halves in int32_data: each varint holds the 16 bits of one."""
        import numpy as np

        if sum(b - a for _, a, b in place.pieces) > MAX_VARINTS:
            return None
        with open(self._path, "rb") as file:
            found: list[int] = []
            for _, a, b in place.pieces:
                file.seek(a)
                found.extend(value & 0xFFFF for value in varints(file.read(b - a)))
        return np.array(found, "<u2").view(code) if len(found) == count else None

    def _external(self, stored: Stored, code: str, count: int) -> Array | None:
        assert stored.external is not None
        found = external_metadata(self._path, [stored])
        if set(found) != {"external_data"}:
            return None
        location, offset, _ = stored.external
        path = os.path.join(os.path.dirname(self._path), *location.split("/"))
        return _from_file(path, code, count, int(offset or 0))

    @cached_property
    def _places(self) -> Mapping[str, _Place]:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        except OSError:
            return {}
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return {}
            found: dict[str, _Place] = {}
            for name, place in _model(File(descriptor, status.st_size), status.st_size):
                found.setdefault(name, place)
            return found
        except (MalformedError, ReadError, OSError):
            return {}
        finally:
            os.close(descriptor)


def _model(src: File, size: int) -> Iterator[tuple[str, _Place]]:
    for tag, a, b in src.fields(0, size):
        if tag == 7 << 3 | BYTES:
            yield from _graph(*src.settle(a, b))


def _graph(src: Source, start: int, end: int) -> Iterator[tuple[str, _Place]]:
    """Name → place of the initializers and constants of the outermost graph; bodies hold no layers."""
    for tag, a, b in src.fields(start, end):
        if tag == 5 << 3 | BYTES:
            place = _tensor(*src.settle(a, b))
            yield place.stored.name, place
        elif tag == 1 << 3 | BYTES:
            yield from _constant(*src.settle(a, b))


def _constant(src: Source, start: int, end: int) -> Iterator[tuple[str, _Place]]:
    op = output = ""
    places = []
    for tag, a, b in src.fields(start, end):
        if tag == 4 << 3 | BYTES:
            op = text(src, a, b)
        elif tag == 2 << 3 | BYTES:
            output = text(src, a, b)
        elif tag == 5 << 3 | BYTES and op in ("", "Constant"):
            inner, first, last = src.settle(a, b)
            places += [_tensor(inner, c, d) for t, c, d in inner.fields(first, last) if t == 5 << 3 | BYTES]
    if op == "Constant":
        for place in places:
            yield output, place


def _tensor(src: Source, start: int, end: int) -> _Place:
    base = src.base if isinstance(src, Memory) else 0
    pieces = [
        (tag >> 3, base + a, base + b)
        for tag, a, b in src.fields(start, end)
        if tag & 7 == BYTES and tag >> 3 in (_RAW, _FLOATS, _INTS, _DOUBLES)
    ]
    return _Place(tensor(src, start, end), tuple(pieces))


def _from_file(path: str, code: str, count: int, offset: int) -> Array | None:
    import numpy as np

    with open(path, "rb") as file:
        found = np.fromfile(file, code, count, offset=offset)
    return found if found.size == count else None


def _shaped(flat: Array, stored: Stored) -> Array:
    """The tensor in its shape; bfloat16 is the upper half of a float32."""
    import numpy as np

    if stored.dtype == "bfloat16":
        flat = (flat.astype("<u4") << 16).view("<f4")
    return np.reshape(flat, stored.shape)
