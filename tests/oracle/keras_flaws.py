"""Keras models with the flaws that rewrites mend, put together at random from blocks."""

from __future__ import annotations

from functools import partial
from math import ceil, prod
from typing import Any

from hypothesis import strategies as st
from keras_heads import Case, Part, fill, filled, keras, layers

RELUS = ("relu", "tanh", "elu")


def _conv(draw: st.DrawFn, filters: int, kernel: int, **more: Any) -> Part:
    kind = {"padding": "same", "use_bias": draw(st.booleans()), **more}
    return partial(layers.Conv2D, filters, kernel, **kind)


def biased(draw: st.DrawFn) -> list[Part]:
    """A bias in front of a batch normalization."""
    activation = partial(layers.Activation, draw(st.sampled_from(RELUS)))
    return [_conv(draw, 3, 3, use_bias=True), layers.BatchNormalization, activation]


def normed_twice(draw: st.DrawFn) -> list[Part]:
    """Two batch normalizations in a row."""
    norms = [layers.BatchNormalization] * 2
    return [_conv(draw, draw(st.integers(1, 3)), 1), *norms, layers.ReLU]


def linear(draw: st.DrawFn) -> list[Part]:
    """Two convolutions with nothing between them, the wider one first."""
    kernels = draw(st.sampled_from(((3, 1), (1, 1))))
    return [_conv(draw, 8, kernels[0]), _conv(draw, 2, kernels[1]), layers.ReLU]


def idle(draw: st.DrawFn) -> list[Part]:
    """A layer that does nothing."""
    return [
        draw(
            st.sampled_from(
                (partial(layers.Activation, "linear"), partial(layers.Dropout, 0.0), layers.Identity)
            )
        )
    ]


def dead(draw: st.DrawFn) -> list[Part]:
    """A kernel whose outer taps only ever see padding."""
    shrink = partial(
        layers.Conv2D, 3, 3, strides=draw(st.sampled_from((4, 5))), padding="same", activation="relu"
    )
    return [shrink, _conv(draw, 2, 5), layers.ReLU]


BODIES = (biased, normed_twice, linear, idle, dead)


def ending(draw: st.DrawFn, size: tuple[int, ...]) -> list[Part]:
    """From a map of a size to a vector: a pool of all of it and Flatten, or Flatten alone."""
    pools = (
        layers.GlobalMaxPooling2D,
        layers.GlobalAveragePooling2D,
        partial(layers.MaxPooling2D, size),
        partial(layers.AveragePooling2D, size),
        None,
    )
    pool = draw(st.sampled_from(pools))
    return [*([] if pool is None else [pool]), layers.Flatten]


def dense(draw: st.DrawFn) -> list[Part]:
    """Dense layers: in a row, with norms that can be folded, with a bias in front of a norm."""
    kind = draw(st.sampled_from(("plain", "linear", "norm", "norms")))
    if kind == "linear":
        return [partial(layers.Dense, 9), partial(layers.Dense, 3), layers.ReLU]
    norms = [layers.BatchNormalization] * ("plain", "norm", "norms").index(kind)
    return [partial(layers.Dense, 3), *norms, partial(layers.Activation, draw(st.sampled_from(RELUS)))]


@st.composite
def images(draw: st.DrawFn) -> Case:
    """Convolutions, a pool or a Flatten, dense layers."""
    shape = (draw(st.integers(8, 10)), draw(st.integers(8, 10)), draw(st.integers(1, 3)))
    parts = [_conv(draw, 4, 3, use_bias=True), layers.ReLU]
    for block in draw(st.lists(st.sampled_from(BODIES), min_size=1, max_size=3)):
        parts += block(draw)
    strides = [part.keywords.get("strides", 1) for part in parts if isinstance(part, partial)]
    parts += ending(draw, tuple(ceil(length / prod(strides)) for length in shape[:2]))
    parts += dense(draw)
    parts.append(partial(layers.Dense, 2, activation=draw(st.sampled_from((None, "softmax")))))
    build = partial(filled, parts, shape, draw(st.booleans()), draw(st.integers(0, 10**6)))
    return Case(build, shape, (1, 2), ".keras", False)


@st.composite
def sequences(draw: st.DrawFn) -> Case:
    """Steps through TimeDistributed dense layers and a recurrent layer, of which the last step is read."""
    shape = (draw(st.integers(3, 6)), draw(st.integers(1, 3)))
    cell = draw(st.sampled_from((layers.LSTM, layers.GRU, layers.SimpleRNN)))
    build = partial(
        _recurrent,
        shape,
        partial(cell, draw(st.integers(1, 4)), return_sequences=True),
        draw(st.sampled_from(RELUS)),
        draw(st.booleans()),
        draw(st.integers(0, 10**6)),
    )
    return Case(build, shape, (1,), ".keras", False)


def _recurrent(shape: tuple[int, int], cell: Part, activation: str, plain: bool, seed: int) -> Any:
    start = keras.Input(shape)
    value = layers.TimeDistributed(layers.Dense(4, activation=activation))(start)
    value = cell()(value)
    value = value[:, -1] if plain else layers.Flatten()(value[:, -1:])
    model = keras.Model(start, layers.Dense(2)(value))
    fill(model, seed)
    return model
