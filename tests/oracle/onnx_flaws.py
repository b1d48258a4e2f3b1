"""ONNX models with the flaws that rewrites mend, put together at random."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx_heads import Builder


class Net:
    """A chain of nodes on one value of a known shape."""

    def __init__(self, draw, make, shape):
        self.draw, self.make, self.shape, self.value = draw, make, shape, "x"

    def pick(self, *choices):
        return self.draw(st.sampled_from(choices))

    def add(self, op, *more, shape=None, **attrs):
        self.value = self.make.add(op, self.value, *more, **attrs)
        self.shape = self.shape if shape is None else shape

    def conv(self, kernel, filters=None, bias=True, **attrs):
        channels, height, width = self.shape
        filters = filters or self.pick(1, 2, 4)
        extra = [self.make.weights(filters)] if bias else []
        pads = attrs.get("pads", [0] * 4)
        size = [
            n + pads[at] + pads[at + 2] - k + 1
            for at, (n, k) in enumerate(zip((height, width), kernel, strict=True))
        ]
        weights = self.make.weights(filters, channels, *kernel)
        self.add("Conv", weights, *extra, shape=(filters, *size), **attrs)

    def norm(self):
        self.value = self.make.norm(self.value, self.shape[0])


def biased(net):
    net.conv((3, 3), bias=True, pads=[1] * 4)
    net.norm()
    net.add(net.pick("Relu", "Tanh"))


def twice_normed(net):
    net.conv((1, 1), bias=net.pick(True, False))
    net.norm()
    net.norm()
    net.add("Relu")


def folded(net):
    net.conv((3, 3), bias=net.pick(True, False), pads=[1] * 4)
    shape = (net.shape[0], 1, 1)
    net.add("Mul", net.make.stored(net.make.rng.uniform(0.5, 2, shape)))
    net.add("Add", net.make.stored(net.make.rng.normal(size=shape)))
    net.add("Relu")


def linear(net):
    first, second = net.pick(((3, 3), (1, 1)), ((1, 1), (1, 1)), ((1, 1), (3, 3)))
    net.conv(first, filters=net.pick(2, 8), bias=net.pick(True, False), pads=[first[0] // 2] * 4)
    net.add("Dropout") if net.pick(True, False) else None
    net.conv(second, filters=net.pick(1, 2), bias=net.pick(True, False))
    net.add("Relu")


def transposed(net):
    net.add("Transpose", perm=[0, 2, 3, 1])
    net.add(net.pick("Relu", "Sigmoid")) if net.pick(True, False) else None
    net.add("Transpose", perm=[0, 3, 1, 2])


def padded(net):
    pads = net.make.stored([0, 0, 1, 0, 0, 0, 2, 1], "int64")
    channels, height, width = net.shape
    net.add("Pad", pads, shape=(channels, height + 3, width + 1))
    net.conv((3, 3), pads=[0, 1, 0, 1])
    net.add("Relu")


def idle(net):
    kind = net.pick("Identity", "Dropout", "Mul", "Reshape", "Transpose")
    if kind == "Mul":
        net.add("Mul", net.make.stored(np.ones(())))
    elif kind == "Reshape":
        net.add("Reshape", net.make.stored([0, *net.shape], "int64"))
    else:
        net.add(kind, **({"perm": [0, 1, 2, 3]} if kind == "Transpose" else {}))


def again(net):
    start = net.value
    net.add("Sigmoid")
    one = net.value
    net.value = start
    net.add("Sigmoid")
    net.add("Mul", one)


def spare(net):
    net.make.weights(3, 4)
    net.make.add("Relu", net.value)


FLAWS = (biased, twice_normed, folded, linear, transposed, padded, idle, again, spare)


def _scores(net):
    channels, height, width = net.shape
    if net.pick(True, False):
        net.add(net.pick("AveragePool", "MaxPool"), kernel_shape=[height, width], shape=(channels, 1, 1))
    net.add("Flatten", shape=(int(np.prod(net.shape)),))
    for units in (net.pick(3, 4), net.pick(2, 5)):
        net.add(
            "Gemm", net.make.weights(units, net.shape[0]), net.make.weights(units), shape=(units,), transB=1
        )
        if net.pick(True, False):
            net.norm()
            net.add("Relu")
    if net.pick(True, False):
        net.add("Softmax", axis=1)
        net.add("ArgMax", axis=1, shape=())


@st.composite
def flawed(draw):
    """(model, shape of the input behind the batch)."""
    make = Builder(np.random.default_rng(draw(st.integers(0, 10**6))))
    shape = (draw(st.integers(1, 3)), draw(st.integers(7, 10)), draw(st.integers(7, 10)))
    net = Net(draw, make, shape)
    for flaw in draw(st.lists(st.sampled_from(FLAWS), min_size=1, max_size=4)):
        if min(net.shape[1:]) > 3:
            flaw(net)
    _scores(net)
    out = make.nodes[-1]
    if out.op_type == "Dropout":
        make.add("Relu", net.value)
        out = make.nodes[-1]
    out.output[0] = "y"
    kind = TensorProto.INT64 if out.op_type == "ArgMax" else TensorProto.FLOAT
    graph = helper.make_graph(
        make.nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *shape])],
        [helper.make_tensor_value_info("y", kind, ["N", None])],
        make.tensors,
    )
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 15)]), shape
