"""Contents of ONNX weights: every way of storing them, and none that leaves the folder."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from archlint.formats import find, open_weights, read
from archlint.graph import Param

VALUES = np.arange(12, dtype="float32").reshape(3, 4) / 8 - 0.5


def saved(path: Path, *tensors: TensorProto, nodes: list[onnx.NodeProto] | None = None) -> Path:
    made = nodes or [helper.make_node("MatMul", ["x", tensors[0].name], ["y"])]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "y")]
    graph = helper.make_graph(made, "g", ports[:1], ports[1:], initializer=list(tensors))
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def values_in(path: Path, name: str = "w") -> np.ndarray | None:
    (file,) = find([str(path)])
    weights = open_weights(file, read(file))
    return weights.read(Param(name, "kernel", (3, 4)))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_raw_data_is_read_where_it_lies(dtype: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", numpy_helper.from_array(VALUES.astype(dtype), "w"))
    assert (VALUES == values_in(path)).all()


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16])
def test_typed_fields_are_read(kind: int, tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", helper.make_tensor("w", kind, (3, 4), VALUES.reshape(-1)))
    assert (VALUES == values_in(path)).all()


@pytest.mark.parametrize("raw", [True, False])
def test_bfloat16_is_read_as_the_upper_half_of_float32(raw: bool, tmp_path: Path) -> None:
    halves = (VALUES.view("uint32") >> 16).astype("uint16")
    tensor = TensorProto(name="w", data_type=TensorProto.BFLOAT16, dims=(3, 4))
    if raw:
        tensor.raw_data = halves.tobytes()
    else:
        tensor.int32_data.extend(halves.reshape(-1).tolist())
    assert (VALUES == values_in(saved(tmp_path / "m.onnx", tensor))).all()


def test_constant_nodes_hold_weights_too(tmp_path: Path) -> None:
    constant = helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(VALUES, "inside"))
    nodes = [constant, helper.make_node("MatMul", ["x", "w"], ["y"])]
    assert (VALUES == values_in(saved(tmp_path / "m.onnx", nodes=nodes))).all()


def external(tmp_path: Path, location: str) -> Path:
    tensor = numpy_helper.from_array(VALUES, "w")
    (tmp_path / "m.bin").write_bytes(b"head" + tensor.raw_data)
    external_data_helper.set_external_data(tensor, location, offset=4, length=48)
    tensor.ClearField("raw_data")
    return saved(tmp_path / "m.onnx", tensor)


def test_external_data_beside_the_model_is_read(tmp_path: Path) -> None:
    assert (VALUES == values_in(external(tmp_path, "m.bin"))).all()


def test_external_data_elsewhere_is_not_read(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(64))
    assert values_in(external(inside, "../secret.bin")) is None
    assert values_in(external(inside, str(tmp_path / "secret.bin"))) is None
    os.symlink(tmp_path / "secret.bin", inside / "link.bin")
    assert values_in(external(inside, "link.bin")) is None
    assert values_in(external(inside, "missing.bin")) is None


def test_what_does_not_fit_is_unknown(tmp_path: Path) -> None:
    tensor = numpy_helper.from_array(VALUES, "w")
    tensor.raw_data = tensor.raw_data[:-1]
    assert values_in(saved(tmp_path / "short.onnx", tensor)) is None
    path = saved(tmp_path / "m.onnx", numpy_helper.from_array(VALUES.T.copy(), "w"))
    assert values_in(path) is None
    assert values_in(path, "other") is None


def test_a_file_that_is_gone_by_then_has_no_weights(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", numpy_helper.from_array(VALUES, "w"))
    (file,) = find([str(path)])
    weights = open_weights(file, read(file))
    path.unlink()
    assert weights.read(Param("w", "kernel", (3, 4))) is None
