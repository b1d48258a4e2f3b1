"""Random small networks in ONNX, and edits that fit them, for the tests of the writer."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from archlint.formats.base import ModelFile
from archlint.formats.onnx import read
from archlint.graph import Edit, Graph, Made, Node, Param, SetInput, Splice, TensorType
from archlint.ops import infer

OPSETS = (7, 9, 11, 13, 17, 21)
IR_VERSIONS = {7: 3, 9: 4, 11: 6, 13: 7, 17: 8, 21: 10}
"""Opset → IR version; the oldest wants initializers to be inputs too."""


class Network:
    """A network that grows node by node; ``value`` is the last one, ``shape`` its shape without batch."""

    def __init__(self, opset: int, seed: int, shape: tuple[int, ...], named: bool) -> None:
        self.opset = opset
        self.random = np.random.default_rng(seed)
        self.value, self.shape = "x", shape
        self.start = shape
        self.named = named
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[TensorProto] = []

    def weight(self, *shape: int, positive: bool = False) -> str:
        array = self.random.normal(0, 0.5, shape).astype("float32")
        return self.constant(np.abs(array) + 0.5 if positive else array)

    def constant(self, array: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def add(self, op: str, *rest: str, shape: tuple[int, ...] | None = None, **attrs: object) -> None:
        value = f"v{len(self.nodes)}"
        name = f"n{len(self.nodes)}" if self.named else ""
        self.nodes.append(helper.make_node(op, [self.value, *rest], [value], name=name, **attrs))
        self.value, self.shape = value, shape or self.shape

    def conv(self) -> None:
        channels, height, width = self.shape
        filters = int(self.random.integers(1, 5))
        weights = [self.weight(filters, channels, 3, 3)]
        if self.random.random() < 0.7:
            weights.append(self.weight(filters))
        self.add("Conv", *weights, shape=(filters, height, width), kernel_shape=[3, 3], pads=[1] * 4)

    def norm(self) -> None:
        count = self.shape[0]
        roles = [
            self.weight(count),
            self.weight(count),
            self.weight(count),
            self.weight(count, positive=True),
        ]
        self.add("BatchNormalization", *roles)

    def pool(self) -> None:
        channels, height, width = self.shape
        if min(height, width) >= 2:
            op = "MaxPool" if self.random.random() < 0.5 else "AveragePool"
            after = (channels, height // 2, width // 2)
            self.add(op, shape=after, kernel_shape=[2, 2], strides=[2, 2])

    def activation(self) -> None:
        self.add(str(self.random.choice(["Relu", "Sigmoid", "Tanh", "LeakyRelu", "Identity"])))

    def clip(self) -> None:
        if self.opset < 11:
            self.add("Clip", min=0.0, max=6.0)
        else:
            self.add("Clip", self.constant(np.float32(0)), self.constant(np.float32(6)))

    def residual(self) -> None:
        before = self.value
        self.activation()
        self.add("Add", before)

    def flatten(self) -> None:
        size = int(np.prod(self.shape))
        if self.random.random() < 0.5:
            self.add("Flatten", shape=(size,))
        else:
            self.add("Reshape", self.constant(np.array([-1, size], "int64")), shape=(size,))

    def pooled(self) -> None:
        self.add("GlobalAveragePool", shape=(self.shape[0], 1, 1))
        if self.opset < 13 and self.random.random() < 0.5:
            self.add("Squeeze", axes=[2, 3], shape=self.shape[:1])
        else:
            self.add("Flatten", shape=self.shape[:1])

    def dense(self, units: int) -> None:
        size = self.shape[0]
        if self.random.random() < 0.5:
            self.add("Gemm", self.weight(units, size), self.weight(units), shape=(units,), transB=1)
        else:
            self.add("MatMul", self.weight(size, units), shape=(units,))
            self.add("Add", self.weight(units))

    def model(self) -> onnx.ModelProto:
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("N", *self.start))]
        if self.opset < 9:
            inputs += [helper.make_tensor_value_info(w.name, w.data_type, w.dims) for w in self.weights]
        outputs = [helper.make_tensor_value_info(self.value, TensorProto.FLOAT, ("N", *self.shape))]
        graph = helper.make_graph(self.nodes, "net", inputs, outputs, initializer=self.weights)
        opsets = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSIONS[self.opset])
        model.metadata_props.add(key="author", value="a test")
        return onnx.shape_inference.infer_shapes(model)


_STEPS: tuple[Callable[[Network], None], ...] = (
    Network.conv,
    Network.norm,
    Network.pool,
    Network.activation,
    Network.clip,
    Network.residual,
)


@st.composite
def networks(draw: st.DrawFn, opsets: tuple[int, ...] = OPSETS) -> onnx.ModelProto:
    """A convolutional or plain network of one of these opsets, some with nodes that nothing reads."""
    net = Network(
        draw(st.sampled_from(opsets)),
        draw(st.integers(0, 10**6)),
        (draw(st.integers(1, 3)), draw(st.integers(4, 7)), draw(st.integers(4, 7))),
        draw(st.booleans()),
    )
    for step in draw(st.lists(st.sampled_from(_STEPS), max_size=6)):
        step(net)
    draw(st.sampled_from([Network.flatten, Network.pooled]))(net)
    if draw(st.booleans()):
        net.dense(4)
        net.activation()
    net.dense(3)
    if draw(st.booleans()):
        net.add("Softmax", axis=1)
    if draw(st.booleans()):
        net.constant(np.ones(5, "float32"))
        net.nodes.append(helper.make_node("Neg", ["x"], ["unread"], name="dead" if net.named else ""))
    return net.model()


def saved(model: onnx.ModelProto, folder: Path) -> ModelFile:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return ModelFile(str(path), "onnx", os.path.getsize(path))


def read_at(path: str | Path) -> Graph:
    return read(ModelFile(str(path), "onnx", os.path.getsize(path)))


def bypasses(graph: Graph) -> list[Splice]:
    """Each node of one input and one output, neither of which is an output of the model, left out."""
    tensors = infer(graph)
    return [
        Splice(frozenset({node.name}), moved={node.outputs[0]: node.inputs[0]})
        for node in graph.nodes
        if len(node.inputs) == len(node.outputs) == 1
        and node.outputs[0] not in graph.outputs
        and tensors[node.inputs[0]] == tensors[node.outputs[0]]
    ]


_NEW = ("Relu", "Tanh", "Swish", "HardSwish", "Mish", "Elu", "Softplus", "Relu6", "Gelu", "Identity")


def replacements(graph: Graph) -> list[Splice]:
    """Each activation with another in its place."""
    found = []
    for node in graph.nodes:
        for op in _NEW if node.op in ("Relu", "Sigmoid", "Tanh", "LeakyRelu") else ():
            if op == "Gelu" and graph.metadata["opset"] in (7,):
                continue
            attrs = {"max_value": 6.0} if op == "Relu6" else {"alpha": 0.5} if op == "Elu" else {}
            new = Node(node.name, op.rstrip("6"), node.inputs, node.outputs, attrs)
            found.append(Splice(frozenset({node.name}), (new,)))
    return found


def insertions(graph: Graph) -> list[Splice]:
    """A node put behind each value of four axes, for all that read it."""
    tensors = infer(graph)
    found = []
    for value in graph.consumers:
        shape = tensors[value].shape
        if value not in graph.outputs and shape is not None and len(shape) == 4:
            attrs = {"kernel": (1, 1), "channel_axis": 1}
            pool = Node("put in", "AveragePool", (value,), ("put in/out",), attrs)
            found.append(Splice(added=(pool,), moved={value: "put in/out"}))
    return found


def heads(graph: Graph) -> list[Splice]:
    """Flatten and its Dense as a convolution over the whole map and a global pool."""
    tensors = infer(graph)
    found = []
    for dense in graph.nodes:
        flat = graph.producers.get(dense.inputs[0]) if dense.op == "Dense" else None
        if flat is None or flat.op != "Flatten" or len(graph.consumers[flat.outputs[0]]) > 1:
            continue
        _, *shape = tensors[flat.inputs[0]].shape
        if len(shape) == 3:
            found.append(_head(flat, dense, tuple(shape)))
    return found


def _head(flat: Node, dense: Node, shape: tuple[int, ...]) -> Splice:
    units, transposed = dense.attrs["units"], dense.attrs.get("kernel_transposed")
    kernel = Param(f"{dense.name}/kernel", "kernel", (units, *shape))
    window = tuple(shape[1:])
    attrs = {"filters": units, "kernel": window, "channel_axis": 1}
    if dense.param("bias") is None:
        attrs["use_bias"] = False
    params = (kernel, *(param for param in dense.params if param.role == "bias"))
    conv = Node(dense.name, "Conv", flat.inputs, (f"{dense.name}/map",), attrs, params)
    pool = Node(f"{dense.name}/pool", "GlobalAveragePool", conv.outputs, dense.outputs, {"channel_axis": 1})
    source = dense.param("kernel").name
    made = Made((source,), lambda w: (w if transposed else w.T).reshape(units, *shape))
    return Splice(frozenset({flat.name, dense.name}), (conv, pool), tensors={kernel.name: made})


def removals(graph: Graph) -> list[Splice]:
    """All that nothing reads, taken out."""
    dead = {
        node.name
        for node in graph.nodes
        if not any(value in graph.consumers or value in graph.outputs for value in node.outputs)
    }
    return [Splice(frozenset(dead))] if dead else []


def free_batch(graph: Graph) -> list[Edit]:
    name, type_ = graph.inputs[0]
    return [SetInput(name, TensorType(type_.dtype, (None, *type_.shape[1:])))]


def free_size(graph: Graph) -> list[Edit]:
    name, type_ = graph.inputs[0]
    return [SetInput(name, TensorType(type_.dtype, (*type_.shape[:2], None, None)))]
