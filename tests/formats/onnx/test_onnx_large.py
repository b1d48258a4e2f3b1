"""Cost: work grows with the number of nodes, and only with that."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest
from onnx_files import field, read_bytes


def chain(count: int) -> bytes:
    """``count`` nodes, each reading the one before: Relu, Neg, Relu, …"""
    nodes = []
    for index in range(count):
        op = b"Relu" if index % 2 else b"Neg"
        nodes.append(field(1, field(1, b"v%d" % index) + field(2, b"v%d" % (index + 1)) + field(4, op)))
    ports = field(11, field(1, b"v0")) + field(12, field(1, b"v%d" % count))
    return field(1, 8) + field(8, field(2, 17)) + field(7, b"".join(nodes) + ports)


def backwards(count: int) -> bytes:
    """The same, with the last node first."""
    nodes = []
    for index in reversed(range(count)):
        node = field(1, b"v%d" % index) + field(2, b"v%d" % (index + 1)) + field(4, b"Relu")
        nodes.append(field(1, node))
    ports = field(11, field(1, b"v0")) + field(12, field(1, b"v%d" % count))
    return field(1, 8) + field(8, field(2, 17)) + field(7, b"".join(nodes) + ports)


def conditions(count: int) -> bytes:
    """``count`` If nodes in a row, each with a small body that captures."""
    branch = field(1, field(1, b"v0") + field(2, b"b") + field(4, b"Relu")) + field(12, field(1, b"b"))
    nodes = []
    for index in range(count):
        body = field(1, b"then_branch") + field(6, branch)
        nodes.append(
            field(1, field(1, b"c") + field(2, b"v%d" % (index + 1)) + field(4, b"If") + field(5, body))
        )
    ports = field(11, field(1, b"v0")) + field(11, field(1, b"c")) + field(12, field(1, b"v%d" % count))
    return field(1, 8) + field(8, field(2, 17)) + field(7, b"".join(nodes) + ports)


def calls_while(act: Callable[[], object]) -> int:
    """How many Python and C functions are called."""
    count = 0

    def tick(frame: FrameType, event: str, arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(tick)
    try:
        act()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("write", [chain, backwards, conditions])
def test_work_per_node_does_not_grow(write: Callable[[int], bytes], tmp_path: Path) -> None:
    read_bytes(write(10), tmp_path)
    small = calls_while(lambda: read_bytes(write(200), tmp_path))
    large = calls_while(lambda: read_bytes(write(2_000), tmp_path))
    assert large < 11 * small


def test_100_000_nodes_are_read(tmp_path: Path) -> None:
    graph = read_bytes(chain(100_000), tmp_path)
    assert (100_000, "v100000") == (len(graph.nodes), graph.outputs[0])
