"""Healthy models of images: as their papers or the Keras examples write them.

Each function gives the model and, where it would be compiled in practice, a function that gives the settings
of ``compile``. Losses and metrics hold variables, so they are made when compiling, not when building.
"""

from __future__ import annotations

import keras
from keras import layers as kl
from zoo_types import Made, conv_bn


def mnist_mlp() -> Made:
    """Source: https://www.tensorflow.org/tutorials/quickstart/beginner."""
    model = keras.Sequential(
        [
            keras.Input((28, 28)),
            kl.Flatten(),
            kl.Dense(128, activation="relu"),
            kl.Dropout(0.2),
            kl.Dense(10),
        ]
    )
    return model, lambda: {
        "optimizer": "adam",
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "metrics": ["accuracy"],
    }


def mnist_cnn() -> Made:
    """Source: https://keras.io/examples/vision/mnist_convnet/."""
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            kl.Conv2D(32, 3, activation="relu"),
            kl.MaxPooling2D(2),
            kl.Conv2D(64, 3, activation="relu"),
            kl.MaxPooling2D(2),
            kl.Flatten(),
            kl.Dropout(0.5),
            kl.Dense(10, activation="softmax"),
        ]
    )
    return model, lambda: {
        "optimizer": "adam",
        "loss": "categorical_crossentropy",
        "metrics": ["accuracy"],
    }


def lenet5() -> Made:
    """Source: LeCun et al. 1998, figure 2, with tanh and average pools."""
    model = keras.Sequential(
        [
            keras.Input((32, 32, 1)),
            kl.Conv2D(6, 5, activation="tanh"),
            kl.AveragePooling2D(2),
            kl.Conv2D(16, 5, activation="tanh"),
            kl.AveragePooling2D(2),
            kl.Flatten(),
            kl.Dense(120, activation="tanh"),
            kl.Dense(84, activation="tanh"),
            kl.Dense(10, activation="softmax"),
        ]
    )
    return model, lambda: {
        "optimizer": keras.optimizers.SGD(0.1),
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["sparse_categorical_accuracy"],
    }


def cifar_cnn() -> Made:
    """Source: https://www.tensorflow.org/tutorials/images/cnn."""
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            kl.Conv2D(32, 3, activation="relu"),
            kl.MaxPooling2D(2),
            kl.Conv2D(64, 3, activation="relu"),
            kl.MaxPooling2D(2),
            kl.Conv2D(64, 3, activation="relu"),
            kl.Flatten(),
            kl.Dense(64, activation="relu"),
            kl.Dense(10),
        ]
    )
    return model, lambda: {
        "optimizer": "adam",
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "metrics": ["accuracy"],
    }


def se_resnet() -> Made:
    """ResNet-20 with squeeze and excitation. Source: arXiv:1512.03385 4.2, arXiv:1709.01507."""
    inputs = keras.Input((32, 32, 3))
    x = conv_bn(inputs, 16)
    for filters, stride in ((16, 1), (32, 2), (64, 2)):
        for block in range(3):
            step = stride if block == 0 else 1
            y = conv_bn(conv_bn(x, filters, strides=step), filters, activation=None)
            gate = kl.GlobalAveragePooling2D()(y)
            gate = kl.Dense(filters // 4, activation="relu")(gate)
            gate = kl.Dense(filters, activation="sigmoid")(gate)
            y = kl.Multiply()([y, kl.Reshape((1, 1, filters))(gate)])
            if step != 1 or x.shape[-1] != filters:
                x = conv_bn(x, filters, 1, strides=step, activation=None)
            x = kl.ReLU()(kl.Add()([x, y]))
    outputs = kl.Dense(10, activation="softmax")(kl.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, outputs), lambda: {
        "optimizer": keras.optimizers.SGD(0.1, momentum=0.9),
        "loss": "categorical_crossentropy",
        "metrics": ["accuracy", keras.metrics.TopKCategoricalAccuracy(5)],
    }


def convmixer() -> Made:
    """Source: https://keras.io/examples/vision/convmixer/ (arXiv:2201.09792)."""
    inputs = keras.Input((32, 32, 3))
    x = kl.Rescaling(1 / 255)(inputs)
    x = kl.BatchNormalization()(kl.Activation("gelu")(kl.Conv2D(256, 2, strides=2)(x)))
    for _ in range(8):
        y = kl.DepthwiseConv2D(5, padding="same")(x)
        x = kl.Add()([kl.BatchNormalization()(kl.Activation("gelu")(y)), x])
        x = kl.BatchNormalization()(kl.Activation("gelu")(kl.Conv2D(256, 1)(x)))
    outputs = kl.Dense(10, activation="softmax")(kl.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, outputs), lambda: {
        "optimizer": keras.optimizers.AdamW(0.001, weight_decay=0.0001),
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
    }


def mlp_mixer() -> Made:
    """Source: https://keras.io/examples/vision/mlp_image_classification/ (arXiv:2105.01601)."""
    inputs = keras.Input((64, 64, 3))
    x = kl.Reshape((64, 256))(kl.Conv2D(256, 8, strides=8)(inputs))
    for _ in range(4):
        y = kl.Permute((2, 1))(kl.LayerNormalization(epsilon=1e-6)(x))
        y = kl.Dense(64)(kl.Dense(128, activation="gelu")(y))
        x = kl.Add()([x, kl.Permute((2, 1))(y)])
        y = kl.LayerNormalization(epsilon=1e-6)(x)
        x = kl.Add()([x, kl.Dense(256)(kl.Dense(512, activation="gelu")(y))])
    x = kl.GlobalAveragePooling1D()(kl.LayerNormalization(epsilon=1e-6)(x))
    return keras.Model(inputs, kl.Dense(100)(kl.Dropout(0.5)(x))), lambda: {
        "optimizer": keras.optimizers.AdamW(0.005),
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "metrics": [
            keras.metrics.SparseCategoricalAccuracy(),
            keras.metrics.SparseTopKCategoricalAccuracy(5),
        ],
    }


def channels_first_cnn() -> Made:
    """A small residual-free network with its channels first throughout."""
    inputs = keras.Input((3, 64, 64))
    x = inputs
    for filters in (32, 64, 128):
        for _ in range(2):
            x = kl.Conv2D(filters, 3, padding="same", use_bias=False, data_format="channels_first")(x)
            x = kl.ReLU()(kl.BatchNormalization(axis=1)(x))
        x = kl.MaxPooling2D(2, data_format="channels_first")(x)
    x = kl.GlobalAveragePooling2D(data_format="channels_first")(x)
    return keras.Model(inputs, kl.Dense(10, activation="softmax")(x)), lambda: {
        "optimizer": "adam",
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
    }


def multi_label() -> Made:
    """Twenty labels that do not exclude each other: sigmoids, one binary cross-entropy each."""
    inputs = keras.Input((128, 128, 3))
    x = kl.Rescaling(1 / 127.5, offset=-1)(inputs)
    for filters in (32, 64, 128, 256):
        x = conv_bn(conv_bn(x, filters, strides=2), filters)
    outputs = kl.Dense(20, activation="sigmoid")(kl.Dropout(0.3)(kl.GlobalAveragePooling2D()(x)))
    return keras.Model(inputs, outputs), lambda: {
        "optimizer": "adam",
        "loss": "binary_crossentropy",
        "metrics": [keras.metrics.BinaryAccuracy(), keras.metrics.AUC(multi_label=True, num_labels=20)],
    }


def mixed_precision_cnn() -> Made:
    """Half-precision layers and a float32 softmax. Source: https://keras.io/api/mixed_precision/."""
    half = "mixed_float16"
    inputs = keras.Input((64, 64, 3))
    x = inputs
    for filters in (32, 64, 128):
        x = kl.Conv2D(filters, 3, strides=2, padding="same", activation="relu", dtype=half)(x)
    x = kl.Dense(10, dtype=half)(kl.GlobalAveragePooling2D(dtype=half)(x))
    return keras.Model(inputs, kl.Activation("softmax", dtype="float32")(x)), lambda: {
        "optimizer": "adam",
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
    }


def age_regressor() -> Made:
    """One number from an image: global pooling loses nothing that is asked for."""
    inputs = keras.Input((128, 128, 3))
    x = inputs
    for filters in (32, 64, 128, 256):
        x = conv_bn(conv_bn(x, filters, strides=2), filters)
    x = kl.Dense(64, activation="relu")(kl.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, kl.Dense(1)(x)), lambda: {
        "optimizer": "adam",
        "loss": "mean_absolute_error",
        "metrics": ["mse"],
    }


def transfer_learning() -> Made:
    """Source: https://www.tensorflow.org/tutorials/images/transfer_learning."""
    base = keras.applications.MobileNetV2(input_shape=(160, 160, 3), include_top=False, weights=None)
    base.trainable = False
    inputs = keras.Input((160, 160, 3))
    x = kl.RandomRotation(0.2)(kl.RandomFlip("horizontal")(inputs))
    x = base(kl.Rescaling(1 / 127.5, offset=-1)(x), training=False)
    x = kl.Dropout(0.2)(kl.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, kl.Dense(1, activation="sigmoid")(x)), lambda: {
        "optimizer": keras.optimizers.Adam(1e-4),
        "loss": keras.losses.BinaryCrossentropy(),
        "metrics": [keras.metrics.BinaryAccuracy(threshold=0.5, name="accuracy")],
    }


def linear_probe() -> Made:
    """A frozen ResNet50 and one trained linear layer; a global pool at the end of the nested model."""
    base = keras.applications.ResNet50(include_top=False, weights=None, pooling="avg")
    base.trainable = False
    inputs = keras.Input((224, 224, 3))
    model = keras.Model(inputs, kl.Dense(37)(base(inputs, training=False)))
    return model, lambda: {
        "optimizer": keras.optimizers.SGD(0.01, momentum=0.9),
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "metrics": ["accuracy"],
    }


def video_cnn() -> Made:
    """Source: https://keras.io/examples/vision/3D_image_classification/."""
    inputs = keras.Input((128, 128, 64, 1))
    x = inputs
    for filters in (64, 64, 128, 256):
        x = kl.MaxPooling3D(2)(kl.Conv3D(filters, 3, activation="relu")(x))
        x = kl.BatchNormalization()(x)
    x = kl.Dense(512, activation="relu")(kl.GlobalAveragePooling3D()(x))
    return keras.Model(inputs, kl.Dense(1, activation="sigmoid")(kl.Dropout(0.3)(x))), lambda: {
        "optimizer": keras.optimizers.Adam(1e-4),
        "loss": "binary_crossentropy",
        "metrics": ["acc"],
    }


MODELS = (
    mnist_mlp,
    mnist_cnn,
    lenet5,
    cifar_cnn,
    se_resnet,
    convmixer,
    mlp_mixer,
    channels_first_cnn,
    multi_label,
    mixed_precision_cnn,
    age_regressor,
    transfer_learning,
    linear_probe,
    video_cnn,
)
