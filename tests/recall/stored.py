"""Faults of stored tensors that only a file shows: copies of one tensor, weights of another architecture.

Each row writes its file: an ONNX file made here, or a fixture that Keras saved with another setting in
its architecture than its weights were saved with.
"""

import json
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SAVED = Path(__file__).parents[1] / "fixtures" / "keras" / "keras-3.15.1"
node = helper.make_node


class File:
    """What writes one file, as a model saves itself."""

    def __init__(self, write: Callable[[Path], None]) -> None:
        self.write = write

    def __call__(self) -> "File":
        return self

    def save(self, path: Path) -> None:
        self.write(path)


def stored(name: str, *shape: int) -> TensorProto:
    """A tensor whose contents go by its shape alone, so that two of one shape are copies."""
    drawn = np.random.default_rng(sum(shape)).normal(0, 0.1, shape).astype("float32")
    return numpy_helper.from_array(drawn, name)


def onnx_file(
    nodes: Iterable[onnx.NodeProto], tensors: Iterable[TensorProto], given: tuple[Any, ...], kind: int
) -> File:
    x = helper.make_tensor_value_info("x", kind, given)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(list(nodes), "net", [x], [y], list(tensors))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return File(lambda path: onnx.save(model, path))


def encoder() -> File:
    """Two projections of an attention block that were one layer."""
    nodes = [
        node("MatMul", ["x", "q"], ["a"]),
        node("MatMul", ["x", "k"], ["b"]),
        node("Transpose", ["b"], ["t"], perm=[0, 2, 1]),
        node("MatMul", ["a", "t"], ["s"]),
        node("Softmax", ["s"], ["p"], axis=-1),
        node("MatMul", ["p", "x"], ["y"]),
    ]
    return onnx_file(nodes, [stored("q", 64, 64), stored("k", 64, 64)], ("N", 20, 64), TensorProto.FLOAT)


def unrolled() -> File:
    """A block that was applied three times, written out once for each."""
    nodes = []
    for index, value in enumerate(("x", "r0", "r1")):
        nodes.append(node("Conv", [value, f"w{index}"], [f"c{index}"], pads=[1, 1, 1, 1]))
        nodes.append(node("Relu", [f"c{index}"], ["y" if index == 2 else f"r{index}"]))
    tensors = [stored(f"w{index}", 16, 16, 3, 3) for index in range(3)]
    return onnx_file(nodes, tensors, ("N", 16, 32, 32), TensorProto.FLOAT)


def towers() -> File:
    """A siamese network whose towers were exported apart."""
    nodes = [
        node("Split", ["x"], ["left", "right"], axis=1),
        node("Gemm", ["left", "w", "b"], ["l"]),
        node("Gemm", ["right", "v", "c"], ["r"]),
        node("Sub", ["l", "r"], ["d"]),
        node("Abs", ["d"], ["y"]),
    ]
    tensors = [stored("w", 40, 30), stored("v", 40, 30), stored("b", 30), stored("c", 30)]
    return onnx_file(nodes, tensors, ("N", 80), TensorProto.FLOAT)


def edited(source: Path, setting: str) -> File:
    """A saved model whose last layer with this setting got one more of it, but kept its weights."""

    def write(path: Path) -> None:
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
            for member in old.namelist():
                data = old.read(member)
                if member == "config.json":
                    config = json.loads(data)
                    settings = [layer["config"] for layer in config["config"]["layers"]]
                    [one for one in settings if setting in one][-1][setting] += 1
                    data = json.dumps(config).encode()
                new.writestr(member, data)

    return File(write)


FAULTS = [
    ("duplicate-weights", "projections of an encoder", encoder()),
    ("duplicate-weights", "block written out", unrolled()),
    ("duplicate-weights", "towers", towers()),
    ("weight-shape-mismatch", "sequential", edited(SAVED / "sequential.keras", "filters")),
    ("weight-shape-mismatch", "branches", edited(SAVED / "branches.keras", "units")),
    ("weight-shape-mismatch", "strangers", edited(SAVED / "strangers.keras", "units")),
]

MISSED: set[tuple[str, str]] = set()
"""What is known not to be found, as (rule, name)."""
