"""Networks with a flattened head that the literature knows, as Keras, PyTorch and tf2onnx write them.

Topologies are those of the papers and of torchvision; ``width`` divides the channels and the hidden units,
and is 1 for the real thing. Weights are random, scaled so that every layer keeps the size of its numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
"""Models that the onnx package ships, whose weights are made while they run."""


@dataclass(frozen=True)
class Conv:
    filters: int
    kernel: int = 3
    stride: int = 1
    pad: int = 1


@dataclass(frozen=True)
class Pool:
    kernel: int = 2
    stride: int = 2
    op: str = "Max"


@dataclass(frozen=True)
class Adaptive:
    """A pool to the size that the map has already: exporters write a 1×1 average pool, Keras has none."""


@dataclass(frozen=True)
class Norm:
    """A batch normalization."""


@dataclass(frozen=True)
class Network:
    """Images of ``size`` × ``size`` × ``channels``, convolutions, hidden dense layers, and classes."""

    size: int
    channels: int
    body: tuple[Conv | Pool | Adaptive | Norm, ...]
    hidden: tuple[int, ...]
    classes: int
    activation: str = "relu"

    def narrowed(self, width: int) -> Network:
        """The same topology with fewer channels and units."""
        if width == 1:
            return self
        body = tuple(
            Conv(max(4, step.filters // width), step.kernel, step.stride, step.pad)
            if isinstance(step, Conv)
            else step
            for step in self.body
        )
        hidden = tuple(max(8, units // width) for units in self.hidden)
        return Network(self.size, self.channels, body, hidden, self.classes, self.activation)

    @property
    def larger(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Two sizes, one of them no square, that the network cannot run at before it is unlocked."""
        step = self.size // 7
        return (self.size + step,) * 2, (self.size + 2 * step, self.size)


def _vgg(*counts: int) -> tuple[Conv | Pool | Adaptive | Norm, ...]:
    """Simonyan and Zisserman 2015, https://arxiv.org/abs/1409.1556, table 1."""
    body: list[Conv | Pool | Adaptive | Norm] = []
    for filters, count in zip((64, 128, 256, 512, 512), counts, strict=True):
        body += [Conv(filters)] * count + [Pool()]
    return (*body, Adaptive())


NETWORKS: Mapping[str, Network] = {
    "vgg16": Network(224, 3, _vgg(2, 2, 3, 3, 3), (4096, 4096), 1000),
    "vgg19": Network(224, 3, _vgg(2, 2, 4, 4, 4), (4096, 4096), 1000),
    # torchvision's, after Krizhevsky 2014, https://arxiv.org/abs/1404.5997.
    "alexnet": Network(
        224,
        3,
        (
            *(Conv(64, 11, 4, 2), Pool(3, 2), Conv(192, 5, 1, 2), Pool(3, 2)),
            *(Conv(384), Conv(256), Conv(256), Pool(3, 2), Adaptive()),
        ),
        (4096, 4096),
        1000,
    ),
    # LeCun et al. 1998, https://doi.org/10.1109/5.726791, with dense layers in place of C5 and the RBF units.
    "lenet": Network(
        32,
        1,
        (Conv(6, 5, 1, 0), Pool(op="Average"), Conv(16, 5, 1, 0), Pool(op="Average")),
        (120, 84),
        10,
        "tanh",
    ),
    # The model of the first issue: 11,574,090 parameters, of them 11,505,728 behind Flatten.
    "tutorial": Network(
        224,
        3,
        (
            *(Conv(32, pad=0), Conv(32, pad=0), Pool(), Norm()),
            *(Conv(64, pad=0), Conv(64, pad=0), Pool(), Norm()),
        ),
        (64, 32),
        10,
    ),
}


def keras_model(network: Network) -> Any:
    """The network as a Keras model."""
    import keras
    from keras import layers

    ahead = {"kernel_initializer": "he_normal", "bias_initializer": "random_normal"}
    parts: list[Any] = [keras.Input((network.size, network.size, network.channels))]
    for step in network.body:
        if isinstance(step, Conv):
            same = step.stride == 1 and step.pad == step.kernel // 2
            if step.pad and not same:
                parts.append(layers.ZeroPadding2D(step.pad))
            padding = "same" if step.pad and same else "valid"
            kind: dict[str, Any] = {"padding": padding, "activation": network.activation, **ahead}
            parts.append(layers.Conv2D(step.filters, step.kernel, step.stride, **kind))
        elif isinstance(step, Pool):
            parts.append(getattr(layers, f"{step.op}Pooling2D")(step.kernel, step.stride))
        elif isinstance(step, Norm):
            parts.append(layers.BatchNormalization())
    parts.append(layers.Flatten())
    for units in network.hidden:
        parts += [layers.Dense(units, network.activation, **ahead), layers.Dropout(0.5)]
    return keras.Sequential([*parts, layers.Dense(network.classes, "softmax", **ahead)])


class _Torch:
    """An ONNX graph in PyTorch's manner: NCHW, Flatten, Gemm with transB, sizes worked out."""

    def __init__(self, network: Network) -> None:
        self.random = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self.value, self.channels, self.size = "input", network.channels, network.size
        self.activation = network.activation.capitalize()

    def add(self, op: str, *stored: np.ndarray, **attrs: Any) -> None:
        names = []
        for array in stored:
            names.append(f"tensor.{len(self.tensors)}")
            self.tensors.append(numpy_helper.from_array(array, names[-1]))
        out = f"/{op}_{len(self.nodes)}_output_0"
        self.nodes.append(helper.make_node(op, [self.value, *names], [out], out[:-9], **attrs))
        self.value = out

    def weights(self, *shape: int) -> tuple[np.ndarray, np.ndarray]:
        spread = np.float32(np.sqrt(2 / np.prod(shape[1:])))
        bias = self.random.standard_normal(shape[0], np.float32) * np.float32(0.1)
        return self.random.standard_normal(shape, np.float32) * spread, bias

    def step(self, step: Conv | Pool | Adaptive | Norm) -> None:
        if isinstance(step, Norm):
            stats = (self.random.uniform(0.5, 1.5, self.channels).astype("float32") for _ in range(4))
            self.add("BatchNormalization", *stats, epsilon=1e-5)
            return
        kernel = 1 if isinstance(step, Adaptive) else step.kernel
        stride, pad = getattr(step, "stride", 1), getattr(step, "pad", 0)
        attrs = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
        if isinstance(step, Conv):
            self.add("Conv", *self.weights(step.filters, self.channels, kernel, kernel), **attrs)
            self.add(self.activation)
            self.channels = step.filters
        else:
            self.add(f"{getattr(step, 'op', 'Average')}Pool", **attrs)
        self.size = (self.size + 2 * pad - kernel) // stride + 1

    def head(self, network: Network) -> None:
        self.add("Flatten", axis=1)
        width = self.channels * self.size**2
        for at, units in enumerate((*network.hidden, network.classes)):
            self.add("Gemm", *self.weights(units, width), alpha=1.0, beta=1.0, transB=1)
            if at < len(network.hidden):
                self.add(self.activation)
            width = units
        self.add("Softmax", axis=1)


def torch_model(network: Network) -> onnx.ModelProto:
    """The network as PyTorch's TorchScript exporter writes it, with a free batch."""
    made = _Torch(network)
    for step in network.body:
        made.step(step)
    made.head(network)
    made.nodes[-1].output[0] = "output"
    shape = ["batch", network.channels, network.size, network.size]
    graph = helper.make_graph(
        made.nodes,
        "main_graph",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", network.classes])],
        made.tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def light_model(name: str, width: int) -> onnx.ModelProto:
    """One of the ``LIGHT`` models, weights stored, channels and hidden units divided by ``width``."""
    model = onnx.load(LIGHT / f"light_{name}.onnx")
    random = np.random.default_rng(0)
    graph = model.graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    made = {node.output[0]: stored[node.input[0]] for node in graph.node if node.op_type == "ConstantOfShape"}
    kept = [node for node in graph.node if node.op_type != "ConstantOfShape"]
    read = {name for node in kept for name in node.input}
    del graph.node[:], graph.initializer[:]
    graph.node.extend(kept)
    for name_, array in stored.items():
        if name_ not in read:
            continue
        if array.dtype.kind == "f":
            array = array[tuple(slice(length) for length in _narrow(np.array(array.shape), width))]
        else:
            array = _narrow(array, width)
        graph.initializer.append(numpy_helper.from_array(array, name_))
    for name_, shape in made.items():
        dims = _narrow(shape, width)
        spread = np.sqrt(2 / max(1, np.prod(dims[1:]))) if len(dims) > 1 else 0.1
        values = random.standard_normal(dims, np.float32) * np.float32(spread)
        graph.initializer.append(numpy_helper.from_array(values, name_))
    inputs = [held for held in graph.input if held.name not in stored]
    del graph.input[:]
    graph.input.extend(inputs)
    return model


def _narrow(lengths: np.ndarray, width: int) -> np.ndarray:
    """Numbers of channels and units divided; kernels, colours and the 1,000 classes stay."""
    return np.where((lengths >= 32) & (lengths != 1000), np.maximum(lengths // width, 1), lengths)
