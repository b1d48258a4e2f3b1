"""Rewrites of ONNX models keep what ONNX Runtime computes, on the file that the writer made of them."""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings

sys.path.insert(0, str(Path(__file__).parent))

from onnx_flaws import flawed
from onnx_heads import heads

from archlint.engine import load, selection
from archlint.errors import PatchError
from archlint.facts import Facts
from archlint.fixes import unlock
from archlint.fixing.loop import Model, Wanted, mend
from archlint.formats import open_weights
from archlint.formats.base import ModelFile
from archlint.formats.onnx import read
from archlint.formats.onnx.write import write

pytestmark = pytest.mark.oracle

TOLERANCE = 1e-5
"""Relative to the largest output: the same float32 products are summed in another order."""

MODELS = settings(
    max_examples=250, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)


MENDED = {
    "bias-before-norm",
    "dead-node",
    "full-map-pool",
    "mergeable-linear-pair",
    "node-without-effect",
    "norm-not-folded",
    "norm-twice",
    "pad-before-window",
    "repeated-work",
    "softmax-before-argmax",
    "transposes-that-cancel",
}
"""Rules whose fixes the generated models must have had need of."""


def opened(model, folder):
    path = f"{folder}/in.onnx"
    onnx.save(model, path)
    file = ModelFile(path, "onnx", os.path.getsize(path))
    return file, read(file)


def run(path, *shape, seed=0):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    data = np.random.default_rng(seed).normal(size=shape).astype("float32")
    return session.run(None, {session.get_inputs()[0].name: data})


def same(old, new):
    for one, other in zip(old, new, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(other, one, rtol=TOLERANCE, atol=TOLERANCE * max(1.0, np.abs(one).max()))


def test_a_head_of_any_order_keeps_its_outputs_and_runs_at_other_sizes():
    refused = []

    @MODELS
    @given(heads())
    def check(case):
        model, shape, axes = case
        with tempfile.TemporaryDirectory() as folder:
            file, graph = opened(model, folder)
            flatten = next(node for node in graph.nodes if node.op == "Flatten")
            try:
                edits = unlock.flatten(Facts(graph), {"flatten": flatten}, {})
            except PatchError as error:
                refused.append(str(error))
                return
            out = f"{folder}/out.onnx"
            write(file, graph, edits, out)
            onnx.checker.check_model(out, full_check=True)
            old = run(file.path, 2, *shape)
            same(old, run(out, 2, *shape))
            larger = [length + 3 * (axis in axes) for axis, length in enumerate(shape, 1)]
            assert old[0].shape == run(out, 2, *larger)[0].shape

    check()
    assert all("stands between" in reason for reason in refused), refused
    assert len(refused) < 60


def test_all_that_can_be_mended_keeps_the_outputs():
    made = Counter()
    rules = selection(load())

    @settings(MODELS, max_examples=150)
    @given(flawed())
    def check(case):
        model, shape = case
        with tempfile.TemporaryDirectory() as folder:
            file, graph = opened(model, folder)
            opening = Model.of(graph, file.size_bytes, open_weights(file, graph), True)
            wanted = Wanted(rules, {}, frozenset(rules.by_name), inference=True)
            mended = mend(opening, wanted)
            made.update(one.finding.rule for one in mended.attempts if one.reason is None)
            if not mended.model.edits:
                return
            out = f"{folder}/out.onnx"
            write(file, graph, mended.model.edits, out)
            same(run(file.path, 2, *shape), run(out, 2, *shape))

    check()
    assert MENDED <= made.keys()
