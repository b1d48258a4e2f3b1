"""Reads ONNX files: structure only, by walking the bytes; neither onnx nor the weights are loaded."""

from __future__ import annotations

import os

from archlint.errors import ReadError
from archlint.formats.base import MAX_NODES, ModelFile
from archlint.formats.onnx.build import Builder
from archlint.formats.onnx.decode import model
from archlint.formats.onnx.external import external_metadata
from archlint.formats.onnx.inline import inlined
from archlint.formats.onnx.records import RawGraph, RawModel
from archlint.formats.onnx.wire import File, MalformedError
from archlint.graph import Attr, Graph


def read(file: ModelFile) -> Graph:
    """The graph of an ONNX file in the normal form; weights are never read, external data never opened.

    Raises:
        ReadError: cut off, damaged, dangling, cyclic or without a graph; says where.
    """
    try:
        descriptor = os.open(file.path, os.O_RDONLY)
    except OSError as error:
        raise ReadError(file.path, "", f"it cannot be opened: {error.strerror}") from error
    try:
        size = os.fstat(descriptor).st_size
        return graph_of(file.path, File(descriptor, size))
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
        graph = inlined(raw)
        if len(graph.nodes) > MAX_NODES:
            raise MalformedError("", f"it has more than {MAX_NODES} nodes")
        builder = Builder(raw.opsets)
        built = builder.build(graph, about=_metadata(path, raw, graph))
    except MalformedError as error:
        raise ReadError(path, error.where, error.what) from error
    return built


def _metadata(path: str, raw: RawModel, graph: RawGraph) -> dict[str, Attr]:
    about: dict[str, Attr] = {}
    if raw.producer:
        about["producer"] = raw.producer
    about["ir_version"] = raw.ir_version
    about["opset"] = raw.opsets.get("", 0)
    return {**about, **external_metadata(path, graph.initializers)}
