"""Bytes: what is read of a file, and what is said of one that is damaged."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from onnx import helper, numpy_helper
from onnx_files import field, model, read_bytes, read_model, stored, value, varint

from archlint.errors import ReadError
from archlint.formats.base import ModelFile
from archlint.formats.onnx import graph_of, read
from archlint.formats.onnx.wire import File
from archlint.graph import Graph

MB = 1 << 20


def sparse_dense_model(path: Path, sizes: list[int]) -> int:
    """A chain of MatMul nodes whose weights (1 × n float32) are holes in the file; its size in bytes."""
    nodes, heads, total = b"", [], 0
    for index, size in enumerate(sizes):
        name, source = f"w{index}".encode(), f"x{index}".encode()
        node = field(1, source) + field(1, name) + field(2, f"x{index + 1}".encode()) + field(4, b"MatMul")
        nodes += field(1, node)
        dims = field(1, 1) + field(1, size // 4) + field(2, 1) + field(8, name)
        raw = varint(9 << 3 | 2) + varint(size)
        head = varint(5 << 3 | 2) + varint(len(dims) + len(raw) + size) + dims + raw
        heads.append((head, size))
        total += len(head) + size
    ports = field(11, field(1, b"x0")) + field(12, field(1, f"x{len(sizes)}".encode()))
    graph_size = len(nodes) + total + len(ports)
    start = field(1, 8) + field(8, field(2, 17)) + varint(7 << 3 | 2) + varint(graph_size) + nodes
    with open(path, "wb") as file:
        file.write(start)
        for head, size in heads:
            file.write(head)
            file.seek(size, os.SEEK_CUR)
        file.write(ports)
    return path.stat().st_size


def read_counting(path: Path) -> tuple[Graph, int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        source = File(descriptor, path.stat().st_size)
        return graph_of(str(path), source), source.bytes_read
    finally:
        os.close(descriptor)


def test_of_550_mb_of_weights_less_than_100_kb_is_read(tmp_path: Path) -> None:
    path = tmp_path / "vgg16.onnx"
    sparse_dense_model(path, [411 * MB, 67 * MB, 16 * MB] + [4 * MB] * 14)
    graph, count = read_counting(path)
    assert 100_000 > count
    assert [411 * MB // 4, 67 * MB // 4] == [node.attrs["units"] for node in graph.nodes[:2]]


def test_bytes_read_are_counted_where_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vgg16.onnx"
    sparse_dense_model(path, [411 * MB])
    asked = []
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda *args: asked.append(args[1]) or real(*args))
    _, count = read_counting(path)
    assert 0 < count <= sum(asked) < 100_000


def test_a_model_above_4_gb_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    assert sparse_dense_model(path, [3 << 30, 2 << 30]) > 5 << 30
    graph, count = read_counting(path)
    assert [3 << 28, 2 << 28] == [node.attrs["units"] for node in graph.nodes]
    assert count < 100_000


def test_weights_in_constant_nodes_and_bodies_are_not_read(tmp_path: Path) -> None:
    big = numpy_helper.from_array(np.zeros((1000, 1000), "float32"), "")
    constant = helper.make_node("Constant", [], ["w"], value=big)
    body = helper.make_graph(
        [constant, helper.make_node("MatMul", ["x", "w"], ["y"])], "b", [], [value("y", None)]
    )
    choose = helper.make_node("If", ["c"], ["z"], then_branch=body, else_branch=body)
    path = tmp_path / "model.onnx"
    proto = model([choose], [value("x", 1, 1000), value("c", dtype=9)], ["z"])
    path.write_bytes(proto.SerializeToString())
    graph, count = read_counting(path)
    assert count < 100_000
    assert ["Dense", "Dense"] == [body.nodes[-1].op for _, body in graph.nodes[0].bodies]


SOUND = model(
    [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")],
    [value("x", 2, 3)],
    ["y"],
    [stored("w", 3, 4)],
).SerializeToString()


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "the file is empty"),
        (b"\xff" * 64, "a number has no end"),
        (b"PK\x03\x04 no model at all", "damaged or not ONNX"),
        (field(1, 8), "it holds no graph"),
        (SOUND[:-9], "cut off, damaged or not ONNX"),
        (field(7, b"abc", size=1 << 62), "a field claims 4611686018427387904 bytes where 3 are left"),
        (field(7, field(1, field(1, b"\xff\xfe"))), "is not UTF-8"),
        (field(7, field(5, field(1, (1 << 64) - 5) + field(8, b"w"))), "negative dimension"),
    ],
)
def test_damage_is_one_sentence(data: bytes, what: str, tmp_path: Path) -> None:
    with pytest.raises(ReadError) as caught:
        read_bytes(data, tmp_path)
    assert what in str(caught.value)


def test_every_truncation_is_a_graph_or_a_read_error(tmp_path: Path) -> None:
    refused = 0
    for end in range(len(SOUND)):
        try:
            read_bytes(SOUND[:end], tmp_path)
        except ReadError:
            refused += 1
    assert refused > 0.9 * len(SOUND)


def nested_ifs(depth: int) -> bytes:
    """A graph in the only branch of an If, in the branch of an If, …"""
    graph = field(1, field(1, b"x") + field(2, b"y") + field(4, b"Relu")) + field(12, field(1, b"y"))
    for _ in range(depth):
        branch = field(1, b"then_branch") + field(6, graph)
        graph = field(1, field(1, b"c") + field(2, b"y") + field(4, b"If") + field(5, branch))
        graph += field(12, field(1, b"y"))
    return (
        field(1, 8)
        + field(8, field(2, 17))
        + field(7, graph + field(11, field(1, b"x")) + field(11, field(1, b"c")))
    )


def test_ifs_nested_30_deep_are_read(tmp_path: Path) -> None:
    graph, depth = read_bytes(nested_ifs(30), tmp_path), 0
    while graph.nodes[0].bodies:
        graph, depth = graph.nodes[0].bodies[0][1], depth + 1
    assert (30, "Relu") == (depth, graph.nodes[0].op)


@pytest.mark.parametrize("depth", [60, 3_000])
def test_deeper_nests_are_refused(depth: int, tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="nested more than 50 deep"):
        read_bytes(nested_ifs(depth), tmp_path)


def test_a_claim_of_100_000_nests_is_refused(tmp_path: Path) -> None:
    prefix = b"".join(
        varint(number << 3 | 2) + varint(1 << 40) for _ in range(100_000) for number in (1, 5, 6)
    )
    with pytest.raises(ReadError, match="claims 1099511627776 bytes"):
        read_bytes(field(7, prefix), tmp_path)


def test_more_messages_than_any_model_has_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archlint.formats.onnx.wire.MAX_MESSAGES", 1_000)
    with pytest.raises(ReadError, match="more than 1000 nodes, tensors and attributes"):
        read_bytes(field(7, field(1, b"") * 1_001), tmp_path)


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(ReadError, match="not a regular file"):
        read(ModelFile(str(tmp_path / "pipe.onnx"), "onnx", 0))


def test_a_missing_file_is_a_read_error(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="cannot be opened"):
        read(ModelFile(str(tmp_path / "none.onnx"), "onnx", 0))


def test_a_tensor_with_too_few_bytes_is_told(tmp_path: Path) -> None:
    weight = stored("w", 3, 4)
    weight.raw_data = weight.raw_data[:-4]
    proto = model([helper.make_node("MatMul", ["x", "w"], ["y"])], [value("x", 2, 3)], ["y"], [weight])
    assert ("w",) == read_model(proto, tmp_path).metadata["damaged_weights"]
