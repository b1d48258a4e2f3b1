"""Every operator on the models of onnx's own backend tests: shapes against onnx, and against real data."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from archlint.formats.base import ModelFile
from archlint.formats.onnx import read
from archlint.graph import Shape
from archlint.ops import TABLE, infer

onnx = pytest.importorskip("onnx")

# Domains that are no part of the default one, and a test input whose type is no tensor.
NOT_INFERRED = ("ai_onnx_ml", "adagrad", "adam", "momentum", "flexattention", "optional_tensor")

# Scan of opset 8 has a batch axis that no later opset has; its shapes stay unknown. The reader leaves an axis
# of DFT that is computed at run time as an input; onnx guesses that the length stays.
WEAKER = {"test_scan_sum", "test_dft", "test_dft_axis", "test_dft_inverse", "test_dft_rfft", "test_dft_irfft"}

# Operators whose normal form the reader leaves open.
UNREAD = {"Swish", "SwiGLU"}


@pytest.fixture(scope="module")
def cases() -> Sequence:
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [case for case in collect_testcases(None) if case.model is not None]


def undeclared(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without the shapes of what it computes, so that none can be taken over."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.graph.value_info[:]
    for output in bare.graph.output:
        if output.type.HasField("tensor_type"):
            output.type.tensor_type.ClearField("shape")
    return bare


def stated_shapes(model: onnx.ModelProto) -> Mapping[str, Shape]:
    found: dict[str, Shape] = {}
    for value in model.graph.output:
        kind = value.type
        if kind.HasField("tensor_type") and kind.tensor_type.HasField("shape"):
            dims = kind.tensor_type.shape.dim
            found[value.name] = tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in dims)
    return found


def is_as_exact(ours: Shape, theirs: Shape) -> bool:
    """Whether every length that onnx knows is known here, and the same."""
    if theirs is None:
        return True
    if ours is None or len(ours) != len(theirs):
        return False
    return all(b is None or a == b for a, b in zip(ours, theirs, strict=True))


def holds(ours: Shape, real: Sequence[int]) -> bool:
    if ours is None:
        return True
    return len(ours) == len(real) and all(
        not isinstance(a, int) or a == b for a, b in zip(ours, real, strict=True)
    )


@pytest.mark.oracle
def test_shapes_of_all_operators_are_those_of_onnx_and_of_its_test_data(
    cases: Sequence, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    wrong, weaker, judged = [], [], 0
    for case in cases:
        bare = undeclared(case.model)
        path.write_bytes(bare.SerializeToString())
        graph = read(ModelFile(str(path), "onnx", path.stat().st_size))
        found = infer(graph)
        theirs = stated_shapes(onnx.shape_inference.infer_shapes(bare, data_prop=True))
        skipped = case.name in WEAKER or any(word in case.name for word in NOT_INFERRED)
        skipped = skipped or any(node.origin.native in UNREAD for node in graph.nodes)
        real = [getattr(array, "shape", None) for array in case.data_sets[0][1]] if case.data_sets else []
        for position, value in enumerate(graph.outputs):
            ours = found[value].shape if value in found else None
            judged += 1
            if position < len(real) and real[position] is not None and not holds(ours, real[position]):
                wrong.append((case.name, value, ours, real[position]))
            if not skipped and not is_as_exact(ours, theirs.get(value)):
                weaker.append((case.name, value, ours, theirs.get(value)))
    assert wrong == []
    assert weaker == []
    assert judged > 2000


def test_every_operator_of_the_default_domain_is_known_by_name() -> None:
    schemas = onnx.defs.get_all_schemas_with_history()
    names = {schema.name for schema in schemas if schema.domain == ""}
    assert len(names) > 190
    assert sorted(names - TABLE.keys()) == []
