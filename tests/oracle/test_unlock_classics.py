"""``archlint fix`` frees the input size of networks that the literature knows; their outputs stay.

VGG16 in Keras and LeNet have their real widths here; of the others the channels and hidden units are divided
by 8, topology and image size are the real ones. With ``ARCHLINT_WIDTH=1`` in the environment all have their
real widths, most of them 0.5 GB large; that takes some minutes and 5 GB of memory.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent))

from classic_networks import LIGHT, NETWORKS, Network, keras_model, light_model, torch_model

from archlint.api import read_one
from archlint.cli import archlint

pytestmark = [pytest.mark.oracle, pytest.mark.slow]

WIDTH = int(os.environ.get("ARCHLINT_WIDTH", "8"))
REAL = {("vgg16", "keras"), *(("lenet", writer) for writer in ("keras", "h5", "torch", "tf2onnx"))}

TOLERANCE = 2e-5
"""Relative to the largest output: sums of up to 179,776 float32 products, in another order."""


def unlocked(path: Path) -> str:
    """The path of what ``archlint fix`` makes of a model; the comparison is ours, so it does not prove it."""
    out = str(path.with_stem("free"))
    found = CliRunner().invoke(
        archlint, ["fix", str(path), "-o", out, "--verify", "off"], standalone_mode=False
    )
    assert found.exception is None, found.exception
    assert "input-size-fixed-by-flatten" in found.output
    assert "fixed (exact)" in found.output
    assert [None, None] == [dim for dim in read_one(out)[1].inputs[0][1].shape[1:] if dim is None]
    return out


def keras_runner(path: str):
    import keras

    model = keras.saving.load_model(path, compile=False)
    return lambda data: np.asarray(model(data, training=False))


def onnx_runner(path: str):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda data: session.run(None, {name: data})[0]


def compare(path: Path, runner, network: Network, axis: int) -> None:
    """Same outputs at the native size, finite ones of the same shape at larger sizes."""
    random = np.random.default_rng(1)

    def images(height: int, width: int) -> np.ndarray:
        shape = [1, height, width]
        shape.insert(axis, network.channels)
        return random.standard_normal(shape, np.float32)

    native = images(network.size, network.size)
    old = runner(str(path))(native)
    gc.collect()
    run = runner(unlocked(path))
    new = run(native)
    assert old.shape == new.shape == (1, network.classes)
    assert old.std() > 0
    np.testing.assert_allclose(new, old, rtol=0, atol=TOLERANCE * np.abs(old).max())
    for size in network.larger:
        found = run(images(*size))
        assert found.shape == (1, network.classes)
        assert np.isfinite(found).all()
        assert np.abs(found - new).max() > 0


CASES = [(name, writer) for name in NETWORKS for writer in ("keras", "torch", "tf2onnx")]


@pytest.mark.parametrize(("name", "writer"), [*CASES, ("lenet", "h5")])
def test_a_classic_network_is_freed_and_keeps_its_outputs(name, writer, tmp_path):
    network = NETWORKS[name].narrowed(1 if (name, writer) in REAL else WIDTH)
    if writer == "torch":
        onnx.save(torch_model(network), tmp_path / "model.onnx")
        compare(tmp_path / "model.onnx", onnx_runner, network, 1)
        return
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    model = keras_model(network)
    if writer == "tf2onnx":
        saved = _converted(model, network, tmp_path / "model.onnx")
        compare(saved, onnx_runner, network, 3)
        return
    model.save(tmp_path / f"model.{writer}")
    del model
    keras.utils.clear_session()
    compare(tmp_path / f"model.{writer}", keras_runner, network, 3)


def _converted(model, network: Network, path: Path) -> Path:
    """A Keras model as tf2onnx writes it."""
    tf = pytest.importorskip("tensorflow")
    tf2onnx = pytest.importorskip("tf2onnx")
    shape = (None, network.size, network.size, network.channels)
    function = tf.function(lambda x: model(x, training=False))
    signature = [tf.TensorSpec(shape, tf.float32, name="image")]
    tf2onnx.convert.from_function(function, signature, opset=17, output_path=str(path))
    return path


@pytest.mark.parametrize("name", ["bvlc_alexnet", "vgg19", "zfnet512"])
def test_a_network_that_onnx_ships_is_freed_and_keeps_its_outputs(name, tmp_path):
    assert (LIGHT / f"light_{name}.onnx").exists()
    onnx.save(light_model(name, WIDTH), tmp_path / "model.onnx")
    network = Network(224, 3, (), (), 1000)
    compare(tmp_path / "model.onnx", onnx_runner, network, 1)
