"""Models of many kinds, each as a function of the framework that builds it: keras or tf_keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def nested(k: Any) -> Any:
    """A model within a model within a model, each level called once."""
    inner = k.Sequential(
        [k.Input((6, 6, 4)), k.layers.Conv2D(5, 3, activation="relu"), k.layers.BatchNormalization()],
        name="inner",
    )
    x = k.Input((8, 8, 3))
    y = inner(k.layers.Conv2D(4, 3)(x))
    middle = k.Model(x, k.layers.GlobalAveragePooling2D(keepdims=True)(y), name="middle")
    image = k.Input((8, 8, 3), name="image")
    y = k.layers.Flatten()(middle(k.layers.Rescaling(1 / 255)(image)))
    return k.Model(image, k.layers.Dense(2, activation="softmax")(y), name="outer")


def shared(k: Any) -> Any:
    """A layer, and a model with a model in it, that are each called three times."""
    core = k.Sequential([k.Input((7,)), k.layers.Dense(7, activation="tanh")], name="core")
    x = k.Input((7,))
    tower = k.Model(x, k.layers.Add()([x, core(core(x))]), name="tower")
    inputs = [k.Input((7,), name=name) for name in ("one", "two", "three")]
    last = k.layers.Dense(3, name="last")
    outputs = [last(tower(x)) for x in inputs]
    return k.Model(inputs, k.layers.Average()(outputs))


def outputs_of_a_shared_model(k: Any) -> Any:
    """The calls of one model are themselves the outputs."""
    x = k.Input((5,))
    tower = k.Model(x, [k.layers.Dense(2)(x), k.layers.Dense(3)(x)], name="tower")
    one, two = k.Input((5,)), k.Input((5,))
    return k.Model([one, two], [*tower(one), *tower(two)])


def dictionaries(k: Any) -> Any:
    """Inputs and outputs as objects; the nested model takes and gives objects as well."""
    ends = {name: k.Input((size,), name=name) for name, size in (("wide", 6), ("deep", 4))}
    joined = k.layers.Concatenate()([ends["wide"], ends["deep"]])
    head = k.Model(ends, {"score": k.layers.Dense(1)(joined), "kind": k.layers.Dense(3)(joined)}, name="head")
    inputs = {"wide": k.Input((6,), name="wide_in"), "deep": k.Input((4,), name="deep_in")}
    found = head(inputs)
    outputs = {"score": k.layers.Activation("sigmoid", name="score")(found["score"]), "kind": found["kind"]}
    return k.Model(list(inputs.values()), outputs)


def wrappers(k: Any) -> Any:
    """Layers that hold layers, in a chain."""
    frames = k.Input((4, 12, 12, 3), name="frames")
    x = k.layers.TimeDistributed(k.layers.Conv2D(4, 3, activation="relu"))(frames)
    x = k.layers.TimeDistributed(
        k.Sequential([k.Input((10, 10, 4)), k.layers.MaxPooling2D(), k.layers.Flatten()])
    )(x)
    x = k.layers.Bidirectional(k.layers.LSTM(5, return_sequences=True), merge_mode="sum")(x)
    x = k.layers.Bidirectional(k.layers.GRU(3))(x)
    return k.Model(frames, k.layers.Dense(2)(x))


def sequences(k: Any) -> Any:
    """Masks, states handed from an encoder to a decoder, stacked cells."""
    words, more = k.Input((None,), dtype="int32"), k.Input((None,), dtype="int32")
    embed = k.layers.Embedding(20, 6, mask_zero=True)
    _, *states = k.layers.LSTM(5, return_state=True)(embed(words))
    x = k.layers.LSTM(5, return_sequences=True)(embed(more), initial_state=states)
    x = k.layers.RNN([k.layers.GRUCell(4), k.layers.SimpleRNNCell(3)], return_sequences=True)(x)
    x = k.layers.Attention()([x, x])
    return k.Model([words, more], k.layers.Dense(20, activation="softmax")(x))


def preprocessing(k: Any) -> Any:
    """From text and numbers to features."""
    number, image = k.Input((3,), name="number"), k.Input((20, 16, 3), name="image")
    normal = k.layers.Normalization()
    normal.adapt(np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 5.0]], "float32"))
    x = k.layers.RandomFlip()(k.layers.CenterCrop(10, 8)(k.layers.Resizing(12, 9)(image)))
    x = k.layers.GlobalMaxPooling2D()(k.layers.RandomRotation(0.1)(x))
    age = k.Input((1,), name="age")
    bins = k.layers.Discretization(bin_boundaries=[10.0, 20.0], output_mode="one_hot")(age)
    y = k.layers.Concatenate()([normal(number), x, bins])
    return k.Model([number, image, age], k.layers.Dense(1)(y))


def transformer(k: Any) -> Any:
    """A block of attention with a residual and an einsum."""
    x = k.Input((6, 8))
    y = k.layers.MultiHeadAttention(2, 4, value_dim=3)(x, x, use_causal_mask=True)
    y = k.layers.LayerNormalization()(x + k.layers.Dropout(0.1)(y))
    y = k.layers.EinsumDense("abc,cd->abd", (6, 16), bias_axes="d", activation="gelu")(y)
    return k.Model(x, k.layers.GlobalAveragePooling1D()(k.layers.Dense(8)(y)))


def channels_first(k: Any) -> Any:
    """Axes in the order of PyTorch, in every layer that has such a setting."""
    first = {"data_format": "channels_first"}
    x = k.Input((3, 12, 10))
    y = k.layers.Conv2D(6, 3, padding="same", groups=3, **first)(x)
    y = k.layers.BatchNormalization(axis=1)(y)
    y = k.layers.DepthwiseConv2D(3, depth_multiplier=2, **first)(y)
    y = k.layers.SeparableConv2D(5, 3, **first)(k.layers.MaxPooling2D(2, **first)(y))
    y = k.layers.Conv2DTranspose(4, 3, strides=2, **first)(k.layers.ZeroPadding2D(1, **first)(y))
    y = k.layers.UpSampling2D(2, **first)(k.layers.SpatialDropout2D(0.1, **first)(y))
    return k.Model(x, [k.layers.Flatten(**first)(y), k.layers.GlobalAveragePooling2D(**first)(y)])


def frozen(k: Any) -> Any:
    """Frozen layers, a frozen model with a trained layer in it, and a layer frozen within a trained model."""
    base = k.Sequential(
        [k.Input((8, 8, 3)), k.layers.Conv2D(4, 3), k.layers.BatchNormalization()], name="base"
    )
    base.trainable = False
    tail = k.Sequential([k.Input((6,)), k.layers.Dense(5), k.layers.Dense(4)], name="tail")
    tail.layers[0].trainable = False
    x = k.Input((8, 8, 3))
    y = k.layers.GlobalAveragePooling2D()(base(x))
    y = k.layers.Dense(6, trainable=False)(y)
    return k.Model(x, tail(y))


def mixed(k: Any) -> Any:
    """float16 in places, under a policy."""
    x = k.Input((8, 8, 3))
    y = k.layers.Conv2D(4, 3, dtype="mixed_float16")(x)
    y = k.layers.BatchNormalization(dtype="mixed_bfloat16")(y)
    y = k.layers.Dense(3, dtype="float16")(k.layers.Flatten()(y))
    return k.Model(x, k.layers.Activation("softmax", dtype="float32")(y))


def sequential_without_input(k: Any) -> Any:
    """Built by being called, so that no layer states the input."""
    model = k.Sequential([k.layers.Dense(4, activation="relu"), k.Sequential([k.layers.Dense(2)])])
    model.build((None, 3))
    return model


def operators(k: Any) -> Any:
    """Python's operators and slices on tensors."""
    x = k.Input((8, 9, 4))
    y = k.layers.Conv2D(4, 3, padding="same")(x)
    y = (y * 2.0 - x) / (1.0 + y * y)
    y = k.layers.Maximum()([y[:, 1:-1, ::2], y[:, :-2, ::2, :]])
    y = k.layers.Concatenate()([y, -y])
    return k.Model(x, k.layers.Dense(2)(y[:, 0, :, 1:3]))


def spectral(k: Any) -> Any:
    """Layers under spectral normalisation, also step by step."""
    frames = k.Input((4, 12, 12, 3))
    x = k.layers.TimeDistributed(k.layers.SpectralNormalization(k.layers.Conv2D(4, 3)))(frames)
    x = k.layers.GlobalAveragePooling3D()(x)
    return k.Model(frames, k.layers.SpectralNormalization(k.layers.Dense(2))(x))


def op_nodes(k: Any) -> Any:
    """Functions of keras.ops as nodes."""
    ops = k.ops
    x = k.Input((8, 9, 4))
    y = ops.relu(ops.mean(x, axis=(1, 2), keepdims=True)) + ops.sqrt(ops.abs(x))
    y = ops.concatenate([y, ops.flip(y, axis=1)], axis=1)
    one, two = ops.split(ops.transpose(y, (0, 3, 1, 2)), 2, axis=1)
    y = ops.where(one > 0.5, one, two)
    y = ops.reshape(y, (-1, 2, 144))
    y = ops.einsum("abc,adc->abd", y, y)
    y = ops.squeeze(ops.expand_dims(ops.softmax(y), 1), 1)
    y = ops.stack([ops.max(y, axis=-1), ops.sum(y, axis=1)], axis=-1)
    return k.Model(x, [k.layers.Dense(2)(y), ops.argmax(y, axis=1), ops.cast(y, "float16")])


def gated(k: Any) -> Any:
    """Attention whose output is multiplied with a gate."""
    x = k.Input((6, 8))
    y = k.layers.MultiHeadAttention(2, 4, value_dim=3, use_gate=True)(x, x)
    return k.Model(x, k.layers.GroupQueryAttention(4, 4, 2, use_gate=True, use_bias=False)(y, x))


def lora(k: Any) -> Any:
    """Low-rank updates of an embedding, a convolution, and dense layers."""
    words = k.Input((9,), dtype="int32")
    y = k.layers.Embedding(20, 6, name="embed")(words)
    y = k.layers.Conv1D(5, 3, name="conv")(y)
    y = k.layers.EinsumDense("abc,cd->abd", (7, 4), bias_axes="d", name="einsum")(y)
    model = k.Model(words, k.layers.Dense(3, name="dense")(k.layers.Flatten()(y)))
    for name in ("embed", "conv", "einsum", "dense"):
        model.get_layer(name).enable_lora(2)
    return model


def _quantised(mode: str) -> Callable[[Any], Any]:
    def build(k: Any) -> Any:
        words = k.Input((6,), dtype="int32")
        y = k.layers.Embedding(20, 7)(words)
        y = k.layers.TimeDistributed(k.layers.Dense(5, activation="relu"))(y)
        y = k.layers.EinsumDense("abc,cde->abde", (6, 3, 3), bias_axes="e")(y)
        y = k.layers.Dense(3, dtype="mixed_bfloat16")(k.layers.Flatten()(y))
        model = k.Model(words, k.Sequential([k.Input((3,)), k.layers.Dense(3)])(y))
        model.quantize(mode)
        return model

    return build


def _by_policy(mode: str) -> Callable[[Any], Any]:
    def build(k: Any) -> Any:
        x = k.Input((6, 5))
        y = k.layers.Dense(7, dtype=f"{mode}_from_float32")(x)
        y = k.layers.EinsumDense("abc,cd->abd", (6, 9), bias_axes="d", dtype=f"{mode}_from_float32")(y)
        return k.Model(
            x, k.layers.MultiHeadAttention(2, 4, use_gate=True, dtype=f"{mode}_from_mixed_bfloat16")(y, y)
        )

    return build


BOTH: Mapping[str, Callable[[Any], Any]] = {
    make.__name__: make
    for make in (
        nested,
        shared,
        outputs_of_a_shared_model,
        dictionaries,
        wrappers,
        sequences,
        preprocessing,
        transformer,
        channels_first,
        frozen,
        mixed,
        sequential_without_input,
        operators,
    )
}
"""Models that both frameworks build."""

KERAS_3: Mapping[str, Callable[[Any], Any]] = {
    **{make.__name__: make for make in (spectral, op_nodes, gated, lora)},
    **{f"{mode} model": _quantised(mode) for mode in ("int8", "int4", "float8")},
    **{
        f"{mode} policy": _by_policy(mode)
        for mode in ("int8", "int4/3", "int4/-1", "float8", "gptq/4/3", "gptq/8/-1", "awq/4/3")
    },
}
"""Models that only Keras 3 builds."""
