"""Patches that keep the function keep the outputs of ONNX Runtime, at the old size; freed sizes run."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

sys.path.insert(0, str(Path(__file__).parents[1] / "formats" / "onnx"))

from test_write_onnx_forms import ROWS, patched
from write_cases import OPSETS, free_batch, free_size, heads, networks, read_at, removals, saved

from archlint.formats.onnx.write import write
from archlint.graph import Node, Splice

pytestmark = pytest.mark.oracle

TOLERANCE = 1e-5
"""Relative; a convolution sums the same float32 products as the matrix product, in another order."""


def outputs(path: str | Path, *shape: int) -> list[np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    data = np.random.default_rng(0).normal(size=shape).astype("float32")
    return session.run(None, {"x": data})


def identities(graph):
    """An Identity behind the first value."""
    value = graph.inputs[0][0]
    new = Node("same", "Identity", (value,), ("same/out",))
    return [Splice(added=(new,), moved={value: "same/out"})]


@pytest.mark.parametrize("opset", OPSETS)
def test_patches_that_keep_the_function_keep_the_outputs(opset):
    seen = 0

    @settings(max_examples=8, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(networks((opset,)))
    def check(model):
        nonlocal seen
        with tempfile.TemporaryDirectory() as folder:
            file, out = saved(model, Path(folder)), f"{folder}/out.onnx"
            graph = read_at(file.path)
            shape = graph.inputs[0][1].shape[1:]
            before = outputs(file.path, 2, *shape)
            kinds = (identities, removals, free_batch, heads)
            for edits in [[edit] for kind in kinds for edit in kind(graph)]:
                write(file, graph, edits, out)
                for old, new in zip(before, outputs(out, 2, *shape), strict=True):
                    np.testing.assert_allclose(new, old, rtol=TOLERANCE, atol=TOLERANCE * np.abs(old).max())
                seen += 1

    check()
    assert seen > 8


@pytest.mark.parametrize("opset", OPSETS)
def test_a_freed_size_runs_at_the_old_size_and_at_a_larger_one(opset):
    seen = 0

    @settings(max_examples=15, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(networks((opset,)))
    def check(model):
        nonlocal seen
        with tempfile.TemporaryDirectory() as folder:
            file, out = saved(model, Path(folder)), f"{folder}/out.onnx"
            graph = read_at(file.path)
            channels, height, width = graph.inputs[0][1].shape[1:]
            for edit in heads(graph):
                write(file, graph, [edit, *free_size(graph)], out)
                [old], [new] = (
                    outputs(file.path, 2, channels, height, width),
                    outputs(out, 2, channels, height, width),
                )
                np.testing.assert_allclose(new, old, rtol=TOLERANCE, atol=TOLERANCE * np.abs(old).max())
                assert old.shape == outputs(out, 2, channels, height + 8, width + 5)[0].shape
                seen += 1

    check()
    assert seen > 0


@pytest.mark.parametrize("row", [row for row in ROWS if row[2] >= 0], ids=lambda row: row[0][:60])
def test_the_forms_of_all_opsets_do_the_same(row, tmp_path):
    text, dims, since = row
    shape = [int(dim) if dim.isdigit() else 2 for dim in dims.split(",")]
    found = []
    for opset in [opset for opset in OPSETS if opset >= since]:
        patched(text, dims, opset, tmp_path)
        found.append(outputs(tmp_path / "out.onnx", *shape)[0])
    for one in found[1:]:
        np.testing.assert_allclose(one, found[0], rtol=TOLERANCE, atol=TOLERANCE)
