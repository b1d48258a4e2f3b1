"""Shapes after reading and lifting are those of ``onnx.shape_inference`` wherever both know them."""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx
import pytest

from archlint.formats.base import ModelFile
from archlint.formats.onnx import read
from archlint.graph import Graph, Shape, parse, render, validate
from archlint.ops import TABLE, infer

pytestmark = pytest.mark.oracle

DATA = Path(onnx.__file__).parent / "backend/test/data"
LIGHT = sorted((DATA / "light").glob("*.onnx"))
FIXTURES = sorted((Path(__file__).parents[1] / "fixtures").glob("*/*.onnx"))
SMALL = sorted(DATA.glob("pytorch-*/*/model.onnx")) + sorted(DATA.glob("simple/*/model.onnx"))


def read_path(path: Path) -> Graph:
    return read(ModelFile(str(path), "onnx", path.stat().st_size))


def stated_shapes(path: Path) -> dict[str, tuple[int | None, ...]]:
    """The fixed lengths that onnx works out for every value of the main graph; None where it knows none."""
    model = onnx.load(path, load_external_data=False)
    del model.graph.value_info[:]
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    found = {}
    for value in (*inferred.value_info, *inferred.output):
        if value.type.HasField("tensor_type") and value.type.tensor_type.HasField("shape"):
            dims = value.type.tensor_type.shape.dim
            found[value.name] = tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in dims)
    return found


def disagreements(path: Path) -> tuple[list[str], int]:
    """Values whose rank or fixed lengths differ from onnx's, and how many values were compared."""
    graph = read_path(path)
    tensors = infer(graph)
    stated = stated_shapes(path)
    made = {value for node in graph.nodes for value in node.outputs}
    wrong, compared = [], 0
    for name in sorted(made & stated.keys()):
        ours: Shape = tensors[name].shape if name in tensors else None
        if ours is None:
            continue
        compared += 1
        pairs = list(zip(ours, stated[name], strict=False))
        clash = any(isinstance(a, int) and b is not None and a != b for a, b in pairs)
        if len(ours) != len(stated[name]) or clash:
            wrong.append(f"{name} of {graph.producers[name].op}: {ours}, onnx says {stated[name]}")
    return wrong, compared


def laws_hold(graph: Graph) -> bool:
    return (
        validate(graph) == []
        and parse(render(graph)) == graph
        and all(node.op == "Unknown" or node.op in TABLE for node in graph.nodes)
    )


@pytest.mark.parametrize("path", LIGHT + FIXTURES, ids=lambda path: path.stem)
def test_every_shape_is_known_and_is_what_onnx_works_out(path: Path) -> None:
    wrong, compared = disagreements(path)
    assert wrong == []
    assert compared > 0
    assert laws_hold(read_path(path))


def test_no_op_of_the_light_models_and_of_exports_is_unknown() -> None:
    assert [] == [
        path.stem for path in LIGHT + FIXTURES for node in read_path(path).nodes if node.op == "Unknown"
    ]


def test_the_small_models_of_onnx_are_read_with_its_shapes() -> None:
    assert len(SMALL) > 100
    wrong = {path.parent.name: disagreements(path)[0] for path in SMALL}
    assert {name: found for name, found in wrong.items() if found} == {}
    assert [path.parent.name for path in SMALL if not laws_hold(read_path(path))] == []


@pytest.mark.slow
def test_the_node_tests_of_onnx_are_read_with_its_shapes(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        cases = [case for case in collect_testcases(None) if case.model is not None]
    assert len(cases) > 1000
    wrong: dict[str, object] = {}
    path = tmp_path / "model.onnx"
    for case in cases:
        path.write_bytes(case.model.SerializeToString())
        if not laws_hold(read_path(path)):
            wrong[case.name] = "laws"
        found = disagreements(path)[0]
        if found:
            wrong[case.name] = found
    assert wrong == {}
