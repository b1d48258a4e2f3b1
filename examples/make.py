"""Makes the models in this folder: ``python examples/make.py``. Needs TensorFlow and tf2onnx (group oracle).

``tutorial_cnn.keras`` is a classifier as tutorials write it, with 11,574,090 parameters. Its weights are
HDF5 datasets that were never written, so that the file is small; Keras loads it, with zeros.
``digits.onnx`` is a healthy little classifier, as tf2onnx exports it from Keras.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path

import h5py
import keras
import onnx
import tensorflow
import tf2onnx
from keras import layers

HERE = Path(__file__).parent
A_DATE = (2026, 1, 1, 0, 0, 0)


def tutorial_cnn() -> keras.Model:
    """Two blocks of convolutions on 224 px images, flattened into dense layers."""
    return keras.Sequential(
        [
            keras.Input((224, 224, 3), name="image"),
            layers.Conv2D(32, 3, activation="relu", name="conv1"),
            layers.Conv2D(32, 3, activation="relu", name="conv2"),
            layers.MaxPooling2D(2, name="pool1"),
            layers.BatchNormalization(name="norm1"),
            layers.Conv2D(64, 3, activation="relu", name="conv3"),
            layers.Conv2D(64, 3, activation="relu", name="conv4"),
            layers.MaxPooling2D(2, name="pool2"),
            layers.BatchNormalization(name="norm2"),
            layers.Flatten(name="flatten"),
            layers.Dropout(0.3, name="dropout"),
            layers.Dense(64, activation="relu", name="dense1"),
            layers.Dense(32, activation="relu", name="dense2"),
            layers.Dense(10, activation="softmax", name="classes"),
        ],
        name="tutorial_cnn",
    )


def digits() -> keras.Model:
    """Convolutions and global average pooling on 28 px digits."""
    image = keras.Input((28, 28, 1), name="digit")
    x = image
    for block, filters in enumerate((8, 16, 32), 1):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"conv{block}")(x)
        x = layers.BatchNormalization(name=f"norm{block}")(x)
        x = layers.ReLU(name=f"relu{block}")(x)
        if block < 3:
            x = layers.MaxPooling2D(2, name=f"pool{block}")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(10, activation="softmax", name="classes")(x)
    return keras.Model(image, x, name="digits")


def save_without_weights(model: keras.Model, path: Path) -> None:
    """Saves a ``.keras`` file in which every weight has its shape and its type, and no bytes."""
    keras.saving.save_model(model, path)
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as old, zipfile.ZipFile(path, "w") as new:
        metadata = json.loads(old.read("metadata.json")) | {"date_saved": "2026-01-01@00:00:00"}
        new.writestr(zipfile.ZipInfo("metadata.json", A_DATE), json.dumps(metadata))
        config = re.sub(r', "shared_object_id": \d+', "", old.read("config.json").decode())  # an address
        new.writestr(zipfile.ZipInfo("config.json", A_DATE), config)
        new.writestr(zipfile.ZipInfo("model.weights.h5", A_DATE), hollow(old.read("model.weights.h5")))


def hollow(weights: bytes) -> bytes:
    """The same HDF5 groups, attributes and datasets, with chunked datasets that hold nothing yet."""
    target = io.BytesIO()
    with h5py.File(io.BytesIO(weights)) as old, h5py.File(target, "w") as new:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                chunks = item.shape or None
                made = new.create_dataset(name, item.shape, item.dtype, chunks=chunks)
            else:
                made = new.require_group(name)
            made.attrs.update(item.attrs)

        old.visititems(copy)
        new.attrs.update(old.attrs)
    return target.getvalue()


def main() -> None:
    """Writes all models into this folder."""
    keras.utils.set_random_seed(1)
    model = tutorial_cnn()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    save_without_weights(model, HERE / "tutorial_cnn.keras")

    model = digits()
    signature = [tensorflow.TensorSpec((None, 28, 28, 1), tensorflow.float32, name="digit")]
    exported, _ = tf2onnx.convert.from_function(
        tensorflow.function(lambda digit: model(digit, training=False)), signature, opset=17
    )
    onnx.save(exported, HERE / "digits.onnx")


if __name__ == "__main__":
    main()
