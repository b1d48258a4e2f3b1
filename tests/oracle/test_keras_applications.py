"""Every model of keras.applications: shapes of all layers and parameter counts equal Keras's own."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from keras_compare import keras_counts, layer_shapes, output_shapes, read_json, total, trained

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


def test_every_application_is_in_the_list(keras: Any) -> None:
    exported = {name for name in dir(keras.applications) if name[0].isupper()}
    assert {*_QUICK.split(), *_SLOW.split()} == exported
