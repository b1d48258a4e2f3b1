"""ONNX files for the tests: written with ``onnx.helper``, or byte by byte where they must be odd."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from archlint.formats.base import ModelFile
from archlint.formats.onnx import read
from archlint.graph import Graph


def varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)


def field(number: int, content: bytes | int, size: int | None = None) -> bytes:
    """A field of the wire format; ``size`` is the length that it claims."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content) if size is None else size) + content


def stored(name: str, *shape: int, dtype: str = "float32") -> TensorProto:
    return numpy_helper.from_array(np.ones(shape, dtype), name)


def integers(name: str, *values: int) -> TensorProto:
    return numpy_helper.from_array(np.array(values, "int64"), name)


def scalar(name: str, value: float) -> TensorProto:
    return numpy_helper.from_array(np.array(value, "float32"), name)


def value(name: str, *shape: int | str | None, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[str],
    weights: Sequence[TensorProto] = (),
    opset: int = 17,
    functions: Sequence[onnx.FunctionProto] = (),
    ir_version: int = 8,
) -> onnx.ModelProto:
    """A model whose outputs are of unknown shape."""
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    graph = helper.make_graph(nodes, "test", inputs, made, initializer=weights)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("my", 1)]
    return helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=ir_version)


def read_model(proto: onnx.ModelProto, folder: Path) -> Graph:
    """What archlint reads of a model that is saved as it is."""
    return read_bytes(proto.SerializeToString(), folder)


def read_bytes(data: bytes, folder: Path) -> Graph:
    path = folder / "model.onnx"
    path.write_bytes(data)
    return read(ModelFile(str(path), "onnx", len(data)))


def lines(graph: Graph) -> list[str]:
    """Op, inputs and settings of each node that is no Constant, as in the notation, without names."""
    from archlint.graph.text import render_node

    found = []
    for node in graph.nodes:
        if node.op != "Constant":
            text = render_node(node).split(" | ")[0].partition(" = ")[2]
            head, _, rest = text.partition("<")
            words = [word for word in rest.partition(">")[2].split(" ") if not word.startswith("@")]
            found.append(head + " ".join(words))
    return found


def roles(graph: Graph, node: str) -> list[str]:
    return [f"{param.role} {param.name} {param.shape}" for param in graph.by_name[node].params]
