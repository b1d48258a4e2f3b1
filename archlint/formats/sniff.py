"""What a file is, by its first bytes; its name only decides where bytes cannot."""

from __future__ import annotations

import os
from typing import BinaryIO

from archlint.errors import ReadError
from archlint.formats.base import ModelFile

SUFFIXES = (".keras", ".h5", ".hdf5", ".onnx")
"""How a model file's name ends; a folder is searched for these, in any letter case."""

_HEAD_BYTES = 4096

_LFS = b"version https://git-lfs.github.com/spec/"
"""Source: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md (the first line of every pointer)."""

_HDF5 = b"\x89HDF\r\n\x1a\n"
_HDF5_OFFSETS = (0, 512, 1024, 2048)
"""The signature stands at 0 or behind a user block of 512 · 2ⁿ bytes (HDF5 file format, section II.A)."""

_FOREIGN: tuple[tuple[int, bytes, str], ...] = (
    (0, _LFS, "this is a Git LFS pointer, not the model itself; run `git lfs pull`"),
    (0, b"\x1f\x8b", "this is compressed with gzip; unpack it first"),
    (0, b"\x80\x02", "this is a Python pickle, which archlint never opens"),
    (0, b"\x80\x03", "this is a Python pickle, which archlint never opens"),
    (0, b"\x80\x04", "this is a Python pickle, which archlint never opens"),
    (0, b"\x80\x05", "this is a Python pickle, which archlint never opens"),
    (0, b"\x93NUMPY", "this is a NumPy array, not a model"),
    (4, b"TFL3", "this is a TensorFlow Lite model, which is not read; lint the model it was made from"),
)
"""Offset, bytes found there, and what to say of such a file."""

_ONNX_FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
"""Field number → protobuf wire type in ``ModelProto`` (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto)."""

_ONNX_GRAPH = 7


def sniff(path: str, size_bytes: int) -> ModelFile:
    """The model file that a regular file at ``path`` is.

    Raises:
        ReadError: it is empty, a pointer, or something that is no model in a format archlint reads.
        OSError: it cannot be opened.
    """
    suffix = os.path.splitext(path)[1].lower()
    with open(path, "rb", buffering=0) as file:
        head = file.read(_HEAD_BYTES)
        if not head:
            raise ReadError(path, "", "the file is empty")
        for offset, magic, sentence in _FOREIGN:
            if head.startswith(magic, offset):
                raise ReadError(path, "", sentence)
        format_ = _format(head, suffix, file, size_bytes)
    if format_ is None:
        raise ReadError(path, "", _not_a_model(path, head, suffix))
    return ModelFile(path, format_, size_bytes)


def _format(head: bytes, suffix: str, file: BinaryIO, size_bytes: int) -> str | None:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "keras"
    if any(head.startswith(_HDF5, offset) for offset in _HDF5_OFFSETS):
        return "keras-h5"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and suffix != ".onnx" and b'"class_name"' in head:
        return "keras-json"
    if suffix == ".onnx":
        return None if _is_text(head) else "onnx"
    return "onnx" if _is_onnx(file, size_bytes) else None


def _is_onnx(file: BinaryIO, size_bytes: int) -> bool:
    """Whether the file is, from end to end, the fields of a ``ModelProto`` that holds a graph.

    Only the keys and lengths are read: a few bytes per field, of which a model has about ten.
    """
    at, graphs = 0, 0
    for _ in range(1000):
        if at == size_bytes:
            return graphs == 1
        file.seek(at)
        head = file.read(20)
        key, length = _varint(head, 0)
        field, wire = key >> 3, key & 7
        if length == 0 or _ONNX_FIELDS.get(field) != wire:
            return False
        number, end = _varint(head, length)
        if end == 0:
            return False
        graphs += field == _ONNX_GRAPH
        at += end + (number if wire == 2 else 0)
        if at > size_bytes:
            return False
    return False


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A protobuf varint and where it ends; (0, 0) when there is none of at most ten bytes.

    Source: https://protobuf.dev/programming-guides/encoding/#varints
    """
    number = 0
    for index in range(at, min(at + 10, len(data))):
        number |= (data[index] & 0x7F) << (7 * (index - at))
        if data[index] < 0x80:
            return number, index + 1
    return 0, 0


def _is_text(head: bytes) -> bool:
    """Whether bytes read as text: UTF-8, cut anywhere, without control bytes."""
    if any(byte < 32 and byte not in b"\t\n\r\f" for byte in head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4 and error.start > 0
    return True


def _not_a_model(path: str, head: bytes, suffix: str) -> str:
    if os.path.basename(path) == "saved_model.pb":
        return "this is part of a SavedModel, which is not read yet; save the model as .keras"
    if not _is_text(head):
        expected = f"a {suffix} file" if suffix in SUFFIXES else "a Keras or ONNX model"
        return f"this is not {expected}: its first bytes are {head[:8].hex(' ')}"
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "this is a web page, not a model; a download probably went wrong"
    if start.startswith(b"{"):
        return 'this is JSON, but not the architecture of a Keras model: it has no "class_name"'
    return "this is a text file, not a model"
