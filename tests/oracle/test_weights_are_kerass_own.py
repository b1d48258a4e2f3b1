"""Every param that is read from a file is the value of the variable that Keras would load there."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from archlint.formats import find, open_weights, read

pytestmark = pytest.mark.oracle


def cnn(keras: ModuleType) -> Any:
    layers = keras.layers
    x = keras.Input((16, 16, 3))
    y = layers.BatchNormalization()(layers.Conv2D(4, 3, name="z")(x))
    y = layers.DepthwiseConv2D(3)(layers.SeparableConv2D(6, 3)(y))
    y = layers.PReLU()(layers.Conv2D(5, 3, use_bias=False, name="a")(y))
    y = layers.Conv2DTranspose(4, 3)(y)
    return keras.Model(x, layers.Dense(3)(layers.GlobalAveragePooling2D()(y)))


def nested(keras: ModuleType) -> Any:
    """Models in a model, one of them partly frozen: a ``.h5`` lists trainable variables first."""
    layers = keras.layers
    base = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Conv2D(4, 3)],
        name="base",
    )
    base.layers[0].trainable = False
    i = keras.Input((4, 4, 4))
    inner = keras.Model(i, layers.LayerNormalization()(layers.Conv2D(2, 2)(i)), name="inner")
    x = keras.Input((8, 8, 3))
    return keras.Model(x, layers.Dense(3)(layers.Flatten()(inner(base(x)))))


def shared(keras: ModuleType) -> Any:
    dense = keras.layers.Dense(5, name="twice")
    a, b = keras.Input((4,)), keras.Input((4,))
    both = keras.layers.Concatenate()([dense(a), dense(b)])
    return keras.Model([a, b], keras.layers.Dense(2)(both))


def rnn(keras: ModuleType) -> Any:
    layers = keras.layers
    x = keras.Input((7,))
    y = layers.Embedding(11, 6)(x)
    y = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(y)
    y = layers.SimpleRNN(3, return_sequences=True)(layers.GRU(3, return_sequences=True)(y))
    y = layers.TimeDistributed(layers.Dense(4))(y)
    y = layers.LSTM(3, dropout=0.2)(y)
    return keras.Model(x, layers.Dense(2)(y))


def attention(keras: ModuleType) -> Any:
    layers = keras.layers
    x = keras.Input((7, 8))
    y = layers.LayerNormalization()(layers.Add()([x, layers.MultiHeadAttention(2, 4)(x, x)]))
    y = layers.MultiHeadAttention(2, 4, use_bias=False, value_dim=3)(layers.Dense(8)(y), x)
    return keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling1D()(y)))


def wrapped(keras: ModuleType) -> Any:
    layers = keras.layers
    x = keras.Input((8, 8, 3))
    y = layers.SpectralNormalization(layers.Conv2D(4, 3, padding="same"))(x)
    y = layers.GroupNormalization(2)(y)
    steps = keras.Sequential([keras.Input((8, 4)), layers.Conv1D(3, 2), layers.BatchNormalization()])
    y = layers.ConvLSTM1D(3, 2)(layers.TimeDistributed(steps)(y))
    return keras.Model(x, layers.Dense(2)(layers.Flatten()(y)))


CASES = [
    ("keras", build, suffix)
    for build in (cnn, nested, shared, rnn, attention, wrapped)
    for suffix in ("keras", "h5")
] + [
    ("tf_keras", build, suffix)
    for build in (cnn, nested, shared, rnn, attention)
    for suffix in ("keras", "h5")
]


@pytest.mark.parametrize(("framework", "build", "suffix"), CASES)
def test_each_param_is_the_variable_of_keras(
    framework: str, build: Callable[[ModuleType], Any], suffix: str, tmp_path: Path
) -> None:
    keras = pytest.importorskip(framework)
    import numpy as np

    model = build(keras)
    draw = np.random.default_rng(0)
    model.set_weights([draw.normal(size=weight.shape) for weight in model.get_weights()])
    path = tmp_path / f"model.{suffix}"
    model.save(path)
    (file,) = find([str(path)])
    graph = read(file)
    weights = open_weights(file, graph)
    params = {param.name: param for node in graph.nodes for param in node.params}
    stored = {getattr(weight, "path", weight.name): np.asarray(weight) for weight in model.weights}
    assert () == weights.mismatches()
    assert len(stored) == len(params)
    for name, param in params.items():
        values = weights.read(param)
        assert values is not None, name
        assert param.shape == values.shape
        same = [key for key, one in stored.items() if one.shape == values.shape and (one == values).all()]
        assert len(same) == 1, name  # every variable has values of its own
        role = param.role.rpartition("_")[2]
        assert role in same[0], (name, same)
