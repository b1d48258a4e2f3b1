"""Healthy models whose outputs are maps, points or embeddings of images."""

from __future__ import annotations

import keras
from keras import layers as kl
from keras import ops
from zoo_types import Made, conv_bn


def unet() -> Made:
    """Source: arXiv:1505.04597 with "same" padding, as it is commonly written."""
    inputs = keras.Input((256, 256, 1))
    x, skips = inputs, []
    for filters in (64, 128, 256, 512):
        for _ in range(2):
            x = kl.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer="he_normal")(x)
        skips.append(x)
        x = kl.MaxPooling2D(2)(x)
    for _ in range(2):
        x = kl.Conv2D(1024, 3, padding="same", activation="relu", kernel_initializer="he_normal")(x)
    x = kl.Dropout(0.5)(x)
    for skip in reversed(skips):
        x = kl.Conv2DTranspose(skip.shape[-1], 2, strides=2, padding="same")(x)
        x = kl.Concatenate()([skip, x])
        for _ in range(2):
            x = kl.Conv2D(skip.shape[-1], 3, padding="same", activation="relu")(x)
    return keras.Model(inputs, kl.Conv2D(1, 1, activation="sigmoid")(x)), lambda: {
        "optimizer": keras.optimizers.Adam(1e-4),
        "loss": "binary_crossentropy",
        "metrics": ["accuracy", keras.metrics.BinaryIoU(target_class_ids=[1])],
    }


def pets_segmentation() -> Made:
    """Source: https://keras.io/examples/vision/oxford_pets_image_segmentation/."""
    inputs = keras.Input((160, 160, 3))
    x = kl.Conv2D(32, 3, strides=2, padding="same")(inputs)
    x = before = kl.Activation("relu")(kl.BatchNormalization()(x))
    for filters in (64, 128, 256):
        for _ in range(2):
            x = kl.SeparableConv2D(filters, 3, padding="same")(kl.Activation("relu")(x))
            x = kl.BatchNormalization()(x)
        x = kl.MaxPooling2D(3, strides=2, padding="same")(x)
        x = before = kl.add([x, kl.Conv2D(filters, 1, strides=2, padding="same")(before)])
    for filters in (256, 128, 64, 32):
        for _ in range(2):
            x = kl.Conv2DTranspose(filters, 3, padding="same")(kl.Activation("relu")(x))
            x = kl.BatchNormalization()(x)
        x = kl.UpSampling2D(2)(x)
        x = before = kl.add([x, kl.Conv2D(filters, 1, padding="same")(kl.UpSampling2D(2)(before))])
    return keras.Model(inputs, kl.Conv2D(3, 3, activation="softmax", padding="same")(x)), lambda: {
        "optimizer": keras.optimizers.Adam(1e-4),
        "loss": "sparse_categorical_crossentropy",
    }


def deeplab() -> Made:
    """Source: https://keras.io/examples/vision/deeplabv3_plus/ (arXiv:1802.02611): dilations in parallel."""
    inputs = keras.Input((512, 512, 3))
    trunk = keras.applications.ResNet50(weights=None, include_top=False, input_tensor=inputs)
    top = trunk.get_layer("conv4_block6_2_relu").output
    pooled = kl.AveragePooling2D(top.shape[1:3])(top)
    pooled = kl.UpSampling2D(top.shape[1:3], interpolation="bilinear")(conv_bn(pooled, 256, 1))
    pyramid = [conv_bn(top, 256, 1), *(conv_bn(top, 256, dilation=rate) for rate in (6, 12, 18))]
    x = conv_bn(kl.Concatenate()([pooled, *pyramid]), 256, 1)
    x = kl.UpSampling2D(4, interpolation="bilinear")(x)
    low = conv_bn(trunk.get_layer("conv2_block3_2_relu").output, 48, 1)
    x = conv_bn(conv_bn(kl.Concatenate()([x, low]), 256), 256)
    x = kl.UpSampling2D(4, interpolation="bilinear")(x)
    return keras.Model(inputs, kl.Conv2D(20, 1, padding="same")(x)), lambda: {
        "optimizer": keras.optimizers.Adam(0.001),
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "metrics": ["accuracy"],
    }


def super_resolution() -> Made:
    """Source: https://keras.io/examples/vision/super_resolution_sub_pixel/ (arXiv:1609.05158)."""
    options = {"activation": "relu", "kernel_initializer": "orthogonal", "padding": "same"}
    inputs = keras.Input((None, None, 1))
    x = kl.Conv2D(64, 5, **options)(inputs)
    x = kl.Conv2D(32, 3, **options)(kl.Conv2D(64, 3, **options)(x))
    x = kl.Conv2D(9, 3, **options)(x)
    x = ops.reshape(x, (-1, 100, 100, 3, 3, 1))
    x = ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, 300, 300, 1))
    return keras.Model(inputs, x), lambda: {
        "optimizer": keras.optimizers.Adam(0.001),
        "loss": keras.losses.MeanSquaredError(),
    }


def heatmaps() -> Made:
    """Heat maps of 17 keypoints. Source: arXiv:1804.06208 (ResNet50 and three transposed convolutions)."""
    inputs = keras.Input((256, 192, 3))
    x = keras.applications.ResNet50(include_top=False, weights=None, input_tensor=inputs).output
    for _ in range(3):
        x = kl.Conv2DTranspose(256, 4, strides=2, padding="same", use_bias=False)(x)
        x = kl.ReLU()(kl.BatchNormalization()(x))
    return keras.Model(inputs, kl.Conv2D(17, 1)(x)), lambda: {"optimizer": "adam", "loss": "mse"}


def landmarks() -> Made:
    """15 points of a face as 30 coordinates: the map is flattened because its positions are the answer."""
    inputs = keras.Input((96, 96, 1))
    x = inputs
    for filters, kernel, rate in ((32, 3, 0.1), (64, 2, 0.2), (128, 2, 0.3)):
        x = kl.MaxPooling2D(2)(kl.Conv2D(filters, kernel, activation="relu")(x))
        x = kl.Dropout(rate)(x)
    x = kl.Dense(500, activation="relu")(kl.Flatten()(x))
    x = kl.Dense(500, activation="relu")(kl.Dropout(0.5)(x))
    return keras.Model(inputs, kl.Dense(30)(x)), lambda: {
        "optimizer": keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        "loss": "mean_squared_error",
        "metrics": ["mae"],
    }


def arcface() -> Made:
    """The ResNet50 of face recognition with its flattened embedding. Source: arXiv:1801.07698 3.1."""
    inputs = keras.Input((112, 112, 3))
    x = kl.PReLU(shared_axes=[1, 2])(conv_bn(inputs, 64, activation=None))
    for filters, blocks in ((64, 3), (128, 4), (256, 14), (512, 3)):
        for block in range(blocks):
            step = 2 if block == 0 else 1
            y = kl.Conv2D(filters, 3, padding="same", use_bias=False)(kl.BatchNormalization()(x))
            y = kl.PReLU(shared_axes=[1, 2])(kl.BatchNormalization()(y))
            y = conv_bn(y, filters, strides=step, activation=None)
            x = kl.Add()([conv_bn(x, filters, 1, step, None) if block == 0 else x, y])
    x = kl.Flatten()(kl.Dropout(0.4)(kl.BatchNormalization()(x)))
    x = kl.BatchNormalization(scale=False)(kl.Dense(512, use_bias=False)(x))
    return keras.Model(inputs, x), None


def mobilefacenet() -> Made:
    """Global depthwise convolution in place of a pool. Source: arXiv:1804.07573, table 1."""
    inputs = keras.Input((112, 112, 3))

    def prelu(x: keras.KerasTensor) -> keras.KerasTensor:
        return kl.PReLU(shared_axes=[1, 2])(kl.BatchNormalization()(x))

    def depthwise(x: keras.KerasTensor, strides: int = 1) -> keras.KerasTensor:
        return prelu(kl.DepthwiseConv2D(3, strides, "same", use_bias=False)(x))

    x = depthwise(prelu(kl.Conv2D(64, 3, 2, "same", use_bias=False)(inputs)))
    for expand, filters, count, stride in (
        (2, 64, 5, 2),
        (4, 128, 1, 2),
        (2, 128, 6, 1),
        (4, 128, 1, 2),
        (2, 128, 2, 1),
    ):
        for block in range(count):
            step = stride if block == 0 else 1
            y = prelu(kl.Conv2D(expand * x.shape[-1], 1, use_bias=False)(x))
            y = conv_bn(depthwise(y, step), filters, 1, activation=None)
            x = kl.Add()([x, y]) if step == 1 and x.shape[-1] == filters else y
    x = prelu(kl.Conv2D(512, 1, use_bias=False)(x))
    x = kl.BatchNormalization()(kl.DepthwiseConv2D(7, use_bias=False)(x))
    x = kl.BatchNormalization()(kl.Conv2D(128, 1, use_bias=False)(x))
    return keras.Model(inputs, kl.Flatten()(x)), None


def siamese() -> Made:
    """Are two digits the same: one trunk, called twice. Source: https://keras.io/examples/vision/siamese_contrastive/."""
    image = keras.Input((28, 28, 1))
    x = kl.BatchNormalization()(image)
    for filters in (4, 16):
        x = kl.AveragePooling2D(2)(kl.Conv2D(filters, 5, activation="tanh")(x))
    x = kl.BatchNormalization()(kl.Flatten()(x))
    trunk = keras.Model(image, kl.Dense(10, activation="tanh")(x), name="trunk")
    pair = [keras.Input((28, 28, 1), name="left"), keras.Input((28, 28, 1), name="right")]
    distance = ops.sqrt(ops.sum(ops.square(trunk(pair[0]) - trunk(pair[1])), axis=1, keepdims=True) + 1e-7)
    outputs = kl.Dense(1, activation="sigmoid")(kl.BatchNormalization()(distance))
    return keras.Model(pair, outputs), lambda: {
        "optimizer": "rmsprop",
        "loss": "binary_crossentropy",
        "metrics": ["accuracy"],
    }


def metric_embedding() -> Made:
    """Unit-length embeddings. Source: https://keras.io/examples/vision/metric_learning/."""
    inputs = keras.Input((32, 32, 3))
    x = inputs
    for filters in (32, 64, 128):
        x = kl.Conv2D(filters, 3, strides=2, activation="relu")(x)
    x = kl.Dense(8)(kl.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, kl.UnitNormalization()(x)), None


def one_stage_detector() -> Made:
    """Classes and boxes for every anchor, the class bias at a prior. Source: arXiv:1708.02002 3.3, 4."""
    inputs = keras.Input((512, 512, 3))
    x, levels = inputs, []
    for filters in (32, 64, 128, 256, 256):
        x = conv_bn(conv_bn(x, filters, strides=2), filters)
        levels.append(x)
    x, prior = None, keras.initializers.Constant(-4.595)
    pyramid = []
    for level in reversed(levels[2:]):
        side = kl.Conv2D(256, 1, padding="same")(level)
        x = side if x is None else kl.Add()([kl.UpSampling2D(2)(x), side])
        pyramid.append(kl.Conv2D(256, 3, padding="same")(x))
    heads = []
    for width, bias in ((9 * 80, prior), (9 * 4, "zeros")):
        head = keras.Sequential([keras.Input((None, None, 256))])
        for _ in range(4):
            head.add(kl.Conv2D(256, 3, padding="same", activation="relu"))
        head.add(kl.Conv2D(width, 3, padding="same", bias_initializer=bias))
        parts = [kl.Reshape((-1, width // 9))(head(level)) for level in pyramid]
        heads.append(kl.Concatenate(axis=1)(parts))
    return keras.Model(inputs, heads), None


MODELS = (
    unet,
    pets_segmentation,
    deeplab,
    super_resolution,
    heatmaps,
    landmarks,
    arcface,
    mobilefacenet,
    siamese,
    metric_embedding,
    one_stage_detector,
)
