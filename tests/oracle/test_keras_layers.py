"""Every layer of keras.layers: the shapes and parameter counts that archlint reads equal Keras's own."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from keras_compare import keras_counts, output_shapes, read_json, total, trained, unknown
from keras_layer_rows import ELSEWHERE, NOT_LAYERS, ROWS, Row

pytestmark = pytest.mark.oracle


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras")


def _compare(model: Any, folder: Path) -> None:
    graph = read_json(model, folder)
    assert unknown(graph) == []
    assert output_shapes(graph) == [tuple(output.shape) for output in model.outputs]
    assert (total(graph), trained(graph)) == keras_counts(model)


def _name(row: Row) -> str:
    return f"{row[0]}-{'-'.join(f'{key}={value}' for key, value in row[1].items())}-{row[2]}".replace(" ", "")


def _dtype(name: str, index: int) -> str:
    text = ("StringLookup", "TextVectorization")
    whole = (
        "Embedding",
        "ReversibleEmbedding",
        "Hashing",
        "HashedCrossing",
        "IntegerLookup",
        "CategoryEncoding",
    )
    return "string" if name in text else "int32" if name in whole else "float32"


@pytest.mark.parametrize("row", ROWS, ids=_name)
def test_a_layer_has_the_shape_and_the_parameters_that_keras_gives_it(
    row: Row, keras: Any, tmp_path: Path
) -> None:
    name, settings, shapes = row
    keras.utils.clear_session()
    inputs = [keras.Input(shape, dtype=_dtype(name, index)) for index, shape in enumerate(shapes)]
    layer = getattr(keras.layers, name)(**settings)
    if "Attention" in name and name not in ("Attention", "AdditiveAttention"):
        outputs = layer(*inputs)
    else:
        outputs = layer(inputs if len(inputs) > 1 else inputs[0])
    _compare(keras.Model(inputs, outputs), tmp_path)


def _wrapped(keras: Any) -> dict[str, tuple[Any, tuple[int | None, ...]]]:
    layers = keras.layers
    cells = [layers.LSTMCell(6), layers.GRUCell(5, reset_after=False), layers.SimpleRNNCell(4)]
    inner = keras.Sequential(
        [layers.Input((8, 9, 3)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)]
    )
    return {
        "bidirectional": (layers.Bidirectional(layers.LSTM(6)), (12, 5)),
        "bidirectional states": (
            layers.Bidirectional(layers.GRU(6, return_sequences=True, return_state=True)),
            (12, 5),
        ),
        "bidirectional apart": (layers.Bidirectional(layers.SimpleRNN(6), merge_mode=None), (12, 5)),
        "bidirectional sum": (layers.Bidirectional(layers.LSTM(6), merge_mode="sum"), (12, 5)),
        "bidirectional conv": (
            layers.Bidirectional(layers.ConvLSTM2D(4, 3, return_sequences=True)),
            (4, 8, 9, 3),
        ),
        "rnn": (layers.RNN(layers.LSTMCell(6), return_sequences=True), (12, 5)),
        "rnn simple": (layers.RNN(layers.SimpleRNNCell(6)), (12, 5)),
        "rnn stacked": (layers.RNN(cells), (12, 5)),
        "pipeline": (layers.Pipeline([layers.Resizing(5, 6), layers.Rescaling(2.0)]), (8, 9, 3)),
        "spectral dense": (layers.SpectralNormalization(layers.Dense(4)), (5,)),
        "spectral conv": (layers.SpectralNormalization(layers.Conv2D(4, 3, activation="relu")), (8, 9, 3)),
        "steps dense": (layers.TimeDistributed(layers.Dense(4, activation="relu")), (12, 5)),
        "steps conv": (layers.TimeDistributed(layers.Conv2D(4, 3, activation="relu")), (4, 8, 9, 3)),
        "steps depthwise": (layers.TimeDistributed(layers.DepthwiseConv2D(3)), (4, 8, 9, 3)),
        "steps norm": (layers.TimeDistributed(layers.BatchNormalization()), (4, 8, 9, 3)),
        "steps pool": (layers.TimeDistributed(layers.GlobalAveragePooling2D()), (4, 8, 9, 3)),
        "steps flatten": (layers.TimeDistributed(layers.Flatten()), (4, 8, 9, 3)),
        "steps recurrent": (layers.TimeDistributed(layers.LSTM(3)), (4, 8, 5)),
        "steps model": (layers.TimeDistributed(inner), (4, 8, 9, 3)),
        "steps of steps": (layers.TimeDistributed(layers.TimeDistributed(layers.Dense(4))), (4, 6, 5)),
    }


WRAPPERS = (
    "bidirectional",
    "bidirectional states",
    "bidirectional apart",
    "bidirectional sum",
    "bidirectional conv",
    "rnn",
    "rnn simple",
    "rnn stacked",
    "pipeline",
    "spectral dense",
    "spectral conv",
    "steps dense",
    "steps conv",
    "steps depthwise",
    "steps norm",
    "steps pool",
    "steps flatten",
    "steps recurrent",
    "steps model",
    "steps of steps",
)


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_wrapper_has_the_shape_and_the_parameters_of_what_it_holds(
    name: str, keras: Any, tmp_path: Path
) -> None:
    layer, shape = _wrapped(keras)[name]
    inputs = keras.Input(shape)
    _compare(keras.Model(inputs, layer(inputs)), tmp_path)


def test_every_layer_that_keras_exports_has_a_row(keras: Any) -> None:
    exported = {name for name, cls in vars(keras.layers).items() if inspect.isclass(cls)}
    covered = {getattr(keras.layers, row[0]) for row in ROWS if hasattr(keras.layers, row[0])}
    covered |= {
        getattr(keras.layers, name) for name in (*ELSEWHERE, *NOT_LAYERS) if hasattr(keras.layers, name)
    }
    assert [] == sorted(name for name in exported if getattr(keras.layers, name) not in covered)
