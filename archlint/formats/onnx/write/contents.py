"""Contents of new tensors: stored ones are looked at where they lie, results written a stretch at a time."""

from __future__ import annotations

import math
import mmap
import os
import sys
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from archlint.dataclass import dataclass
from archlint.errors import PatchError
from archlint.formats.onnx.external import external_metadata
from archlint.formats.onnx.records import Stored
from archlint.formats.onnx.tensors import DTYPES
from archlint.formats.onnx.write.layout import INITIALIZER, NODE, SPARSE, Layout, Span, header, spans
from archlint.formats.onnx.write.pieces import Piece, Streamed, Written, copy_range, field
from archlint.graph import Array, Made, Node, Param

STRETCH_BYTES = 1 << 25
"""Bytes of a result that are laid out at a time, when it is a view of what is stored in another order."""

LARGEST_MESSAGE_BYTES = 1 << 28
"""Largest tensor or node that is taken up whole, where its contents are not one stretch of bytes."""

_RAW = 9
_ITEM_BYTES = {
    "float16": 2, "float32": 4, "float64": 8, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint8": 1,
    "uint16": 2, "uint32": 4, "uint64": 8, "bool": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Result:
    """A new tensor: its type and place as the graph has it, and how its contents come about."""

    param: Param
    made: Made

    @property
    def size_bytes(self) -> int:
        """Bytes of the contents."""
        size, item = self.param.size, _ITEM_BYTES.get(self.param.dtype or "")
        if size is None or item is None:
            raise PatchError(f"ONNX: cannot make '{self.param.name}' of type {self.param.dtype}")
        return size * item


class Contents:
    """The stored and the new tensors of one file that is being patched."""

    def __init__(self, path: str, place: Layout, made: Mapping[str, tuple[Node, Made]]) -> None:
        self._path = path
        self._place = place
        self.results = {name: Result(_param(node, name), value) for name, (node, value) in made.items()}
        tensors = place.spans(INITIALIZER, SPARSE)
        self._stored = {
            item.name: (item, span) for item, span in zip(place.raw.graph.initializers, tensors, strict=True)
        }

    def inline(self, name: str) -> list[Piece]:
        """A new tensor as a field of the graph, with its contents."""
        result = self.results[name]
        size = result.size_bytes
        stream = Streamed(size, lambda out: self.write(name, out))
        return field(INITIALIZER, [Written(_head(result.param)), Written(header(_RAW, size)), stream])

    def outside(self, name: str, location: str, offset: int) -> list[Piece]:
        """A new tensor as a field of the graph, with its contents in another file."""
        result = self.results[name]
        return field(INITIALIZER, [Written(_head(result.param, location, offset, result.size_bytes))])

    def held(self, name: str) -> tuple[str, int] | None:
        """Data file and offset of a new tensor that lies in a data file of the model as it is."""
        locations = {
            os.path.abspath(self._beside(item.external[0])): item.external[0]
            for item, _ in self._stored.values()
            if item.external is not None
        }
        path, offset = _lies_in(self._array(name, (), fresh=True)) or ("", 0)
        return (locations[path], offset) if path in locations else None

    def _beside(self, location: str) -> str:
        return os.path.join(os.path.dirname(self._path), *location.split("/"))

    def write(self, name: str, out: BinaryIO) -> None:
        """Writes the contents of a new tensor, little-endian and in row order."""
        array = self._array(name, (), fresh=True)
        held = _lies_in(array)
        if held is not None:
            path, offset = held
            with open(path, "rb") as file:
                copy_range(file.fileno(), offset, offset + array.nbytes, out)
            return
        for stretch in _stretches(array):
            out.write(stretch)

    def _array(self, name: str, chain: tuple[str, ...], fresh: bool = False) -> Array:
        """A tensor's contents; of an old and a new one of the same name the old one, unless ``fresh``."""
        if name in self._stored and not fresh:
            return self._old(*self._stored[name])
        if name not in self.results:
            return self._constant(name)
        if name in chain:
            raise PatchError(f"ONNX: '{name}' would be made of itself")
        return self._new(self.results[name], (*chain, name))

    def _new(self, result: Result, chain: tuple[str, ...]) -> Array:
        import numpy as np

        sources = [self._array(source, chain) for source in result.made.sources]
        found = np.asanyarray(result.made.compute(*sources))
        param = result.param
        if found.shape != param.shape or found.dtype.name != param.dtype:
            is_, wanted = f"{found.dtype.name}{list(found.shape)}", f"{param.dtype}{list(param.shape or ())}"
            raise PatchError(f"ONNX: '{param.name}' came out as {is_}, not {wanted}")
        return found

    def _old(self, stored: Stored, span: Span) -> Array:
        if stored.sparse or stored.short:
            raise PatchError(f"ONNX: the contents of '{stored.name}' are sparse or incomplete")
        if stored.external is not None:
            return self._external(stored)
        raw = [item for item in spans(self._place.source, span.first, span.end) if item.number == _RAW]
        if raw:
            return _mapped(self._path, stored, raw[-1].first, raw[-1].end - raw[-1].first)
        return _unpacked(self._message(span, stored.name), stored.name)

    def _external(self, stored: Stored) -> Array:
        location, offset, length = stored.external or ("", "", "")
        if set(external_metadata(self._path, [stored])) != {"external_data"}:
            raise PatchError(f"ONNX: the contents of '{stored.name}' are not to be had in '{location}'")
        path = self._beside(location)
        first = int(offset or 0)
        return _mapped(path, stored, first, int(length) if length else os.path.getsize(path) - first)

    def _constant(self, name: str) -> Array:
        """The contents of a Constant node."""
        from onnx import NodeProto

        for raw, span in zip(self._place.raw.graph.nodes, self._place.spans(NODE), strict=True):
            if name in raw.outputs and raw.op == "Constant" and not raw.domain:
                proto = NodeProto.FromString(self._message(span, name))
                held = [item.t for item in proto.attribute if item.name == "value"]
                if held:
                    return _unpacked(held[0].SerializeToString(), name)
        raise PatchError(f"ONNX: the file holds no contents of '{name}'")

    def _message(self, span: Span, name: str) -> bytes:
        if span.end - span.first > LARGEST_MESSAGE_BYTES:
            raise PatchError(f"ONNX: '{name}' is too large to be taken apart")
        return self._place.content(span)


def _param(node: Node, name: str) -> Param:
    return next(param for param in node.params if param.name == name)


def number_of(dtype: str | None) -> int:
    """The number that ONNX has for an element type; 0 if it has none."""
    return next((number for number, name in DTYPES.items() if name == dtype), 0)


def _head(param: Param, location: str = "", offset: int = 0, length: int = 0) -> bytes:
    """A TensorProto without contents, or with contents elsewhere."""
    from onnx import TensorProto

    proto = TensorProto(name=param.name)
    proto.data_type = number_of(param.dtype)
    proto.dims.extend(dim for dim in param.shape or () if isinstance(dim, int))
    if location:
        proto.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", offset), ("length", length)):
            proto.external_data.add(key=key, value=str(value))
    return proto.SerializeToString()  # type: ignore[no-any-return]  # onnx has no types


def _mapped(path: str, stored: Stored, offset: int, length: int) -> Array:
    import numpy as np

    size = _ITEM_BYTES.get(stored.dtype or "")
    if size is None or size * math.prod(stored.shape) != length:
        raise PatchError(f"ONNX: cannot read '{stored.name}' of type {stored.dtype}")
    dtype = np.dtype(stored.dtype).newbyteorder("<")
    if not length:
        return np.zeros(stored.shape, dtype)
    return np.memmap(path, dtype, "r", offset, stored.shape)


def _unpacked(message: bytes, name: str) -> Array:
    from onnx import TensorProto, numpy_helper

    proto = TensorProto.FromString(message)
    if proto.data_location == TensorProto.EXTERNAL or DTYPES.get(proto.data_type) not in _ITEM_BYTES:
        raise PatchError(f"ONNX: cannot read '{name}'")
    return numpy_helper.to_array(proto)


def _stretches(array: Array) -> Iterator[bytes | memoryview]:
    """The contents in row order, a stretch along the first axis at a time."""
    import numpy as np

    array = np.asanyarray(array, array.dtype.newbyteorder("<"))
    if array.ndim == 0 or array.nbytes <= STRETCH_BYTES:
        yield array.tobytes()
        return
    step = max(1, STRETCH_BYTES * len(array) // array.nbytes)
    for at in range(0, len(array), step):
        yield _laid_out(array[at : at + step]).data


def _laid_out(part: Array) -> Array:
    """A view in row order, taken along the axis that reaches furthest, so that little of a file is held."""
    import numpy as np

    axis = max(range(part.ndim), key=lambda at: abs(part.strides[at]))
    reach = abs(part.strides[axis]) * part.shape[axis]
    step = max(1, part.shape[axis] * STRETCH_BYTES // max(reach, 1))
    found = np.empty(part.shape, part.dtype)
    for at in range(0, part.shape[axis], step):
        tile = (slice(None),) * axis + (slice(at, at + step),)
        found[tile] = part[tile]
        _forget(part)
    return found


def _lies_in(array: Array) -> tuple[str, int] | None:
    """File and offset of an array that is a stretch of a file as it stands, such as a reshaped one."""
    import numpy as np

    root = array
    while isinstance(root.base, np.ndarray):
        root = root.base
    in_order = array.flags.c_contiguous and sys.byteorder == "little" and array.dtype.isnative
    if not isinstance(root, np.memmap) or not in_order:
        return None
    return str(root.filename), root.offset + array.ctypes.data - root.ctypes.data


def _forget(array: Array) -> None:
    """Gives back the pages of a file that a view has brought into memory."""
    base: object = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    if isinstance(base, mmap.mmap) and hasattr(base, "madvise"):
        base.madvise(mmap.MADV_DONTNEED)
