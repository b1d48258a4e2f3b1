"""Which head ``archlint fix`` puts in the place of a flattened one, and what it says of it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from archlint.commands.fix import fix as command
from archlint.engine import load, selection
from archlint.errors import UsageError
from archlint.fixes import HEADS
from archlint.fixing import carry_out, plan
from archlint.fixing.loop import Model, Wanted, mend
from archlint.graph import parse
from archlint.ops import build

ROOT = Path(__file__).parents[2]
CNN = str(ROOT / "examples/tutorial_cnn.keras")
COST, SIZE = "flatten-into-large-dense", "input-size-fixed-by-flatten"

TEXT = """model m format=keras
input x float32[N,32,32,3]
c = Conv(x) filters=8 kernel=(3,3) strides=(2,2)
r = Relu(c)
f = Flatten(r)
d = Dense(f) units=160
a = Relu(d)
e = Dense(a) units=4
s = Softmax(e)
output s
"""
SINGLE = TEXT.replace("a = Relu(d)\ne = Dense(a) units=4\ns = Softmax(e)", "s = Softmax(d)")
PLACES, CHANNELS, UNITS = 225, 8, 160


class Stored:
    """Weights of the first dense layer; all others are as a trained network could have them."""

    def __init__(self, kernel):
        self.kernel = kernel.reshape(-1, UNITS).astype("float32")

    def read(self, param):
        if param.name == "d/kernel":
            return self.kernel
        return np.random.default_rng(len(param.name)).normal(size=param.shape).astype("float32")

    def holds(self, param):
        return param.shape is not None

    def mismatches(self):
        return ()


def kernels():
    source = np.random.default_rng(0)
    per_place = source.normal(size=(PLACES, CHANNELS, UNITS))
    corner = (np.arange(PLACES) // 15 < 8) * 2 + (np.arange(PLACES) % 15 < 8)
    return {
        "differ": per_place,
        "alike": per_place[:1] + 0.3 * per_place,
        "alike in each corner": np.array([1, -1, -1, 1])[corner][:, None, None] * per_place[:1],
        "weighted": per_place[:, :1, :1] * per_place[:1],
    }


KERNELS = kernels()


def mended(kernel, *names, head=None, text=TEXT, retrain=True):
    stored = Stored(KERNELS[kernel])
    model = Model.of(build(parse(text)), None, stored, False)
    return mend(model, Wanted(selection(load()), {}, frozenset(names), retrain=retrain, head=head))


def said(found):
    """(title, reason) per attempt."""
    return [(row.fix.title, row.reason) for row in found.attempts]


def ops(found):
    return [node.op for node in found.model.facts.graph.nodes]


def test_weights_that_are_alike_everywhere_are_pooled_with_the_evidence_shown():
    (row,) = mended("alike", COST).attempts
    assert (None, "global average pooling in place of f") == (row.reason, row.fix.title.split(":")[0])
    assert "is the same at all 225 places: λ = 2" in row.notes[0]
    assert "a unit of the map of 15×15 sees 3 of 32 pixels along an axis" == row.notes[1]
    assert row.notes[2].startswith("lost: where on the map something is")


def test_weights_that_use_the_place_are_not_pooled_and_calibration_is_named():
    found = mended("differ", COST)
    assert "Flatten" in ops(found)
    assert 2 == len(found.attempts)
    for _, reason in said(found):
        assert reason.startswith("d uses where things are, which pooling loses; --calibrate")


def test_that_they_use_the_place_is_still_said_when_another_fix_solves_the_finding():
    found = mended("differ", COST, SIZE)
    assert "Flatten" not in ops(found)
    assert [None] == [row.reason for row in found.attempts if row.finding.rule == SIZE and not row.reason]
    assert any(row.finding.rule == COST and "--calibrate" in row.reason for row in found.attempts)


@pytest.mark.parametrize(("head", "left"), [("keep", "Dense Dense"), ("collapse", "Dense")])
def test_a_pooled_head_that_is_asked_for_is_made_whatever_the_weights_say(head, left):
    found = mended("differ", COST, SIZE, head=head)
    assert ["GlobalAveragePool", *left.split()] == [
        op for op in ops(found) if op in ("Flatten", "GlobalAveragePool", "Dense")
    ]
    (row,) = found.attempts
    assert "λ = 1.0" in row.notes[0]


@pytest.mark.parametrize(
    ("head", "kernel"), [("grid", "alike in each corner"), ("spatial", "weighted"), ("low-rank", "weighted")]
)
def test_an_approximation_is_offered_where_its_evidence_holds_and_made_when_asked_for(head, kernel):
    offered = mended(kernel, COST)
    assert f"--head {head} makes it" in [reason for _, reason in said(offered)]
    found = mended(kernel, COST, SIZE, head=head)
    assert [None] == [reason for _, reason in said(found)]
    assert COST not in {place.finding.rule for place in found.tally.places}


@pytest.mark.parametrize("head", ["grid", "spatial", "low-rank"])
def test_an_approximation_that_does_not_hold_is_refused_and_nothing_else_takes_its_place(head):
    found = mended("differ", COST, SIZE, head=head)
    assert "Flatten" in ops(found)
    (row,) = found.attempts
    assert "--calibrate" in row.reason or "would not halve" in row.reason
    assert "of the energy" in row.notes[0] or "of their energy" in row.notes[0]


def test_what_needs_the_weights_is_not_spoken_of_where_nothing_may_be_retrained():
    found = mended("weighted", COST, retrain=False)
    assert ["the weights lose their meaning; --unsafe-fixes makes it"] * 2 == [row for _, row in said(found)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SINGLE, "no other dense layer"),
        (TEXT.replace("output s", "t = Dense(f) units=2\noutput s t"), "feeds more than"),
    ],
)  # fmt: skip
def test_a_collapse_that_is_not_possible_says_why(text, reason):
    found = mended("alike", COST, SIZE, head="collapse", text=text)
    assert "Flatten" in ops(found)
    assert any(reason in (row or "") for _, row in said(found)), said(found)


def test_a_head_is_named_by_those_that_exist_and_with_unsafe_fixes_only():
    (option,) = [one for one in command.params if one.name == "head"]
    assert list(HEADS) == list(option.type.choices)
    with pytest.raises(UsageError, match="goes with --unsafe-fixes"):
        plan(CNN, head="keep")


def run(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    words = [sys.executable, "-m", "archlint", "fix", *map(str, arguments), "--isolated"]
    return subprocess.run(words, capture_output=True, text=True, env=environment, cwd=ROOT)


@pytest.mark.parametrize(("head", "left"), [("keep", "72,522"), ("collapse", "66,602")])
def test_the_tutorial_network_is_pooled_as_asked_from_the_command_line(head, left, tmp_path):
    done = run(CNN, "--unsafe-fixes", "--head", head, "-o", tmp_path / "out.keras", "--verify", "off")
    assert (0, "") == (done.returncode, done.stderr)
    assert f"parameters 11,574,090 → {left} (-99.4%)" in done.stdout
    assert "so nothing that was learnt is lost" in done.stdout


def exported(folder: str) -> dict[str, str]:
    """The tutorial network with made-up weights as .keras, .h5 and tf2onnx's .onnx; suffix → path."""
    keras, tf2onnx = pytest.importorskip("keras"), pytest.importorskip("tf2onnx")
    import tensorflow

    source = np.random.default_rng(0)
    model = keras.models.clone_model(keras.models.load_model(CNN, compile=False))
    for weight in model.weights:
        if "variance" in weight.name or "gamma" in weight.name:
            weight.assign(source.uniform(0.5, 1.5, weight.shape))
        elif "seed" not in weight.name:
            weight.assign(source.normal(size=weight.shape) / np.prod(weight.shape[:-1]) ** 0.5)
    paths = {suffix: os.path.join(folder, f"cnn{suffix}") for suffix in (".keras", ".h5", ".onnx")}
    model.save(paths[".keras"])
    model.save(paths[".h5"])
    spec = (tensorflow.TensorSpec((None, *model.input_shape[1:]), tensorflow.float32, name="image"),)
    function = tensorflow.function(lambda image: model(image, training=False))
    tf2onnx.convert.from_function(function, spec, opset=17, output_path=paths[".onnx"])
    return paths


@pytest.mark.oracle
@pytest.mark.slow
def test_the_tutorial_network_is_pooled_in_every_format(tmp_path):
    """tf2onnx keeps two vectors of each of two norms, where Keras counts four: 192 parameters fewer."""
    keras = pytest.importorskip("keras")
    for suffix, path in exported(str(tmp_path)).items():
        fewer = 192 if suffix == ".onnx" else 0
        unasked = plan(path, unsafe=True, select=[COST])
        assert all("--calibrate" in (row.reason or "") for row in unasked.patch.attempts)
        for head, left in (("keep", 72_522), ("collapse", 66_602)):
            out = str(tmp_path / f"{head}{suffix}")
            patch = carry_out(plan(path, out, unsafe=True, head=head, select=["head"]), "off")
            assert (11_574_090 - fewer, left - fewer) == (patch.before.params, patch.after.params)
            if suffix != ".onnx":
                assert left == keras.models.load_model(out, compile=False).count_params()
    model = keras.models.load_model(tmp_path / "collapse.keras", compile=False)
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = model.layers[-1].get_weights()[0]
    model.fit(np.ones((1, *model.input_shape[1:])), np.zeros(1), verbose=0)
    assert not np.array_equal(before, model.layers[-1].get_weights()[0])
    image = np.ones((1, *model.input_shape[1:]), "float32")
    session = pytest.importorskip("onnxruntime").InferenceSession(str(tmp_path / "collapse.onnx"))
    assert (1, 10) == session.run(None, {"image": image})[0].shape
