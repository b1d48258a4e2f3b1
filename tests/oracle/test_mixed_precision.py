"""Under a mixed dtype policy every value has the element type that Keras gives it."""

from __future__ import annotations

from typing import Any

import pytest
from keras_compare import read_json

from archlint.facts import Facts
from archlint.ops import infer

pytestmark = pytest.mark.oracle


def image_model(k: Any) -> Any:
    """Every kind of layer of an image network, with heads in half, single and mixed precision."""
    x = k.Input((32, 32, 3), dtype="uint8")
    y = k.layers.Rescaling(1 / 255)(x)
    y = k.layers.Conv2D(8, 3, activation="relu")(y)
    y = k.layers.SeparableConv2D(8, 3)(k.layers.BatchNormalization()(y))
    y = k.layers.Add()([y, k.layers.Conv2D(8, 1)(y)])
    y = k.ops.relu(y) * 2.0 + 1
    y = k.layers.LayerNormalization()(k.layers.GlobalAveragePooling2D()(y))
    half = k.layers.Dense(3, activation="softmax")(k.layers.Dropout(0.1)(y))
    whole = k.layers.Activation("softmax", dtype="float32")(k.layers.Dense(3)(y))
    return k.Model(x, [half, whole, k.layers.Dense(1, activation="sigmoid", dtype="float32")(y)])


def text_model(k: Any) -> Any:
    """Words, recurrent layers, attention, and a nested model."""
    words = k.Input((12,), dtype="int32")
    y = k.layers.Embedding(50, 8)(words)
    y = k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True))(y)
    y = k.layers.Add()([y, k.layers.MultiHeadAttention(2, 4)(y, y)])
    y = k.layers.TimeDistributed(k.layers.Dense(6, activation="gelu"))(y)
    y = k.layers.GRU(3)(y)
    inner = k.Sequential([k.Input((3,)), k.layers.Dense(4, activation="tanh"), k.layers.Dense(2)])
    return k.Model(words, [inner(y), k.layers.Dense(2, dtype="float32")(y)])


@pytest.fixture(params=["mixed_float16", "mixed_bfloat16", "float16", "float32"])
def policy(request: pytest.FixtureRequest) -> Any:
    keras = pytest.importorskip("keras")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("build", [image_model, text_model])
def test_values_have_the_types_that_keras_gives_them(policy: str, build: Any, tmp_path: Any) -> None:
    import keras

    model = build(keras)
    graph = read_json(model, tmp_path)
    known = infer(graph)
    expected = {one.name: keras.backend.standardize_dtype(one.output.dtype) for one in model.operations}
    last = {node.origin.address[0]: node for node in graph.nodes if node.op != "Constant"}
    assert [keras.backend.standardize_dtype(out.dtype) for out in model.outputs] == [
        known[value].dtype for value in graph.outputs
    ]
    assert {name: known[node.outputs[0]].dtype for name, node in last.items()} == {
        name: dtype for name, dtype in expected.items() if name in last
    }
    assert len(last) >= 6


def test_params_keep_the_type_that_they_are_stored_in(tmp_path: Any) -> None:
    keras = pytest.importorskip("keras")
    x = keras.Input((8,))
    model = keras.Model(x, keras.layers.Dense(3, dtype="mixed_float16")(x))
    (node,) = read_json(model, tmp_path).nodes
    assert node.attrs["compute_dtype"] == "float16"
    assert {"float32"} == {param.dtype for param in node.params}


def test_activations_in_half_precision_take_half_the_memory(tmp_path: Any) -> None:
    keras = pytest.importorskip("keras")
    peaks = []
    for policy in ("float32", "mixed_float16"):
        x = keras.Input((16,), dtype="float16")
        y = keras.layers.Dense(1000, dtype=policy)(x)
        y = keras.layers.Dense(1000, dtype=policy)(y)
        peaks.append(Facts(read_json(keras.Model(x, y), tmp_path)).activation_peak)
    assert peaks == [8000, 4000]


def test_tensors_like_others_have_their_shapes_and_types(tmp_path: Any) -> None:
    keras = pytest.importorskip("keras")
    x, words = keras.Input((4,)), keras.Input((3, 2), dtype="int32")
    ops = keras.ops
    like = (ops.ones_like(x) * x, ops.zeros_like(words), ops.ones_like(words, dtype="float16"))
    graph = read_json(keras.Model([x, words], like), tmp_path)
    known = [infer(graph)[value] for value in graph.outputs]
    assert [("float32", ("N", 4)), ("int32", ("N", 3, 2)), ("float16", ("N", 3, 2))] == [
        (tensor.dtype, tensor.shape) for tensor in known
    ]
