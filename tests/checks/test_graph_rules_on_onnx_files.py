"""Graph rules on ONNX files as they lie on a disk: what only the reader can see reaches the rules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from archlint.api import check

node = helper.make_node
DRAW = np.random.default_rng(3)


def weight(name: str, *shape: int, seed: int | None = None) -> TensorProto:
    draw = DRAW if seed is None else np.random.default_rng(seed)
    return numpy_helper.from_array(draw.normal(0, 0.1, shape).astype("float32"), name)


def vector(name: str, value: float, size: int = 8) -> TensorProto:
    return numpy_helper.from_array(np.full(size, value, "float32"), name)


def info(name: str, *shape: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def file_of(
    nodes: list[onnx.NodeProto],
    weights: list[TensorProto],
    shape: tuple[int | str, ...] = ("N", 3, 16, 16),
    opset: int = 17,
    name: str = "net",
    overridable: bool = False,
) -> onnx.ModelProto:
    inputs = [info("x", *shape), *(info(item.name, *item.dims) for item in weights if overridable)]
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, name, inputs, [out], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


CONV = node("Conv", ["x", "w"], ["c"], name="conv")
NORM = [vector("g", 1.1), vector("b", 0.2), vector("m", 0.3), vector("v", 0.9)]
KERNEL = weight("w", 8, 3, 3, 3)
RELU = node("Relu", ["c"], ["y"], name="relu")


def norm(*outputs: str, **attrs: int) -> onnx.NodeProto:
    return node("BatchNormalization", ["c", "g", "b", "m", "v"], ["y", *outputs], name="norm", **attrs)


MAKERS: dict[str, tuple[str, Callable[[], onnx.ModelProto]]] = {
    "a tensor of a part that was cut off": (
        "unused-initializer",
        lambda: file_of([CONV, RELU], [KERNEL, weight("head.weight", 100, 100)]),
    ),
    "an unused Constant node": (
        "unused-initializer",
        lambda: file_of([CONV, RELU, node("Constant", [], ["k"], value=weight("", 40, 40))], [KERNEL]),
    ),
    "training mode of opset 17": (
        "training-mode-baked-in",
        lambda: file_of([CONV, norm("rm", "rv", training_mode=1)], [KERNEL, *NORM]),
    ),
    "training mode of opset 9": (
        "training-mode-baked-in",
        lambda: file_of([CONV, norm("m2", "v2", "sm", "sv")], [KERNEL, *NORM], opset=9),
    ),
    "dropout that is told to drop": (
        "training-mode-baked-in",
        lambda: file_of(
            [CONV, node("Dropout", ["c", "r", "t"], ["y"])],
            [
                KERNEL,
                numpy_helper.from_array(np.float32(0.5), "r"),
                numpy_helper.from_array(np.array(True), "t"),
            ],
        ),
    ),
    "a norm that was not folded": ("norm-not-folded", lambda: file_of([CONV, norm()], [KERNEL, *NORM])),
    "weights among the inputs": (
        "overridable-weights",
        lambda: file_of([CONV, RELU], [KERNEL], overridable=True),
    ),
    "no name": ("graph-without-name", lambda: file_of([CONV, RELU], [KERNEL], name="")),
    "a kernel that is turned at every run": (
        "constant-work-at-runtime",
        lambda: file_of(
            [node("Transpose", ["w"], ["t"], perm=[1, 0]), node("MatMul", ["x", "t"], ["y"])],
            [weight("w", 8, 16)],
            ("N", 16),
        ),
    ),
    "one table stored twice": (
        "duplicate-weights",
        lambda: file_of(
            [
                node("MatMul", ["x", "a"], ["h"]),
                node("Relu", ["h"], ["r"]),
                node("MatMul", ["r", "b"], ["y"]),
            ],
            [weight("a", 32, 32, seed=1), weight("b", 32, 32, seed=1)],
            ("N", 32),
        ),
    ),
    "one block stored twice": (
        "duplicate-weights",
        lambda: file_of(
            [
                node("Conv", ["x", "a"], ["h"], pads=[1, 1, 1, 1]),
                node("Relu", ["h"], ["r"]),
                node("Conv", ["r", "b"], ["y"]),
            ],
            [weight("a", 8, 8, 3, 3, seed=2), weight("b", 8, 8, 3, 3, seed=2)],
            ("N", 8, 16, 16),
        ),
    ),
    "a gelu of small steps": (
        "spelled-out-operator",
        lambda: file_of(
            [
                node("Div", ["x", "root"], ["d"]),
                node("Erf", ["d"], ["e"]),
                node("Add", ["e", "one"], ["a"]),
                node("Mul", ["x", "a"], ["m"]),
                node("Mul", ["m", "half"], ["y"]),
            ],
            [
                numpy_helper.from_array(np.float32(number), name)
                for name, number in (("root", 2**0.5), ("one", 1.0), ("half", 0.5))
            ],
        ),
    ),
}


def rules_of(proto: onnx.ModelProto, folder: Path) -> set[str]:
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    (row,) = check([str(path)]).files
    assert row.problem is None
    assert row.crashes == ()
    return {finding.rule for finding in row.findings}


@pytest.mark.parametrize("name", MAKERS)
def test_a_fault_in_a_file_is_found(name: str, tmp_path: Path) -> None:
    rule, make = MAKERS[name]
    assert rule in rules_of(make(), tmp_path)


def test_a_sound_file_has_no_finding_of_graph_rules(tmp_path: Path) -> None:
    found = rules_of(file_of([CONV, RELU], [KERNEL]), tmp_path)
    assert found.isdisjoint(rule for rule, _ in MAKERS.values())
