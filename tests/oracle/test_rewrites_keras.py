"""Rewrites of Keras models keep what Keras computes, on the file that the writer made of them."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras")

from keras import layers  # noqa: E402 (after the framework, which may be absent)

sys.path.insert(0, str(Path(__file__).parent))

from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from keras_flaws import images, sequences  # noqa: E402
from keras_heads import chained, heads  # noqa: E402

from archlint.engine import load, selection  # noqa: E402
from archlint.errors import PatchError  # noqa: E402
from archlint.facts import Facts  # noqa: E402
from archlint.fixes import pooling, unlock  # noqa: E402
from archlint.fixing.loop import Model, Wanted, mend  # noqa: E402
from archlint.formats import find, open_weights, read  # noqa: E402
from archlint.formats.keras.write import write  # noqa: E402

pytestmark = pytest.mark.oracle

TOLERANCE = 2e-5
"""Relative to the largest output: some hundred float32 products are summed in another order."""

MODELS = settings(
    deadline=None,
    database=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
        HealthCheck.data_too_large,
    ],
)


def saved(model, folder, name="in", suffix=".keras"):
    """A model, filled by ``keras_heads.fill``, as a file of which the graph is read."""
    path = f"{folder}/{name}{suffix}"
    model.save(path)
    [file] = find([path])
    return file, read(file)


def outputs(model, *shape, first=False):
    """What a model gives for made-up numbers, in inference; channels first only by way of XLA on a CPU."""
    data = np.random.default_rng(1).normal(size=shape).astype("float32")
    if first:
        import tensorflow as tf

        found = tf.function(lambda x: model(x, training=False), jit_compile=True)(data)
    else:
        found = model(data, training=False)
    return [np.asarray(one) for one in (found if isinstance(found, list) else [found])]


def loaded(path):
    return keras.models.load_model(path, compile=False)


def same(old, new):
    for one, other in zip(old, new, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(other, one, rtol=TOLERANCE, atol=TOLERANCE * max(1.0, np.abs(one).max()))


def test_a_head_of_any_kind_keeps_its_outputs_and_runs_at_other_sizes(tmp_path):
    refused, formats = [], Counter()

    @settings(MODELS, max_examples=100)
    @given(heads())
    def check(case):
        file, graph = saved(case.model, tmp_path, suffix=case.suffix)
        flatten = next(node for node in graph.nodes if node.op == "Flatten")
        try:
            edits = unlock.flatten(Facts(graph), {"flatten": flatten}, {})
        except PatchError as error:
            refused.append(str(error))
            return
        out = str(tmp_path / f"out{case.suffix}")
        write(file, graph, edits, out)
        patched = loaded(out)
        old = outputs(case.model, 2, *case.shape, first=case.first)
        same(old, outputs(patched, 2, *case.shape, first=case.first))
        assert old[0].shape == outputs(patched, 2, *case.larger(3), first=case.first)[0].shape
        formats[case.suffix, case.first] += 1

    check()
    assert all("stands between" in reason for reason in refused), refused
    assert len(refused) < 30
    assert {(".keras", False), (".keras", True), (".h5", False), (".h5", True)} == formats.keys()


def test_pooling_leaves_the_parameters_that_the_finding_promises_and_trains(tmp_path):
    parts = [
        layers.Conv2D(8, 3, activation="relu"),
        layers.Flatten(),
        layers.Dropout(0.3),
        layers.Dense(16, activation="relu"),
        layers.Dense(8, activation="relu"),
        layers.Dense(4, activation="softmax"),
    ]
    file, graph = saved(chained(parts, (12, 12, 3), False), tmp_path)
    flatten = next(node for node in graph.nodes if node.op == "Flatten")
    dense = next(node for node in graph.nodes if node.op == "Dense")
    for way, left in ((pooling.keep, 224 + 144 + 136 + 36), (pooling.collapse, 224 + 36)):
        out = str(tmp_path / "out.keras")
        write(file, graph, way(Facts(graph), {"flatten": flatten, "dense": dense}, {}), out)
        model = keras.models.load_model(out)
        assert left == model.count_params()
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.fit(np.zeros((4, 12, 12, 3)), np.zeros(4), verbose=0)


@pytest.mark.parametrize("inference", [False, True])
def test_all_that_can_be_mended_keeps_the_outputs(inference, tmp_path):
    rules = selection(load())
    refused, made = [], Counter()
    wanted = Wanted(rules, {}, frozenset(rules.by_name), inference=inference)

    @settings(MODELS, max_examples=30)
    @given(st.one_of(images(), images(), sequences()))
    def check(case):
        file, graph = saved(case.model, tmp_path)
        mended = mend(Model.of(graph, file.size_bytes, open_weights(file, graph), True), wanted)
        refused.extend((one.finding.rule, one.reason) for one in mended.attempts if one.reason)
        made.update(one.finding.rule for one in mended.attempts if one.reason is None)
        if mended.model.edits:
            out = str(tmp_path / "out.keras")
            write(file, graph, mended.model.edits, out)
            same(outputs(case.model, 2, *case.shape), outputs(loaded(out), 2, *case.shape))

    check()
    assert not [pair for pair in refused if "internal error" in pair[1]]
    assert MENDED <= made.keys(), (made, refused)


MENDED = {
    "bias-before-norm",
    "dead-kernel-taps",
    "flatten-after-global-pool",
    "full-map-pool",
    "mergeable-linear-pair",
    "needless-time-distributed",
    "node-without-effect",
    "unused-sequence-output",
}
"""Rules whose fixes these models have need of."""


def test_compile_settings_change_and_outputs_stay_bit_for_bit(tmp_path):
    rules = selection(load())
    parts = [layers.Dense(3, activation="relu"), layers.Dense(1)]
    model = chained(parts, (4,), False)
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    file, graph = saved(model, tmp_path)
    mended = mend(Model.of(graph, file.size_bytes, None, False), Wanted(rules, {}, frozenset(rules.by_name)))
    out = str(tmp_path / "out.keras")
    write(file, graph, mended.model.edits, out)
    patched = keras.models.load_model(out)
    assert patched.loss.get_config()["from_logits"] if hasattr(patched.loss, "get_config") else patched.loss
    assert all(map(np.array_equal, outputs(model, 2, 4), outputs(patched, 2, 4)))
    patched.fit(np.zeros((4, 4)), np.zeros(4), verbose=0)
