"""Reads ONNX files: structure only, by walking the bytes; neither onnx nor the weights are loaded."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from archlint.errors import ReadError
from archlint.formats.base import MAX_NODES, ModelFile
from archlint.formats.onnx.build import Builder
from archlint.formats.onnx.contrib import expanded
from archlint.formats.onnx.decode import model
from archlint.formats.onnx.external import external_metadata
from archlint.formats.onnx.hazards import hazards_of
from archlint.formats.onnx.inline import inlined
from archlint.formats.onnx.records import RawModel
from archlint.formats.onnx.wire import File, MalformedError
from archlint.graph import Attr, Graph, Hazard

_OVERRIDABLE_SINCE = 4
"""IR version from which an initializer that is also an input may be given another value by the caller."""


def read(file: ModelFile) -> Graph:
    """The graph of an ONNX file in the normal form; weights are never read, external data never opened.

    Raises:
        ReadError: cut off, damaged, dangling, cyclic or without a graph; says where.
    """
    with _opened(file) as source:
        return graph_of(file.path, source)


def scan(file: ModelFile) -> tuple[Hazard, ...]:
    """The hazards of a file whose graph could not be built; none when not even its records can be read."""
    try:
        with _opened(file) as source:
            return hazards_of(file.path, model(source, 0, source.size))
    except (ReadError, MalformedError):
        return ()


@contextmanager
def _opened(file: ModelFile) -> Iterator[File]:
    try:
        descriptor = os.open(file.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise ReadError(file.path, "", f"it cannot be opened: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ReadError(file.path, "", "it is not a regular file")
        yield File(descriptor, status.st_size)
    except OSError as error:
        raise ReadError(file.path, "", f"it cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)


def graph_of(path: str, source: File) -> Graph:
    """The graph of the model that an open file holds; ``path`` is for messages and external data."""
    if source.size == 0:
        raise ReadError(path, "", "the file is empty")
    try:
        raw = model(source, 0, source.size)
        graph = expanded(inlined(raw))
        if len(graph.nodes) > MAX_NODES:
            raise MalformedError("", f"it has more than {MAX_NODES} nodes")
        builder = Builder(raw.opsets)
        built = builder.build(graph)
    except MalformedError as error:
        raise ReadError(path, error.where, error.what) from error
    about = _metadata(path, raw, builder)
    return replace(built, format="onnx", metadata=about, hazards=hazards_of(path, raw))


def _metadata(path: str, raw: RawModel, builder: Builder) -> dict[str, Attr]:
    """What the file says of itself, and what is odd about it without making it unreadable."""
    about: dict[str, Attr] = {}
    if raw.producer:
        about["producer"] = raw.producer
    about["ir_version"] = raw.ir_version
    about["opset"] = raw.opsets.get("", 0)
    inputs = {name for name, _ in raw.graph.inputs}
    counts = {
        "training_info": raw.training_infos,
        "reordered_graphs": builder.reordered,
        "overridable_weights": sum(item.name in inputs for item in raw.graph.initializers)
        if raw.ir_version >= _OVERRIDABLE_SINCE
        else 0,
        "sparse_weights": sum(item.sparse for item in builder.stored),
    }
    about.update({key: count for key, count in counts.items() if count})
    if builder.constant_nodes:
        about["constant_nodes"] = builder.constant_nodes
    short = tuple(item.name for item in builder.stored if item.short)
    if short:
        about["damaged_weights"] = short
    return {**about, **external_metadata(path, builder.stored)}
