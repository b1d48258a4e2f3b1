"""Large files are patched in little memory, whether a tensor is copied, reshaped or turned."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_files import value

SIDE = 7000
"""Rows and columns of the kernel: 196 MB of float32."""

MOST_MB = 160
"""Python, numpy and onnx take 50 MB; a stretch and its copies 64 MB."""

CHILD = f"""
import sys
from archlint.formats.base import ModelFile
from archlint.formats.onnx import read
from archlint.formats.onnx.write import write
from archlint.graph import Made, Node, Param, Splice

path, out, how = sys.argv[1:]
file = ModelFile(path, "onnx", 0)
graph = read(file)
if how == "copied":
    edit = Splice(frozenset({{"act"}}), (Node("act", "Tanh", ("a",), ("y",)),))
else:
    kernel = Param("fc/kernel", "kernel", ({SIDE}, {SIDE}))
    attrs = {{"units": {SIDE}, "use_bias": False}}
    if how == "reshaped":
        attrs["kernel_transposed"] = True
    made = Made(("w",), lambda w: w.T if how == "turned" else w.reshape(-1).reshape(w.shape))
    new = Node("fc", "Dense", ("x",), ("a",), attrs, (kernel,))
    edit = Splice(frozenset({{"fc"}}), (new,), tensors={{kernel.name: made}})
write(file, graph, [edit], out)
most = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(most.split()[1]) // 1024)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "model.onnx"
    array = np.arange(SIDE * SIDE, dtype="float32").reshape(SIDE, SIDE)
    weight = TensorProto(name="w", data_type=1, dims=array.shape, raw_data=array.tobytes())
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["a"], "fc", transB=1),
        helper.make_node("Relu", ["a"], ["y"], "act"),
    ]
    graph = helper.make_graph(nodes, "g", [value("x", "N", SIDE)], [value("y", "N", SIDE)], [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="memory is told elsewhere")
@pytest.mark.parametrize("how", ["copied", "reshaped", "turned"])
def test_memory_does_not_grow_with_the_tensors(how, large, tmp_path):
    out = tmp_path / "out.onnx"
    found = subprocess.run(
        [sys.executable, "-c", CHILD, str(large), str(out), how],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert int(found.stdout) < MOST_MB
    [tensor] = onnx.load(out).graph.initializer
    got = np.frombuffer(tensor.raw_data, "<f4").reshape(SIDE, SIDE)
    expected = np.arange(SIDE * SIDE, dtype="float32").reshape(SIDE, SIDE)
    np.testing.assert_array_equal(expected.T if how == "turned" else expected, got)
