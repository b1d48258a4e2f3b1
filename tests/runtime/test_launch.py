"""The process that runs models: bounded, and an answer whatever happens in it."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from archlint.runtime import Feed, Job, is_installed, launch, verdict_on
from archlint.runtime.sessions import keras_function
from archlint.runtime.verify import answer_to


def scaled(path, factor: float) -> str:
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    value = numpy_helper.from_array(np.array([factor], np.float32), "k")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Mul", ["x", "k"], ["y"])], "g", ends[:1], ends[1:], [value])
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return str(path)


@pytest.fixture
def job(tmp_path) -> Job:
    paths = [scaled(tmp_path / f"{at}.onnx", 2.0) for at in range(2)]
    return Job(*paths, "onnx", ((Feed("x", "float32", (2, 3)),),), (), "float32", True, 1)


def test_a_process_that_takes_too_long_is_ended(job) -> None:
    found = verdict_on(job, 0.001)
    assert ("unknown", "running both models took longer than 0.001 s") == (found.status, found.reason)


def test_a_process_that_dies_is_an_answer(job, monkeypatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    found = verdict_on(job)
    assert ("unknown", "the process that ran the models ended with exit code 1") == (
        found.status,
        found.reason,
    )


def test_nothing_is_imported_to_know_what_is_installed(monkeypatch) -> None:
    monkeypatch.setattr(launch, "find_spec", {"keras": None, "onnxruntime": object()}.get)
    assert (False, True) == (is_installed("keras-h5"), is_installed("onnx"))


@pytest.mark.oracle
def test_equal_files_agree_in_onnx_runtime(job) -> None:
    found = verdict_on(job)
    assert ("agrees", 3, 0.0) == (found.status, found.draws, found.absolute)
    assert (found.runtime or "").startswith("onnxruntime ")


@pytest.mark.oracle
def test_other_weights_are_seen_in_onnx_runtime(job, tmp_path) -> None:
    other = scaled(tmp_path / "other.onnx", 2.0001)
    assert "differs" == verdict_on(replace(job, patched=other)).status


@pytest.mark.oracle
def test_modules_beside_the_model_are_not_imported(job, tmp_path, monkeypatch) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('imported from the folder of the model')")
    monkeypatch.chdir(tmp_path)
    assert "agrees" == verdict_on(job).status


@pytest.mark.oracle
def test_memory_is_bounded(job, monkeypatch) -> None:
    monkeypatch.setattr(launch, "MEMORY_BYTES", 2**27)
    assert "unknown" == verdict_on(job).status


@pytest.mark.oracle
@pytest.mark.slow
def test_keras_models_are_fed_by_name_and_compared(tmp_path) -> None:
    keras = pytest.importorskip("keras")
    one, two = keras.Input((3,), name="one"), keras.Input((5,), name="two")
    both = keras.layers.Concatenate()([two, one])
    made = keras.layers.Dense(2, name="d")(both)
    path, other = str(tmp_path / "m.keras"), str(tmp_path / "n.keras")
    model = keras.Model({"one": one, "two": two}, {"b": made, "a": both})
    model.save(path)
    feeds = ((Feed("two", "float32", (2, 5)), Feed("one", "float32", (2, 3))),)
    found = verdict_on(Job(path, path, "keras", feeds, (), "float32", True, 18))
    assert ("agrees", 3) == (found.status, found.draws)
    model.get_layer("d").set_weights([np.ones((8, 2)), np.ones(2)])
    model.save(other)
    assert "differs" == answer_to(Job(path, other, "keras", feeds, (), "float32", True, 18))["status"]


@pytest.mark.oracle
def test_channels_first_is_run_on_a_cpu_too(tmp_path) -> None:
    keras = pytest.importorskip("keras")
    image = keras.Input((2, 5, 5), name="image")
    layer = keras.layers.Conv2D(3, 5, data_format="channels_first")
    path = str(tmp_path / "m.keras")
    keras.Model(image, layer(image)).save(path)
    data = np.random.default_rng(0).normal(size=(4, 2, 5, 5)).astype("float32")
    [found] = keras_function(path)(["image"], [data])
    wanted = np.einsum("nchw,hwcu->nu", data, layer.kernel.numpy())
    # 50 float32 products of numbers near 1 are summed.
    np.testing.assert_allclose(wanted, found[:, :, 0, 0], atol=1e-5)
