"""When weights are read: few by default, all with --weights, none with --no-weights."""

import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import archlint.api
from archlint.api import check
from archlint.formats import find, open_weights, read
from archlint.graph import weights as bounds


def saved(path: Path, width: int = 64) -> Path:
    """Two dense layers, one of which holds a NaN."""
    draw = np.random.default_rng(0)
    kernels = [draw.laplace(0, 0.1, (width, width)).astype("float32") for _ in range(2)]
    kernels[1][0, 0] = np.nan
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["p"]),
        helper.make_node("Relu", ["p"], ["q"]),
        helper.make_node("MatMul", ["q", "b"], ["y"]),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (None, width)) for name in ("x", "y")]
    stored = [numpy_helper.from_array(kernel, name) for kernel, name in zip(kernels, "ab", strict=True)]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], initializer=stored)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def rules_of(path: Path, weights: bool | None = None) -> set[str]:
    (row,) = check([str(path)], weights=weights).files
    return {finding.rule for finding in row.findings}


def test_a_few_weights_are_read_unless_forbidden(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx")
    assert {"non-finite-weights"} == rules_of(path)
    assert set() == rules_of(path, weights=False)


def test_many_weights_are_read_only_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "m.onnx")
    monkeypatch.setattr(archlint.api, "FREE_WEIGHT_BYTES", 2 * 64 * 64 * 4 - 1)
    assert set() == rules_of(path)
    assert {"non-finite-weights"} == rules_of(path, weights=True)


def test_rules_that_were_not_judged_are_counted(tmp_path: Path) -> None:
    (row,) = check([str(saved(tmp_path / "m.onnx"))], select=["weights"], weights=False).files
    told = {silence.rule for silence in row.silences}
    assert {"non-finite-weights", "dead-units", "untrained-model"} <= told
    assert "weight-shape-mismatch" not in told  # is about Keras files


def test_a_tensor_larger_than_the_bound_is_never_taken_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = find([str(saved(tmp_path / "m.onnx"))])
    monkeypatch.setattr("archlint.formats.onnx.weights.MAX_TENSOR_BYTES", 64 * 64 * 4 - 1)
    graph = read(file)
    weights = open_weights(file, graph)
    assert weights is not None
    assert [None, None] == [weights.read(param) for node in graph.nodes for param in node.params]
    assert bounds.MAX_TENSOR_BYTES == 2**30


def test_weights_in_a_damaged_archive_do_not_stop_the_rest(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "examples/tutorial_cnn.keras"
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"no weights" if name.endswith(".h5") else old.read(name))
    (row,) = check([str(path)], weights=True).files
    assert (None, ()) == (row.problem, row.crashes)
    assert "flatten-into-large-dense" in {finding.rule for finding in row.findings}
