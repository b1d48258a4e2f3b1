"""What a function of the zoo gives back, and the two blocks that many of its models share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers as kl

Made = tuple[keras.Model, Callable[[], dict[str, Any]] | None]
"""A model and a function that gives the settings of ``compile``; None for one that is saved uncompiled."""


def conv_bn(
    x: keras.KerasTensor,
    filters: int,
    kernel: int = 3,
    strides: int = 1,
    activation: str | None = "relu",
    dilation: int = 1,
) -> keras.KerasTensor:
    """Convolution without bias, batch normalisation, activation: (N, H, W, C) → (N, H', W', filters)."""
    x = kl.Conv2D(filters, kernel, strides, "same", dilation_rate=dilation, use_bias=False)(x)
    x = kl.BatchNormalization()(x)
    return kl.Activation(activation)(x) if activation else x


def feed_forward(
    x: keras.KerasTensor, width: int, activation: Callable[..., Any] | str = "gelu"
) -> keras.KerasTensor:
    """The two dense layers of a transformer block: (N, T, D) → (N, T, D)."""
    y = kl.Dense(width)(x)
    y = kl.Activation(activation)(y) if isinstance(activation, str) else activation(y)
    return kl.Dropout(0.1)(kl.Dense(x.shape[-1])(y))
