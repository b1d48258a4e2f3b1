"""Keras models with a flattened head, of every kind that unlocking and its neighbours must get right."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
from keras import layers

ACTIVATIONS = ("relu", "sigmoid", "tanh", "leaky_relu", "elu", "selu", "softplus", "gelu", "swish", None)
BETWEEN = ("", "norm", "drop", "relu", "norm drop", "drop norm", "relu norm", "norm tanh")
SUFFIXES = (".keras", ".keras", ".h5")


@dataclass(frozen=True)
class Case:
    """What builds a model, the shape of its input behind the batch, its spatial axes counted from the batch,
    the suffix of its file, and whether its channels come first."""

    build: Callable[[], Any]
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    suffix: str
    first: bool

    @cached_property
    def model(self) -> Any:
        """The model; built outside the strategies, since Keras draws seeds of its own."""
        return self.build()

    def larger(self, more: int) -> tuple[int, ...]:
        """The shape with longer spatial axes."""
        return tuple(length + more * (axis in self.axes) for axis, length in enumerate(self.shape, 1))


Part = Callable[[], Any]
"""What makes a layer."""


def step(what: str) -> Part:
    """A layer by the word for it."""
    kinds = {"norm": layers.BatchNormalization, "drop": partial(layers.Dropout, 0.3)}
    return kinds.get(what, partial(layers.Activation, what))


@st.composite
def heads(draw: st.DrawFn) -> Case:
    """Conv → pool? → Flatten → … → Dense → …, in one to three dimensions and both layouts."""
    # channels_first is rarer: TensorFlow's CPU kernels do not have it, and XLA compiles each anew.
    first = draw(st.sampled_from((*[False] * 6, True)))
    count = draw(st.integers(1, 3))
    lengths = draw(st.lists(st.integers(4, 7), min_size=count, max_size=count))
    kind = {"data_format": "channels_first" if first else "channels_last"}
    window = [draw(st.integers(1, 3)) for _ in lengths]
    conv, pool = getattr(layers, f"Conv{count}D"), getattr(layers, f"MaxPooling{count}D")
    parts = [partial(conv, draw(st.integers(1, 4)), window, activation="relu", **kind)]
    if draw(st.booleans()):
        parts.append(partial(pool, 2, 1, **kind))
    order = draw(st.sampled_from((*kind.values(), "channels_last")))
    parts.append(partial(layers.Flatten, data_format=order))
    parts += [step(what) for what in draw(st.sampled_from(BETWEEN)).split()]
    for _ in range(draw(st.integers(1, 3))):
        parts += _dense(draw)
    parts += draw(st.sampled_from(([], [layers.Softmax], [step("sigmoid")])))
    channels = draw(st.integers(1, 3))
    shape = (channels, *lengths) if first else (*lengths, channels)
    axes = tuple(range(2, count + 2)) if first else tuple(range(1, count + 1))
    build = partial(filled, parts, shape, draw(st.booleans()), draw(st.integers(0, 10**6)))
    return Case(build, shape, axes, draw(st.sampled_from(SUFFIXES)), first)


def _dense(draw: st.DrawFn) -> list[Part]:
    name, apart = draw(st.sampled_from(ACTIVATIONS)), draw(st.booleans())
    units, bias = draw(st.integers(1, 5)), draw(st.booleans())
    found: list[Part] = [partial(layers.Dense, units, activation=None if apart else name, use_bias=bias)]
    after = draw(st.sampled_from((None, None, "norm", "drop", "layer norm")))
    if after is not None:
        found.append(layers.LayerNormalization if after == "layer norm" else step(after))
    return [*found, step(name)] if apart and name else found


def filled(parts: list[Part], shape: tuple[int, ...], functional: bool, seed: int) -> Any:
    """A model of the layers in a row, with random weights."""
    model = chained([make() for make in parts], shape, functional)
    fill(model, seed)
    return model


def chained(parts: list[Any], shape: tuple[int, ...], functional: bool) -> Any:
    """The layers in a row, as a Sequential or a functional model."""
    if not functional:
        return keras.Sequential([keras.Input(shape), *parts])
    value = start = keras.Input(shape)
    for part in parts:
        value = part(value)
    return keras.Model(start, value)


def fill(model: Any, seed: int) -> None:
    """Gives a model random weights, scaled so that every layer keeps the size of its numbers."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        if "variance" in weight.name or "gamma" in weight.name:
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
        elif "seed" not in weight.name:
            weight.assign(random.normal(size=weight.shape) / np.sqrt(max(1, np.prod(weight.shape[:-1]))))
