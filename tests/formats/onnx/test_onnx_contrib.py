"""ONNX Runtime's fused operators are read as what they stand for; shapes as ONNX Runtime makes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_files import integers, lines, model, read_model, scalar, stored, value

from archlint.facts import Facts
from archlint.formats.onnx.contrib.fused import FUSED
from archlint.formats.onnx.contrib.quantized import QUANTIZED
from archlint.graph import Graph, validate
from archlint.ops import infer

INT8 = [numpy_helper.from_array(np.array(3, "uint8"), "z"), scalar("s", 0.5)]


def fused(op: str, inputs: list[str], outputs: list[str], **attrs: object) -> onnx.NodeProto:
    return helper.make_node(op, inputs, outputs, name="f", domain="com.microsoft", **attrs)


def proto_of(nodes, inputs, outputs, weights) -> onnx.ModelProto:  # type: ignore[no-untyped-def]
    proto = model(nodes, inputs, outputs, weights)
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return proto


X = value("x", 2, 6, 16)
S = value("k", 2, 6, 16)
VECTORS = [stored(name, 16) for name in ("g", "b", "o")]
ROWS = {
    "skip norm": ([fused("SkipLayerNormalization", ["x", "k", "g", "b", "o"], ["y"])], [X, S], VECTORS),
    "skip norm with its sum": (
        [fused("SkipLayerNormalization", ["x", "k", "g"], ["y", "", "", "t"])],
        [X, S],
        VECTORS,
    ),
    "rms": ([fused("SkipSimplifiedLayerNormalization", ["x", "k", "g"], ["y"])], [X, S], VECTORS),
    "bias gelu": ([fused("BiasGelu", ["x", "b"], ["y"])], [X], VECTORS),
    "fast gelu": ([fused("FastGelu", ["x", "b"], ["y"])], [X], VECTORS),
    "quick gelu": ([fused("QuickGelu", ["x"], ["y"])], [X], []),
    "turned kernel": (
        [fused("FusedMatMul", ["x", "w"], ["y"], transB=1, alpha=0.5)],
        [X],
        [stored("w", 4, 16)],
    ),
    "turned values": ([fused("FusedMatMul", ["x", "k"], ["y"], transB=1)], [X, S], []),
    "attention": (
        [fused("Attention", ["x", "w", "c"], ["y"], num_heads=4)],
        [X],
        [stored("w", 16, 48), stored("c", 48)],
    ),
    "heads": ([fused("MultiHeadAttention", ["x", "k", "k"], ["y"], num_heads=2)], [X, S], []),
    "fused conv": (
        [fused("FusedConv", ["i", "w", "c"], ["y"], activation="Relu", kernel_shape=[3, 3])],
        [value("i", 1, 3, 8, 8)],
        [stored("w", 4, 3, 3, 3), stored("c", 4)],
    ),
    "fused gemm": (
        [fused("FusedGemm", ["m", "w", "c"], ["y"], activation="Relu", transB=1)],
        [value("m", 2, 16)],
        [stored("w", 4, 16), stored("c", 4)],
    ),
    "quantized sum": (
        [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
            fused("QLinearAdd", ["q", "s", "z", "q", "s", "z", "s", "z"], ["r"]),
            helper.make_node("DequantizeLinear", ["r", "s", "z"], ["y"]),
        ],
        [X],
        INT8,
    ),
    "quantized attention": (
        [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
            fused("QAttention", ["q", "v", "c", "s", "s", "", "z", "z"], ["y"], num_heads=4),
        ],
        [X],
        [stored("v", 16, 48, dtype="uint8"), stored("c", 48), *INT8],
    ),
    "a packed matrix": (
        [fused("MatMulNBits", ["x", "p", "t"], ["y"], K=16, N=5, bits=4, block_size=16)],
        [X],
        [stored("p", 5, 1, 8, dtype="uint8"), stored("t", 5)],
    ),
    "embeddings": (
        [fused("EmbedLayerNormalization", ["ids", "seg", "w", "p", "t", "g", "b", "mask"], ["y", "n"])],
        [value(name, 2, 6, dtype=TensorProto.INT32) for name in ("ids", "seg", "mask")],
        [stored("w", 50, 16), stored("p", 9, 16), stored("t", 2, 16), *VECTORS],
    ),
}


def read_row(name: str, folder: Path) -> tuple[onnx.ModelProto, Graph]:
    nodes, inputs, weights = ROWS[name]
    made = ["y", *(["t"] if name.endswith("sum") and "skip" in name else [])]
    used = {item for node in nodes for item in node.input}
    proto = proto_of(nodes, inputs, made, [item for item in weights if item.name in used])
    return proto, read_model(proto, folder)


@pytest.mark.oracle
@pytest.mark.parametrize("name", ROWS)
def test_a_fused_call_has_the_shape_that_it_has_in_onnx_runtime(name: str, tmp_path: Path) -> None:
    ort = pytest.importorskip("onnxruntime")
    proto, graph = read_row(name, tmp_path)
    assert [] == validate(graph)
    assert [] == [node.op for node in graph.nodes if node.op == "Unknown"]
    session = ort.InferenceSession(proto.SerializeToString())
    feed = {
        item.name: np.ones(item.shape, "int32" if "int32" in item.type else "float32")
        for item in session.get_inputs()
    }
    known = infer(graph)
    assert {item: known[item].shape for item in graph.outputs} == dict(
        zip(graph.outputs, [one.shape for one in session.run(list(graph.outputs), feed)], strict=True)
    )


def test_attention_with_its_projection_is_a_dense_layer_and_attention(tmp_path: Path) -> None:
    _, graph = read_row("attention", tmp_path)
    assert ["Dense", "Split", "Attention"] == [node.op for node in graph.nodes]
    assert 4 == graph.nodes[-1].attrs["q_num_heads"]


def test_a_packed_matrix_counts_the_work_of_the_whole(tmp_path: Path) -> None:
    _, graph = read_row("a packed matrix", tmp_path)
    assert 6 * 16 * 5 == Facts(graph, 1).macs


def test_a_turned_kernel_is_no_work_of_the_file(tmp_path: Path) -> None:
    _, graph = read_row("turned kernel", tmp_path)
    assert "Dense" == graph.nodes[0].op or graph.nodes[1].op == "Dense"
    assert "constant_nodes" not in graph.metadata


def test_a_call_that_no_recipe_can_say_stays_unknown(tmp_path: Path) -> None:
    nodes = [fused("MultiHeadAttention", ["p"], ["y"], num_heads=2)]
    graph = read_model(proto_of(nodes, [value("p", 2, 6, 2, 3, 8)], ["y"], []), tmp_path)
    assert ["Unknown(p)"] == lines(graph)
    assert "com.microsoft.MultiHeadAttention" == graph.nodes[0].origin.native


def test_a_stranger_of_that_name_in_another_domain_stays_unknown(tmp_path: Path) -> None:
    nodes = [helper.make_node("BiasGelu", ["x", "b"], ["y"], domain="my")]
    assert ["Unknown(x, b)"] == lines(read_model(model(nodes, [X], ["y"], [integers("b", 1)]), tmp_path))


def test_two_calls_of_one_name_on_one_input_do_not_get_in_each_others_way(tmp_path: Path) -> None:
    nodes = [fused("MultiHeadAttention", ["x", "x", "x", "c"], [out], num_heads=2) for out in ("a", "b")] + [
        helper.make_node("Add", ["a", "b"], ["y"])
    ]
    graph = read_model(proto_of(nodes, [X], ["y"], [stored("c", 48)]), tmp_path)
    assert [] == validate(graph)
    assert 2 == sum(node.op == "Attention" for node in graph.nodes)


@pytest.mark.parametrize("op", sorted({**FUSED, **QUANTIZED}))
@pytest.mark.parametrize("inputs", [[], [""], ["x"], ["x", "x"], ["x"] * 9])
def test_calls_with_any_number_of_inputs_are_read(op: str, inputs: list[str], tmp_path: Path) -> None:
    graph = read_model(proto_of([fused(op, inputs, ["y", "", "z"])], [X], ["y"], []), tmp_path)
    assert [] == validate(graph)
    infer(graph)
