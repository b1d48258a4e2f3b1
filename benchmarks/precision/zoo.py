"""The zoo: healthy models. ``python benchmarks/precision/zoo.py FOLDER`` writes it, weights left out.

Models of Keras become ``NAME.keras`` with the members that describe them and no weights; the variables are
never allocated (``StatelessScope`` puts their making off, and it is not made up for), so that ConvNeXtXLarge
costs as much as an empty network. Ten of them are exported by tf2onnx too.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import inspect
import json
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import generative
import keras
import maps
import numpy
import onnx
import signals
import tables
import tensorflow
import text
import tf2onnx
import vision
from keras.src.saving.serialization_lib import ObjectSharingScope
from zoo_types import Made

FAMILIES = (vision, maps, generative, text, signals, tables)

EXPORTED = (
    "MobileNetV2",
    "alphazero",
    "bilstm",
    "dcgan_generator",
    "gpt_decoder",
    "mnist_cnn",
    "se_resnet",
    "tcn",
    "translation_transformer",
    "unet",
)
"""What tf2onnx exports, one of each kind. It has no Erfc, hence no exact GELU as TensorFlow writes it."""

ALLOCATED = ("char_gru",)
"""What cannot be built without storage: the states of recurrent layers are made from values."""


def _application(build: Callable[..., keras.Model]) -> Made:
    return build(weights=None), None


def zoo() -> dict[str, Callable[[], Made]]:
    """Name → the function that builds the model: all of ``keras.applications``, then the hand-built ones."""
    applications = {
        name: partial(_application, build)
        for name, build in sorted(vars(keras.applications).items())
        if inspect.isfunction(build)
    }
    return {**applications, **{build.__name__: build for family in FAMILIES for build in family.MODELS}}


def described(name: str) -> keras.Model:
    """The model, compiled if it would be, with variables that have shapes but no storage."""
    keras.utils.clear_session(free_memory=False)
    if name in ALLOCATED:
        model, settings = zoo()[name]()
    else:
        with keras.StatelessScope(initialize_variables=False):
            model, settings = zoo()[name]()
    if settings:
        model.compile(**settings())
    return model


def save_description(model: keras.Model, path: Path) -> None:
    """Writes what ``model.save`` writes, less the weights, at a fixed date."""
    with ObjectSharingScope():
        config = keras.saving.serialize_keras_object(model)
    members = {
        "metadata.json": {"keras_version": keras.__version__, "date_saved": "2026-01-01@00:00:00"},
        "config.json": config,
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), json.dumps(content))


def export(name: str, path: Path) -> None:
    """Writes the model as tf2onnx exports it; its weights are cut out afterwards.

    Vectors get random values, since tf2onnx leaves out biases of zero and normalisation that does nothing.
    """
    keras.utils.clear_session()
    model, _ = zoo()[name]()
    for weight in (item for item in model.weights if len(item.shape) == 1):
        weight.assign(numpy.random.default_rng(0).uniform(0.1, 1.0, weight.shape))
    signature = [
        tensorflow.TensorSpec((None, *item.shape[1:]), item.dtype, item.name) for item in model.inputs
    ]
    function = tensorflow.function(lambda *x: model(list(x) if len(x) > 1 else x[0], training=False))
    exported, _ = tf2onnx.convert.from_function(function, signature, opset=17)
    strip(exported)
    path.write_bytes(exported.SerializeToString(deterministic=True))


def strip(model: onnx.ModelProto) -> None:
    """Moves every tensor of more than 256 bytes to external data that is not there."""
    tensors = list(model.graph.initializer)
    tensors += [item.t for node in model.graph.node for item in node.attribute if item.HasField("t")]
    offset = 0
    for tensor in tensors:
        size = onnx.numpy_helper.to_array(tensor).nbytes
        if size <= 256:
            continue
        kept = onnx.TensorProto(dims=tensor.dims, data_type=tensor.data_type, name=tensor.name)
        kept.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", "weights-left-out.bin"), ("offset", offset), ("length", size)):
            kept.external_data.add(key=key, value=str(value))
        tensor.CopyFrom(kept)
        offset += size


def main() -> None:
    """Writes all models and ``expected.json``: the parameters and output shapes that Keras itself counts."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    expected = {}
    for name in zoo():
        model = described(name)
        save_description(model, folder / f"{name}.keras")
        shapes = [[None, *item.shape[1:]] for item in model.outputs]
        expected[f"{name}.keras"] = {"params": model.count_params(), "outputs": shapes}
    for name in EXPORTED:
        export(name, folder / f"{name}.tf2onnx.onnx")
    (folder / "expected.json").write_text(json.dumps(expected))


if __name__ == "__main__":
    main()
