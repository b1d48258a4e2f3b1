"""Healthy models that generate or rebuild their input."""

from __future__ import annotations

import keras
from keras import layers as kl
from keras import ops
from zoo_types import Made


@keras.saving.register_keras_serializable("zoo")
class Sampling(kl.Layer):
    """Draws z from (mean, log variance); a layer that no reader knows."""

    def call(self, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        mean, log_variance = inputs
        return mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean))


def dcgan_generator() -> Made:
    """Source: https://www.tensorflow.org/tutorials/generative/dcgan."""
    model = keras.Sequential(
        [
            keras.Input((100,)),
            kl.Dense(7 * 7 * 256, use_bias=False),
            kl.BatchNormalization(),
            kl.LeakyReLU(),
            kl.Reshape((7, 7, 256)),
        ]
    )
    for filters, stride in ((128, 1), (64, 2)):
        model.add(kl.Conv2DTranspose(filters, 5, stride, "same", use_bias=False))
        model.add(kl.BatchNormalization())
        model.add(kl.LeakyReLU())
    model.add(kl.Conv2DTranspose(1, 5, 2, "same", use_bias=False, activation="tanh"))
    return model, None


def dcgan_discriminator() -> Made:
    """Source: https://www.tensorflow.org/tutorials/generative/dcgan."""
    model = keras.Sequential([keras.Input((28, 28, 1))])
    for filters in (64, 128):
        model.add(kl.Conv2D(filters, 5, 2, "same"))
        model.add(kl.LeakyReLU())
        model.add(kl.Dropout(0.3))
    model.add(kl.Flatten())
    model.add(kl.Dense(1))
    return model, lambda: {
        "optimizer": keras.optimizers.Adam(1e-4),
        "loss": keras.losses.BinaryCrossentropy(from_logits=True),
    }


def vae_encoder() -> Made:
    """Source: https://keras.io/examples/generative/vae/."""
    inputs = keras.Input((28, 28, 1))
    x = kl.Conv2D(32, 3, activation="relu", strides=2, padding="same")(inputs)
    x = kl.Conv2D(64, 3, activation="relu", strides=2, padding="same")(x)
    x = kl.Dense(16, activation="relu")(kl.Flatten()(x))
    mean, log_variance = kl.Dense(2, name="z_mean")(x), kl.Dense(2, name="z_log_var")(x)
    return keras.Model(inputs, [mean, log_variance, Sampling()([mean, log_variance])]), None


def vae_decoder() -> Made:
    """Source: https://keras.io/examples/generative/vae/."""
    inputs = keras.Input((2,))
    x = kl.Reshape((7, 7, 64))(kl.Dense(7 * 7 * 64, activation="relu")(inputs))
    x = kl.Conv2DTranspose(64, 3, activation="relu", strides=2, padding="same")(x)
    x = kl.Conv2DTranspose(32, 3, activation="relu", strides=2, padding="same")(x)
    return keras.Model(inputs, kl.Conv2DTranspose(1, 3, activation="sigmoid", padding="same")(x)), None


def denoising_autoencoder() -> Made:
    """Source: https://keras.io/examples/vision/autoencoder/."""
    inputs = x = keras.Input((28, 28, 1))
    for _ in range(2):
        x = kl.MaxPooling2D(2, padding="same")(kl.Conv2D(32, 3, activation="relu", padding="same")(x))
    for _ in range(2):
        x = kl.Conv2DTranspose(32, 3, strides=2, activation="relu", padding="same")(x)
    return keras.Model(inputs, kl.Conv2D(1, 3, activation="sigmoid", padding="same")(x)), lambda: {
        "optimizer": "adam",
        "loss": "binary_crossentropy",
    }


def dense_autoencoder() -> Made:
    """Source: https://blog.keras.io/building-autoencoders-in-keras.html."""
    inputs = keras.Input((784,))
    outputs = kl.Dense(784, activation="sigmoid")(kl.Dense(32, activation="relu")(inputs))
    return keras.Model(inputs, outputs), lambda: {"optimizer": "adam", "loss": "binary_crossentropy"}


def signal_autoencoder() -> Made:
    """Source: https://keras.io/examples/timeseries/timeseries_anomaly_detection/."""
    model = keras.Sequential(
        [
            keras.Input((288, 1)),
            kl.Conv1D(32, 7, padding="same", strides=2, activation="relu"),
            kl.Dropout(0.2),
            kl.Conv1D(16, 7, padding="same", strides=2, activation="relu"),
            kl.Conv1DTranspose(16, 7, padding="same", strides=2, activation="relu"),
            kl.Dropout(0.2),
            kl.Conv1DTranspose(32, 7, padding="same", strides=2, activation="relu"),
            kl.Conv1DTranspose(1, 7, padding="same"),
        ]
    )
    return model, lambda: {"optimizer": keras.optimizers.Adam(0.001), "loss": "mse"}


def lstm_autoencoder() -> Made:
    """A sequence through one vector and back. Source: arXiv:1502.04681 2.2."""
    inputs = keras.Input((30, 6))
    x = kl.LSTM(32)(kl.LSTM(64, return_sequences=True)(inputs))
    x = kl.LSTM(32, return_sequences=True)(kl.RepeatVector(30)(x))
    x = kl.LSTM(64, return_sequences=True)(x)
    return keras.Model(inputs, kl.TimeDistributed(kl.Dense(6))(x)), lambda: {
        "optimizer": "adam",
        "loss": "mae",
    }


def diffusion_unet() -> Made:
    """Noise from a noisy image and its noise level. Source: https://keras.io/examples/generative/ddpm/."""
    image, level = keras.Input((32, 32, 3)), keras.Input((), dtype="int64", name="time")
    time = kl.Dense(256, activation="swish")(kl.Embedding(1000, 64)(level))
    time = kl.Dense(256)(time)

    def block(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
        skip = x if x.shape[-1] == width else kl.Conv2D(width, 1)(x)
        shift = kl.Reshape((1, 1, width))(kl.Dense(width)(keras.activations.swish(time)))
        x = keras.activations.swish(kl.GroupNormalization(8)(x))
        x = kl.Add()([kl.Conv2D(width, 3, padding="same")(x), shift])
        x = keras.activations.swish(kl.GroupNormalization(8)(x))
        return kl.Add()([kl.Conv2D(width, 3, padding="same", kernel_initializer="zeros")(x), skip])

    x = kl.Conv2D(64, 3, padding="same")(image)
    skips = [x]
    for width in (64, 128, 256):
        x = block(x, width)
        skips.append(x)
        x = kl.Conv2D(width, 3, strides=2, padding="same")(x)
    x = block(block(x, 256), 256)
    for width in (256, 128, 64):
        x = kl.Conv2D(width, 3, padding="same")(kl.UpSampling2D(2)(x))
        x = block(kl.Concatenate()([x, skips.pop()]), width)
    x = keras.activations.swish(kl.GroupNormalization(8)(kl.Concatenate()([x, skips.pop()])))
    noise = kl.Conv2D(3, 3, padding="same", kernel_initializer="zeros")(x)
    return keras.Model([image, level], noise), lambda: {"optimizer": "adam", "loss": "mse"}


MODELS = (
    dcgan_generator,
    dcgan_discriminator,
    vae_encoder,
    vae_decoder,
    denoising_autoencoder,
    dense_autoencoder,
    signal_autoencoder,
    lstm_autoencoder,
    diffusion_unet,
)
