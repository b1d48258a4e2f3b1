"""Whatever the bytes: a Graph that holds together, or a ReadError."""

from __future__ import annotations

import random
from pathlib import Path

import onnx
import pytest
from onnx import helper
from onnx_files import read_bytes

from archlint.errors import ReadError
from archlint.formats.onnx.spelling import ROWS
from archlint.graph import parse, render, validate

FIXTURES = sorted((Path(__file__).parents[2] / "fixtures/onnx").glob("*.onnx"))
VALUES = (1, -1, 0, 2.5, "x", [1], [0, 1], [-5, 3, 2], [1.5], ["a"], 10**18, [10**18, 2])


def outcome(data: bytes, folder: Path) -> str:
    try:
        graph = read_bytes(data, folder)
    except ReadError:
        return "refused"
    assert validate(graph) == []
    assert parse(render(graph)) == graph
    return "read"


def with_bytes_changed(data: bytes, dice: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4))):
        at = dice.randrange(len(changed))
        match dice.randrange(4):
            case 0:
                changed[at] = dice.randrange(256)
            case 1:
                changed[at] ^= 1 << dice.randrange(8)
            case 2:
                del changed[at : at + dice.randrange(1, 20)]
            case _:
                start = dice.randrange(len(changed))
                changed[at:at] = changed[start : start + dice.randrange(1, 60)]
    return bytes(changed)


def with_nodes_changed(model: onnx.ModelProto, dice: random.Random) -> bytes:
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    for _ in range(dice.choice((1, 2, 4))):
        node = dice.choice(graph.node)
        match dice.randrange(7):
            case 0 if node.input:
                del node.input[dice.randrange(len(node.input))]
            case 1:
                node.op_type = dice.choice(sorted(ROWS))
            case 2 if node.attribute:
                attribute = dice.choice(node.attribute)
                attribute.CopyFrom(helper.make_attribute(attribute.name, dice.choice(VALUES)))
            case 3 if node.attribute:
                del node.attribute[dice.randrange(len(node.attribute))]
            case 4 if graph.initializer:
                tensor = dice.choice(graph.initializer)
                dims = [0, *tensor.dims][dice.randrange(3) :]
                del tensor.dims[:]
                tensor.dims.extend(dims)
            case 5 if node.input:
                node.input[dice.randrange(len(node.input))] = dice.choice(("", graph.input[0].name))
            case _:
                changed.opset_import[0].version = dice.choice((0, 1, 6, 9, 12, 13, 18, 25, 10**6))
    return changed.SerializeToString()


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_changed_bytes_give_a_graph_or_a_read_error(path: Path, tmp_path: Path) -> None:
    dice = random.Random(path.stem)
    data = path.read_bytes()
    assert {"read", "refused"} >= {outcome(with_bytes_changed(data, dice), tmp_path) for _ in range(60)}


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_changed_nodes_give_a_graph_or_a_read_error(path: Path, tmp_path: Path) -> None:
    dice = random.Random(path.stem)
    model = onnx.load(path)
    found = [outcome(with_nodes_changed(model, dice), tmp_path) for _ in range(60)]
    assert "read" in found
