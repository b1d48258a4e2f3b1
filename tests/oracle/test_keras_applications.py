"""Every model of keras.applications: shapes of all layers, parameters and MACs equal the framework's own.

MACs are counted twice without archlint. Of every model, from Keras's layers: each element of a kernel is
used once per position of the output. Of the quick ones, by what TensorFlow registers as flops of the
operations in the traced graph, two of them a MAC. Both count convolutions and matrix products and nothing
else, as archlint does, and agree with it to the last one.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import pytest
from keras_compare import keras_counts, layer_shapes, output_shapes, read_json, total, trained

from archlint.facts import Facts

pytestmark = pytest.mark.oracle

_QUICK = (
    "ConvNeXtTiny DenseNet121 EfficientNetB0 EfficientNetV2B0 InceptionV3 MobileNet MobileNetV2 "
    "MobileNetV3Large MobileNetV3Small NASNetMobile ResNet50 ResNet50V2 VGG16 Xception"
)
_SLOW = (
    "ConvNeXtBase ConvNeXtLarge ConvNeXtSmall ConvNeXtXLarge DenseNet169 DenseNet201 EfficientNetB1 "
    "EfficientNetB2 EfficientNetB3 EfficientNetB4 EfficientNetB5 EfficientNetB6 EfficientNetB7 "
    "EfficientNetV2B1 EfficientNetV2B2 EfficientNetV2B3 EfficientNetV2L EfficientNetV2M EfficientNetV2S "
    "InceptionResNetV2 NASNetLarge ResNet101 ResNet101V2 ResNet152 ResNet152V2 VGG19"
)


@pytest.fixture
def keras(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Keras with weights of zeros, which need no random numbers: only shapes are compared."""
    keras = pytest.importorskip("keras")

    def zeros(_: Any, shape: Any, dtype: Any = None, **__: Any) -> Any:
        return keras.ops.zeros(shape, dtype or "float32")

    monkeypatch.setattr(keras.initializers.VarianceScaling, "__call__", zeros)
    monkeypatch.setattr(keras.initializers.RandomNormal, "__call__", zeros)
    yield keras
    keras.utils.clear_session()
    gc.collect()


@pytest.mark.parametrize(
    "name", [*_QUICK.split(), *(pytest.param(name, marks=pytest.mark.slow) for name in _SLOW.split())]
)
def test_an_application_is_read_as_keras_builds_it(name: str, keras: Any, tmp_path: Path) -> None:
    model = getattr(keras.applications, name)(weights=None)
    graph = read_json(model, tmp_path)
    assert [] == layer_shapes(model, graph)
    assert [tuple(output.shape) for output in model.outputs] == output_shapes(graph)
    assert keras_counts(model) == (total(graph), trained(graph))
    strangers = [node.name for node in graph.nodes if node.op == "Unknown"]
    assert len(strangers) <= len(graph.nodes) / 100, strangers
    if None in model.inputs[0].shape[1:]:
        model = getattr(keras.applications, name)(weights=None, input_shape=(224, 224, 3))
        graph = read_json(model, tmp_path)
    macs = Facts(graph, 1).macs
    assert _uses_of_kernels(model.layers) == macs
    if name in _QUICK.split():
        assert _half_the_flops(_traced(model)) == macs


def _uses_of_kernels(layers: list[Any]) -> int:
    """Multiply-accumulates of the layers that have a kernel, those of layers within layers too."""
    count = 0
    for layer in layers:
        count += _uses_of_kernels(getattr(layer, "layers", []))
        for name in ("kernel", "depthwise_kernel", "pointwise_kernel"):
            kernel = getattr(layer, name, None)
            if kernel is not None:
                assert layer.data_format == "channels_last" if len(kernel.shape) > 2 else True
                count += prod(kernel.shape) * prod(layer.output.shape[1:-1])
    return count


_COUNTED = ("Conv2D", "DepthwiseConv2dNative", "MatMul")


def _half_the_flops(graph: Any) -> float:
    """Half of the flops that TensorFlow registers for convolutions and products, within functions too."""
    from tensorflow.python.framework import ops

    count = 0.0
    for op in graph.get_operations():
        if op.type in _COUNTED:
            count += ops.get_stats_for_node_def(graph, op.node_def, "flops").value / 2
        elif op.type in ("PartitionedCall", "StatefulPartitionedCall"):
            count += _half_the_flops(graph._get_function(op.get_attr("f").name).graph)
    return count


def _traced(model: Any) -> Any:
    tf = pytest.importorskip("tensorflow")
    (source,) = model.inputs
    spec = tf.TensorSpec((1, *source.shape[1:]), source.dtype)
    call = tf.function(lambda x: model(x, training=False), autograph=False)
    return call.get_concrete_function(spec).graph


def test_every_application_is_in_the_list(keras: Any) -> None:
    exported = {name for name in dir(keras.applications) if name[0].isupper()}
    assert {*_QUICK.split(), *_SLOW.split()} == exported
