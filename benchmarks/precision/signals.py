"""Healthy models of signals, time series, sound, video and point clouds."""

from __future__ import annotations

import keras
import numpy
from keras import layers as kl
from keras import ops
from zoo_types import Made


def har_conv1d() -> Made:
    """Six activities from an accelerometer's window: (N, 128, 9). The tutorial's widely copied network."""
    model = keras.Sequential(
        [
            keras.Input((128, 9)),
            kl.Conv1D(64, 3, activation="relu"),
            kl.Conv1D(64, 3, activation="relu"),
            kl.Dropout(0.5),
            kl.MaxPooling1D(2),
            kl.Flatten(),
            kl.Dense(100, activation="relu"),
            kl.Dense(6, activation="softmax"),
        ]
    )
    return model, lambda: {
        "optimizer": "adam",
        "loss": "categorical_crossentropy",
        "metrics": ["accuracy"],
    }


def series_fcn() -> Made:
    """Source: https://keras.io/examples/timeseries/timeseries_classification_from_scratch/."""
    inputs = x = keras.Input((500, 1))
    for _ in range(3):
        x = kl.ReLU()(kl.BatchNormalization()(kl.Conv1D(64, 3, padding="same")(x)))
    outputs = kl.Dense(2, activation="softmax")(kl.GlobalAveragePooling1D()(x))
    return keras.Model(inputs, outputs), lambda: {
        "optimizer": "adam",
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["sparse_categorical_accuracy"],
    }


def forecast_lstm() -> Made:
    """Source: https://keras.io/examples/timeseries/timeseries_weather_forecasting/."""
    inputs = keras.Input((120, 7))
    return keras.Model(inputs, kl.Dense(1)(kl.LSTM(32)(inputs))), lambda: {
        "optimizer": keras.optimizers.Adam(0.001),
        "loss": "mse",
    }


def wavenet() -> Made:
    """Gated causal convolutions, dilation 1 to 512, to predict a level. Source: arXiv:1609.03499 2."""
    inputs = keras.Input((4096, 1))
    x, skips = kl.Conv1D(32, 2, padding="causal")(inputs), []
    for rate in [2**power for power in range(10)] * 2:
        filtered, gate = (
            kl.Conv1D(32, 2, padding="causal", dilation_rate=rate, activation=kind)(x)
            for kind in ("tanh", "sigmoid")
        )
        y = kl.Multiply()([filtered, gate])
        skips.append(kl.Conv1D(128, 1)(y))
        x = kl.Add()([x, kl.Conv1D(32, 1)(y)])
    x = kl.Conv1D(128, 1, activation="relu")(kl.ReLU()(kl.Add()(skips)))
    return keras.Model(inputs, kl.Conv1D(256, 1, activation="softmax")(x)), lambda: {
        "optimizer": "adam",
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["sparse_categorical_accuracy"],
    }


def tcn() -> Made:
    """Residual blocks of causal dilated convolutions; the last step decides. Source: arXiv:1803.01271 3."""
    inputs = x = keras.Input((784, 1))
    for rate in (1, 2, 4, 8, 16, 32, 64, 128):
        y = x
        for _ in range(2):
            y = kl.Conv1D(25, 7, padding="causal", dilation_rate=rate, activation="relu")(y)
            y = kl.SpatialDropout1D(0.05)(y)
        x = kl.ReLU()(kl.Add()([x if x.shape[-1] == 25 else kl.Conv1D(25, 1)(x), y]))
    return keras.Model(inputs, kl.Dense(10, activation="softmax")(x[:, -1])), lambda: {
        "optimizer": keras.optimizers.Adam(0.002, clipnorm=1.0),
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
    }


def eegnet() -> Made:
    """EEGNet-8,2 for 64 electrodes. Source: arXiv:1611.08024, table 2."""
    inputs = keras.Input((64, 128, 1))
    x = kl.BatchNormalization()(kl.Conv2D(8, (1, 64), padding="same", use_bias=False)(inputs))
    constraint = keras.constraints.MaxNorm(1.0)
    x = kl.DepthwiseConv2D((64, 1), depth_multiplier=2, use_bias=False, depthwise_constraint=constraint)(x)
    x = kl.Activation("elu")(kl.BatchNormalization()(x))
    x = kl.Dropout(0.5)(kl.AveragePooling2D((1, 4))(x))
    x = kl.BatchNormalization()(kl.SeparableConv2D(16, (1, 16), padding="same", use_bias=False)(x))
    x = kl.Dropout(0.5)(kl.AveragePooling2D((1, 8))(kl.Activation("elu")(x)))
    outputs = kl.Dense(4, activation="softmax", kernel_constraint=keras.constraints.MaxNorm(0.25))(
        kl.Flatten()(x)
    )
    return keras.Model(inputs, outputs), lambda: {
        "optimizer": "adam",
        "loss": "categorical_crossentropy",
        "metrics": ["accuracy"],
    }


def spectrogram_cnn() -> Made:
    """Words from log-mel pictures of one second: (N, 98, 64, 1)."""
    inputs = keras.Input((98, 64, 1))
    x = kl.Normalization(axis=None)(inputs)
    for filters in (32, 64, 128, 256):
        for _ in range(2):
            x = kl.Conv2D(filters, 3, padding="same", use_bias=False)(x)
            x = kl.ReLU()(kl.BatchNormalization()(x))
        x = kl.MaxPooling2D(2)(x)
    x = kl.Dropout(0.3)(kl.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, kl.Dense(35)(x)), lambda: {
        "optimizer": "adam",
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "metrics": ["accuracy"],
    }


def speech_to_text() -> Made:
    """Source: https://keras.io/examples/audio/ctc_asr/ (arXiv:1512.02595), with two recurrent layers."""
    inputs = keras.Input((None, 193))
    x = kl.Reshape((-1, 193, 1))(inputs)
    for kernel, strides in (((11, 41), (2, 2)), ((11, 21), (1, 2))):
        x = kl.Conv2D(32, kernel, strides, "same", use_bias=False)(x)
        x = kl.ReLU()(kl.BatchNormalization()(x))
    x = kl.Reshape((-1, x.shape[-2] * x.shape[-1]))(x)
    for _ in range(2):
        x = kl.Dropout(0.5)(kl.Bidirectional(kl.GRU(256, return_sequences=True))(x))
    x = kl.Dropout(0.5)(kl.Dense(512, activation="relu")(x))
    return keras.Model(inputs, kl.Dense(32)(x)), lambda: {
        "optimizer": keras.optimizers.Adam(1e-4),
        "loss": keras.losses.CTC(),
    }


def conv_lstm() -> Made:
    """Source: https://keras.io/examples/vision/conv_lstm/."""
    inputs = x = keras.Input((None, 64, 64, 1))
    for kernel in (5, 3, 1):
        x = kl.ConvLSTM2D(64, kernel, padding="same", return_sequences=True, activation="relu")(x)
        x = kl.BatchNormalization()(x) if kernel > 1 else x
    return keras.Model(inputs, kl.Conv3D(1, 3, activation="sigmoid", padding="same")(x)), lambda: {
        "optimizer": "adam",
        "loss": "binary_crossentropy",
    }


def frames_gru() -> Made:
    """One small network over every frame, then a recurrent layer over the frames."""
    frame = keras.Sequential([keras.Input((64, 64, 3))])
    for filters in (16, 32, 64):
        frame.add(kl.Conv2D(filters, 3, strides=2, padding="same", activation="relu"))
    frame.add(kl.GlobalAveragePooling2D())
    inputs = keras.Input((20, 64, 64, 3))
    x = kl.Dropout(0.4)(kl.GRU(16)(kl.TimeDistributed(frame)(inputs)))
    return keras.Model(inputs, kl.Dense(5, activation="softmax")(x)), lambda: {
        "optimizer": "adam",
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
    }


def _points(x: keras.KerasTensor, widths: tuple[int, ...], convolve: bool) -> keras.KerasTensor:
    for width in widths:
        x = kl.Conv1D(width, 1)(x) if convolve else kl.Dense(width)(x)
        x = kl.Activation("relu")(kl.BatchNormalization(momentum=0.0)(x))
    return x


def _turned(x: keras.KerasTensor) -> keras.KerasTensor:
    size = x.shape[-1]
    y = kl.GlobalMaxPooling1D()(_points(x, (32, 64, 512), True))
    identity = keras.initializers.Constant(numpy.eye(size).flatten())
    y = kl.Dense(size * size, kernel_initializer="zeros", bias_initializer=identity)(
        _points(y, (256, 128), False)
    )
    return kl.Dot(axes=(2, 1))([x, kl.Reshape((size, size))(y)])


def pointnet() -> Made:
    """Source: https://keras.io/examples/vision/pointnet/ (arXiv:1612.00593)."""
    inputs = keras.Input((2048, 3))
    x = _turned(_points(_turned(inputs), (32, 32), True))
    x = kl.GlobalMaxPooling1D()(_points(x, (32, 64, 512), True))
    x = kl.Dropout(0.3)(_points(x, (256,), False))
    x = kl.Dropout(0.3)(_points(x, (128,), False))
    return keras.Model(inputs, kl.Dense(10, activation="softmax")(x)), lambda: {
        "optimizer": keras.optimizers.Adam(0.001),
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["sparse_categorical_accuracy"],
    }


def siren() -> Made:
    """Pixel values from coordinates through sines. Source: arXiv:2006.09661 3."""
    inputs = x = keras.Input((2,))
    for _ in range(4):
        x = ops.sin(30.0 * kl.Dense(256)(x))
    return keras.Model(inputs, kl.Dense(3)(x)), lambda: {
        "optimizer": keras.optimizers.Adam(1e-4),
        "loss": "mse",
    }


def pinn() -> Made:
    """A solution u(x, t) of a differential equation: smooth activations. Source: arXiv:1711.10561 3.1."""
    inputs = x = keras.Input((2,))
    for _ in range(8):
        x = kl.Dense(20, activation="tanh", kernel_initializer="glorot_normal")(x)
    return keras.Model(inputs, kl.Dense(1)(x)), None


MODELS = (
    har_conv1d,
    series_fcn,
    forecast_lstm,
    wavenet,
    tcn,
    eegnet,
    spectrogram_cnn,
    speech_to_text,
    conv_lstm,
    frames_gru,
    pointnet,
    siren,
    pinn,
)
