"""ONNX models with a flattened head, in every way in which exporters write one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

ORDERS = ("torch", "torch-matmul", "tf2onnx", "tf2onnx-relu", "channels-last")
"""Flatten of NCHW into Gemm transB=1, some with alpha and beta, or MatMul; transposed to NHWC first; a map
that is NHWC as it comes."""

_ACTIVATIONS = ("Relu", "Sigmoid", "Tanh", "LeakyRelu", "Elu", "Softplus", None)
_BETWEEN = ("", "norm", "drop", "Relu", "norm drop", "drop norm", "Relu norm", "norm Tanh")


@dataclass
class Builder:
    """Nodes and tensors of a graph, put together in order."""

    rng: np.random.Generator

    def __post_init__(self):
        self.nodes, self.tensors = [], []

    def add(self, op, *inputs, **attrs):
        name = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [f"{name}_out"], name=name, **attrs))
        return f"{name}_out"

    def stored(self, array, dtype="float32"):
        name = f"w{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def weights(self, *shape):
        fan = max(1, int(np.prod(shape[1:])))
        return self.stored(self.rng.normal(size=shape) / np.sqrt(fan))

    def norm(self, value, size):
        stats = [self.rng.uniform(0.5, 1.5, size) for _ in range(4)]
        return self.add("BatchNormalization", value, *(self.stored(one) for one in stats), epsilon=1e-3)

    def step(self, what, value, size):
        if what == "norm":
            return self.norm(value, size)
        return self.add("Dropout", value) if what == "drop" else self.add(what, value)


@st.composite
def heads(draw):
    """(model, shape of the input behind the batch, its spatial axes counted from the batch)."""
    order = draw(st.sampled_from(ORDERS))
    axes = draw(st.integers(1, 3))
    lengths = draw(st.lists(st.integers(4, 7), min_size=axes, max_size=axes))
    gray = order.startswith("tf2onnx") and draw(st.booleans())
    channels, filters = 1 if gray else draw(st.integers(1, 3)), draw(st.integers(1, 4))
    make = Builder(np.random.default_rng(draw(st.integers(0, 10**6))))
    window = [draw(st.integers(1, 3)) for _ in lengths]
    back = (0, *range(2, axes + 2), 1)
    value = "x"
    if gray:  # tf2onnx moves a single channel by a Reshape, to the size that the image has
        value = make.add("Reshape", value, make.stored([-1, 1, *lengths], "int64"))
    value = make.add("Conv", value, make.weights(filters, channels, *window), make.weights(filters))
    value = make.add("Relu", value)
    if draw(st.booleans()):
        value = make.add("MaxPool", value, kernel_shape=[2] * axes, strides=[1] * axes)
        window = [length + 1 for length in window]
    size = filters * int(np.prod([a - b + 1 for a, b in zip(lengths, window, strict=True)]))
    if order.startswith("tf2onnx"):
        value = make.add("Transpose", value, perm=back)
        value = make.add("Relu", value) if order.endswith("relu") else value
    elif order == "channels-last":
        value = make.add("Transpose", value, perm=back)
        value = make.add("Mul", value, make.stored(np.full((1,) * (axes + 2), 1.5)))
    value = make.add("Flatten", value)
    for what in draw(st.sampled_from(_BETWEEN)).split():
        value = make.step(what, value, size)
    value = _layers(draw, make, value, size, order)
    ends = draw(st.sampled_from(("Softmax", "Sigmoid", "Identity", None)))
    if ends:
        value = make.add(ends, value)
    make.nodes[-1].output[0] = "y"
    shape = [*lengths, channels] if gray else [channels, *lengths]
    first = 1 if gray else 2
    return _model(make, shape, axes), tuple(shape), tuple(range(first, first + axes))


def _layers(draw, make, value, size, order):
    for _ in range(draw(st.integers(1, 3))):
        units = draw(st.integers(1, 5))
        bias = draw(st.booleans())
        if order == "torch":
            extra = [make.weights(units)] if bias else []
            factors = draw(st.sampled_from(({}, {}, {"alpha": 0.5}, {"alpha": 2.0, "beta": 0.25})))
            value = make.add("Gemm", value, make.weights(units, size), *extra, transB=1, **factors)
        else:
            value = make.add("MatMul", value, make.weights(size, units))
            value = make.add("Add", value, make.weights(units)) if bias else value
        size = units
        for what in (draw(st.sampled_from((None, "norm", "drop"))), draw(st.sampled_from(_ACTIVATIONS))):
            value = make.step(what, value, size) if what else value
    return value


def _model(make, shape, axes):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *shape])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", None])
    graph = helper.make_graph(make.nodes, "g", [x], [y], make.tensors)
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 15)])
