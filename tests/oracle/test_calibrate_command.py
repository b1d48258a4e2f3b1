"""``archlint fix --calibrate`` on networks whose right answer is known, run by ONNX Runtime."""

import numpy as np
import onnx
import onnxruntime
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from archlint.cli import archlint
from archlint.errors import PatchError, UsageError
from archlint.fixing import calibration
from archlint.fixing.calibration import calibrate
from archlint.runtime import trunk

pytestmark = pytest.mark.oracle
SOURCE = np.random.default_rng(0)
PLACES, CHANNELS = 6 * 6, 8


def saved(path, position: bool, hidden: bool = True):
    """Conv → Relu → Flatten → Gemm (→ Relu → Gemm) → Softmax, whose head does or does not use position."""
    first = SOURCE.normal(size=(CHANNELS, PLACES if position else 1, 12))
    weights = {
        "k": SOURCE.normal(size=(CHANNELS, 1, 3, 3)),
        "w1": np.broadcast_to(first, (CHANNELS, PLACES, 12)).reshape(-1, 12),
        "b1": SOURCE.normal(size=12),
        "w2": SOURCE.normal(size=(4, 12)),
        "b2": SOURCE.normal(size=4),
    }
    nodes = [
        helper.make_node("Conv", ["image", "k"], ["c"], "conv"),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("Flatten", ["r"], ["f"], "flat"),
        helper.make_node("Gemm", ["f", "w1", "b1"], ["h"], "fc1"),
        helper.make_node("Relu", ["h"], ["a"], "relu1"),
        helper.make_node("Gemm", ["a", "w2", "b2"], ["z"], "fc2", transB=1),
        helper.make_node("Softmax", ["z"], ["y"], "probs"),
    ]
    if not hidden:
        nodes = [*nodes[:4], helper.make_node("Softmax", ["h"], ["y"], "probs")]
        weights = {name: weights[name] for name in ("k", "w1", "b1")}
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4 if hidden else 12])],
        [numpy_helper.from_array(np.float32(value), name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return str(path)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    path = tmp_path_factory.mktemp("samples") / "samples.npz"
    np.savez(path, image=SOURCE.normal(size=(600, 1, 8, 8)).astype("float32"))
    return str(path)


def command(*arguments):
    """The exit code of the command, and what it says."""
    found = CliRunner().invoke(archlint, ["fix", *arguments], standalone_mode=False)
    assert found.exception is None, found.exception
    return found.return_value, found.output


def run(path, samples):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"image": np.load(samples)["image"]})[0]


@pytest.mark.parametrize("hidden", [True, False])
def test_a_head_that_sums_over_the_map_becomes_an_average_pool(tmp_path, samples, hidden):
    model = saved(tmp_path / "m.onnx", position=False, hidden=hidden)
    out = str(tmp_path / "o.onnx")
    code, said = command(model, "--calibrate", samples, "-o", out)
    assert 0 == code, said
    assert f"wrote {out} with average, the smallest that agrees at 0.99 or more" in said
    assert "run by onnxruntime it agrees at 1.0000" in said
    onnx.checker.check_model(out)
    # The fit is exact up to the penalty that remains, 1e-8 of the largest squared singular value.
    np.testing.assert_allclose(run(model, samples), run(out, samples), atol=2e-3)


def test_a_head_that_uses_position_is_left_alone(tmp_path, samples):
    model = saved(tmp_path / "m.onnx", position=True)
    code, said = command(model, "--calibrate", samples, "--min-agreement", "0.999")
    assert 1 == code, said
    assert "nothing was written; no smaller model agrees at 0.999 or more" in said
    assert ["m.onnx"] == [file.name for file in tmp_path.iterdir()]


def at_once(path, format_, samples, places, batch, *_):
    """What ``values_at`` gives, without a process of its own, on a tenth of the samples."""
    run = trunk.RUNS[format_](path, [{"layer": p.layer, "side": p.side, "value": p.value} for p in places])
    return run({name: np.load(file)[:60] for name, file in samples.files.items()})


def test_every_variant_computes_in_the_file_what_its_fit_says(tmp_path, samples, monkeypatch):
    model = saved(tmp_path / "m.onnx", position=True)
    seen = []
    monkeypatch.setattr(calibration, "values_at", at_once)
    fitted = calibration.Calibration.fitted

    def one_at_a_time(self):
        every = list(fitted(self))
        seen[:] = [(one.name, one.hidden) for one in every]
        return iter([every[at]])

    monkeypatch.setattr(calibration.Calibration, "fitted", one_at_a_time)
    at = 0
    while at == 0 or at < len(seen):
        out = str(tmp_path / f"{at}.onnx")
        found = calibrate(model, samples, out, least=0.0)
        if found.winner is not None:
            assert pytest.approx(found.winner.agreement) == found.proven
        at += 1
    assert {"average", "average + maximum", "grid 2×2", "weighting", "low rank 2"} <= {n for n, _ in seen}
    assert {"refitted", "left out"} == {hidden for _, hidden in seen}


def test_a_trial_run_writes_nothing(tmp_path, samples):
    model = saved(tmp_path / "m.onnx", position=False)
    code, said = command(model, "--calibrate", samples, "--diff")
    assert 1 == code, said
    assert "average is the smallest that agrees" in said
    assert ["m.onnx"] == [file.name for file in tmp_path.iterdir()]


def test_samples_that_do_not_fit_are_refused(tmp_path):
    model = saved(tmp_path / "m.onnx", position=False)
    path = tmp_path / "s.npy"
    np.save(path, np.zeros((60, 1, 9, 8), "float32"))
    with pytest.raises(UsageError, match="its samples are 1×9×8; the input 'image' takes 1×8×8"):
        calibrate(model, str(path))
    np.save(path, np.zeros((9, 1, 8, 8), "float32"))
    with pytest.raises(PatchError, match="9 samples are too few"):
        calibrate(model, str(path))
    np.save(path, np.array([{}], object), allow_pickle=True)
    with pytest.raises(UsageError, match="cannot be read"):
        calibrate(model, str(path))


def test_a_folder_of_images_is_read(tmp_path):
    image = pytest.importorskip("PIL.Image")
    model = saved(tmp_path / "m.onnx", position=False)
    folder = tmp_path / "images"
    folder.mkdir()
    for at in range(60):
        image.fromarray(SOURCE.integers(0, 255, (10, 12), np.uint8)).save(folder / f"{at}.png")
    found = calibrate(model, str(folder), least=0.9)
    assert "60 images, made 8×8, pixels from 0 to 1" == found.samples
    assert 12 == found.held
