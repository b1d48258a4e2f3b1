"""A small ONNX model with something to fix: a Flatten of what is flat already."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper


def small_model(size: int = 12) -> onnx.ModelProto:
    source = np.random.default_rng(0)
    weights = {
        "k": source.normal(size=(8, 3, 3, 3)),
        "w": source.normal(size=(8, 4)),
        "b": source.normal(size=(4,)),
    }
    nodes = [
        helper.make_node("Conv", ["image", "k"], ["c"], "conv"),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("ReduceMean", ["r"], ["p"], "pool", axes=[2, 3], keepdims=0),
        helper.make_node("Flatten", ["p"], ["f"], "flat"),
        helper.make_node("Gemm", ["f", "w", "b"], ["y"], "dense"),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, size, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def model_path(tmp_path):
    path = tmp_path / "small.onnx"
    onnx.save(small_model(), path)
    return path


@pytest.fixture
def three_path(tmp_path):
    path = tmp_path / "three.onnx"
    onnx.save(model_with_three(), path)
    return path


def model_with_three() -> onnx.ModelProto:
    """Three places to mend, one after another: each a Flatten of what is flat already."""
    model = small_model()
    nodes = list(model.graph.node)
    flats = [helper.make_node("Flatten", ["p"], ["f1"], "flat1")]
    for at in (2, 3):
        flats.append(helper.make_node("Sigmoid", [f"f{at - 1}"], [f"s{at}"], f"sigmoid{at}"))
        flats.append(helper.make_node("Flatten", [f"s{at}"], [f"f{at}"], f"flat{at}"))
    nodes[3:4] = flats
    nodes[-1].input[0] = "f3"
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model
