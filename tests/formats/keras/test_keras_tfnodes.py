"""TensorFlowOpLayer: nodes of TensorFlow's graphs within models of Keras 2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archlint.errors import ReadError
from archlint.formats.base import ModelFile
from archlint.formats.keras import read
from archlint.graph import Graph, validate
from archlint.ops import infer

REAL = Path(__file__).parents[2] / "fixtures" / "keras" / "keras-2.12.0" / "tensorflow_ops.json"


def _attr(value: Any) -> dict[str, Any]:
    kinds: tuple[tuple[type, str], ...] = ((bool, "b"), (int, "i"), (float, "f"), (str, "type"))
    kind = next(kind for type_, kind in kinds if isinstance(value, type_))
    return {kind: str(value) if kind == "i" else value}


def _graph(op: str, constants: Any, folder: Path, as_text: bool = False, **attrs: Any) -> Graph:
    node: Any = {
        "name": "f",
        "op": op,
        "input": [],
        "attr": {key: _attr(value) for key, value in attrs.items()},
    }
    layers = [
        {
            "class_name": "InputLayer",
            "name": "x",
            "config": {"name": "x", "batch_input_shape": [None, 6, 4]},
            "inbound_nodes": [],
        },
        {
            "class_name": "TensorFlowOpLayer",
            "name": "f",
            "config": {
                "name": "f",
                "node_def": json.dumps(node) if as_text else node,
                "constants": constants,
            },
            "inbound_nodes": [[["x", 0, 0, {}]]],
        },
    ]
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [["f", 0, 0]]}
    path = folder / "m.json"
    path.write_text(
        json.dumps({"class_name": "Functional", "config": {"name": "m", "layers": layers, **ends}})
    )
    graph = read(ModelFile(str(path), "keras-json", 1))
    assert [] == validate(graph)
    return graph


ROWS: dict[str, tuple[str, dict[str, Any], dict[str, Any], str, Any]] = {
    "constant on the left": ("Sub", {"0": 1.0}, {}, "Sub", ("N", 6, 4)),
    "constant on the right": ("RealDiv", {"1": 6.0}, {}, "Div", ("N", 6, 4)),
    "mean": ("Mean", {"1": [1]}, {"keep_dims": True}, "ReduceMean", ("N", 1, 4)),
    "joined axis": ("ConcatV2", {"0": [[[1.0] * 4]], "2": 1}, {}, "Concat", None),
    "index": (
        "StridedSlice",
        {"1": [0, -1], "2": [0, 0], "3": [1, 1]},
        {"begin_mask": 1, "end_mask": 1, "shrink_axis_mask": 2},
        "Squeeze",
        ("N", 4),
    ),
    "new axis": (
        "StridedSlice",
        {"1": [0, 0], "2": [0, 0], "3": [1, 1]},
        {"ellipsis_mask": 1, "new_axis_mask": 2},
        "Unsqueeze",
        ("N", 6, 4, 1),
    ),
    "slope": ("LeakyRelu", {}, {"alpha": 0.5}, "LeakyRelu", ("N", 6, 4)),
    "cast": ("Cast", {}, {"DstT": "DT_HALF"}, "Cast", ("N", 6, 4)),
    "gather": ("GatherV2", {"1": [0, 2], "2": 1}, {}, "Gather", ("N", 2, 4)),
    "repeat": ("Tile", {"1": [1, 2, 1]}, {}, "Tile", ("N", 12, 4)),
    "computed bound": ("StridedSlice", {"2": [0], "3": [1]}, {}, "Unknown", None),
    "not known": ("FakeQuantWithMinMaxVars", {"1": 0.0, "2": 6.0}, {}, "Unknown", None),
}
"""Case → op of the node, its constants by place, its attributes; the op and shape it is read as."""


@pytest.mark.parametrize("as_text", [False, True], ids=["object", "text"])
@pytest.mark.parametrize("case", ROWS)
def test_a_node_is_the_op_that_it_calls(case: str, as_text: bool, tmp_path: Path) -> None:
    native, constants, attrs, op, shape = ROWS[case]
    graph = _graph(native, constants, tmp_path, as_text, **attrs)
    assert op == graph.nodes[-1].op
    if shape is not None:
        assert shape == infer(graph)[graph.outputs[0]].shape


def test_a_constant_on_the_left_stays_there(tmp_path: Path) -> None:
    graph = _graph("Sub", {"0": 1.0}, tmp_path)
    assert ("f/x1", "x") == graph.nodes[-1].inputs


def test_a_transposed_product_transposes_its_operand() -> None:
    graph = read(ModelFile(str(REAL), "keras-json", 1))
    product = next(node for node in graph.nodes if node.op == "MatMul")
    turned = graph.producers[product.inputs[1]]
    assert ("Transpose", (0, 2, 1)) == (turned.op, turned.attrs["perm"])
    assert turned.inputs[0] == product.inputs[0]


def test_the_second_output_of_a_split_is_read() -> None:
    graph = read(ModelFile(str(REAL), "keras-json", 1))
    split = next(node for node in graph.nodes if node.op == "Split")
    assert ["Max", "Square"] == [graph.consumers[value][0].op for value in split.outputs]


@pytest.mark.parametrize("node", [None, "{", "\ud800", [], {"op": 3}, {"op": "Mean", "attr": [1]}])
def test_a_broken_node_is_named(node: Any, tmp_path: Path) -> None:
    config = json.loads(REAL.read_text())
    layer = next(item for item in config["config"]["layers"] if item["class_name"] == "TensorFlowOpLayer")
    layer["config"]["node_def"] = node
    path = tmp_path / "m.json"
    path.write_text(json.dumps(config))
    try:
        graph = read(ModelFile(str(path), "keras-json", 1))
    except ReadError as error:
        assert "layers[" in str(error) or "node_def" in str(error)  # noqa: PT017
    else:
        assert "Unknown" in {item.op for item in graph.nodes}
