"""Graphs: names, order, constants, functions, bodies, external data, and what is refused."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from onnx_files import integers, model, read_model, roles, stored, value

from archlint.errors import ReadError
from archlint.graph import Graph, validate

node = helper.make_node
X = value("x", "N", 4)


def read_nodes(nodes: list[onnx.NodeProto], folder: Path, outputs: tuple[str, ...] = ("y",)) -> Graph:
    return read_model(model(nodes, [X], outputs), folder)


def test_a_node_is_called_by_its_name_else_by_its_output_and_once_only(tmp_path: Path) -> None:
    nodes = [
        node("Relu", ["x"], ["a"], name="act"),
        node("Relu", ["a"], ["b"], name="act"),
        node("Relu", ["b"], ["y"]),
    ]
    graph = read_nodes(nodes, tmp_path)
    assert ["act", "act:1", "y"] == [item.name for item in graph.nodes]
    assert ("Relu", ("act",)) == (graph.nodes[1].origin.native, graph.nodes[1].origin.address)


def test_metadata_says_who_wrote_the_file(tmp_path: Path) -> None:
    proto = model([node("Relu", ["x"], ["y"])], [X], ["y"])
    proto.producer_name, proto.producer_version = "pytorch", "2.13.0"
    graph = read_model(proto, tmp_path)
    assert {"producer": "pytorch 2.13.0", "ir_version": 8, "opset": 17} == dict(graph.metadata)


def test_nodes_in_the_wrong_order_are_sorted_and_told(tmp_path: Path) -> None:
    graph = read_nodes([node("Relu", ["a"], ["y"]), node("Relu", ["x"], ["a"])], tmp_path)
    assert ["a", "y"] == [item.name for item in graph.nodes]
    assert 1 == graph.metadata["reordered_graphs"]


@pytest.mark.parametrize(
    ("nodes", "what"),
    [
        ([("Relu", ["a"], ["y"])], "node 'y': it reads 'a', which nothing in the file makes"),
        ([("Add", ["x", "y"], ["y"])], "node 'y': it reads, by way of other nodes, what it makes itself"),
        ([("Add", ["x", "y"], ["a"]), ("Relu", ["a"], ["y"])], "node 'a': it reads, by way of other nodes"),
        ([("Relu", ["x"], ["y"]), ("Neg", ["x"], ["y"])], "node 'y': it makes 'y', which exists already"),
        ([("Relu", ["x"], ["a"])], "output 'y': no node makes it"),
        ([("Add", ["x"], ["y"])], "node 'y': Add needs its first 2 inputs, it has 1 of them"),
    ],
)
def test_a_broken_graph_names_the_node(
    nodes: list[tuple[str, list[str], list[str]]], what: str, tmp_path: Path
) -> None:
    with pytest.raises(ReadError) as caught:
        read_nodes([node(*item) for item in nodes], tmp_path)
    assert what in str(caught.value)


def test_two_weights_of_one_name_are_refused(tmp_path: Path) -> None:
    proto = model([node("MatMul", ["x", "w"], ["y"])], [X], ["y"], [stored("w", 4, 2), stored("w", 4, 3)])
    with pytest.raises(ReadError, match="initializer 'w': two stored tensors have this name"):
        read_model(proto, tmp_path)


@pytest.mark.parametrize(("ir_version", "told"), [(3, None), (8, 1)])
def test_a_weight_that_is_also_an_input_is_a_weight(
    ir_version: int, told: int | None, tmp_path: Path
) -> None:
    weights = [stored("w", 4, 2)]
    proto = model(
        [node("MatMul", ["x", "w"], ["y"])], [X, value("w", 4, 2)], ["y"], weights, ir_version=ir_version
    )
    graph = read_model(proto, tmp_path)
    assert (("x",), told) == (
        tuple(name for name, _ in graph.inputs),
        graph.metadata.get("overridable_weights"),
    )


def test_weights_that_are_shared_have_one_name(tmp_path: Path) -> None:
    nodes = [
        node("Identity", ["w"], ["v"]),
        node("MatMul", ["x", "w"], ["a"]),
        node("MatMul", ["a", "v"], ["y"]),
    ]
    graph = read_model(model(nodes, [X], ["y"], [stored("w", 4, 4)]), tmp_path)
    assert ["w", "w"] == [item.params[0].name for item in graph.nodes]


def test_other_stored_tensors_are_constants_and_small_whole_numbers_keep_their_contents(
    tmp_path: Path,
) -> None:
    nodes = [node("Gather", ["x", "i"], ["a"], axis=1), node("Where", ["c", "a", "f"], ["y"])]
    weights = [integers("i", 2, 3), stored("f", 5, 2), stored("c", 5, 2, dtype="bool")]
    graph = read_model(model(nodes, [X], ["y"], weights), tmp_path)
    held = {item.name: item.params[0] for item in graph.nodes if item.op == "Constant"}
    assert (2, 3) == held["i"].value
    assert (True,) * 10 == held["c"].value
    assert (None, True, False) == (held["f"].value, held["f"].trainable, held["i"].trainable)


def test_a_node_that_nobody_reads_keeps_standing(tmp_path: Path) -> None:
    graph = read_nodes([node("Relu", ["x"], ["y"]), node("Neg", ["x"], ["dead"])], tmp_path)
    assert ["y", "dead"] == [item.name for item in graph.nodes]


def test_declared_shapes_are_kept(tmp_path: Path) -> None:
    proto = model([node("Relu", ["x"], ["a"]), node("Neg", ["a"], ["y"])], [X], ["y"])
    proto.graph.value_info.append(value("a", "N", 4))
    declared = read_model(proto, tmp_path).declared
    assert ("float32", ("N", 4)) == (declared["a"].dtype, declared["a"].shape)


def function(name: str, *nodes: onnx.NodeProto) -> onnx.FunctionProto:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("my", 1)]
    return helper.make_function("my", name, ["a"], ["r"], list(nodes), opsets, ["slope"])


def test_a_call_of_a_function_becomes_its_nodes(tmp_path: Path) -> None:
    leak = node("LeakyRelu", ["t"], ["r"])
    leak.attribute.append(
        onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    )
    block = function("Block", node("Neg", ["a"], ["t"], name="n"), leak)
    calls = [
        node("Block", ["x"], ["b"], domain="my", name="one", slope=0.5),
        node("Block", ["b"], ["y"], domain="my", name="two", slope=0.25),
    ]
    graph = read_model(model(calls, [X], ["y"], functions=[block]), tmp_path)
    assert [("one/t", None), ("b", 0.5), ("two/t", None), ("y", 0.25)] == [
        (item.outputs[0], item.attrs.get("alpha")) for item in graph.nodes
    ]
    assert ("one", "n") == graph.nodes[0].origin.address
    assert [] == validate(graph)


def test_a_function_that_hands_on_its_input_is_an_identity(tmp_path: Path) -> None:
    same = helper.make_function("my", "Same", ["a"], ["a"], [], [helper.make_opsetid("", 17)])
    graph = read_model(
        model([node("Same", ["x"], ["y"], domain="my")], [X], ["y"], functions=[same]), tmp_path
    )
    assert [("Identity", ("x",))] == [(item.op, item.inputs) for item in graph.nodes]


def test_a_function_that_calls_itself_is_refused(tmp_path: Path) -> None:
    loop = function("F", node("F", ["a"], ["r"], domain="my"))
    with pytest.raises(ReadError, match="function 'F': it calls itself, in a circle"):
        read_model(model([node("F", ["x"], ["y"], domain="my")], [X], ["y"], functions=[loop]), tmp_path)


def test_functions_that_double_60_times_are_refused(tmp_path: Path) -> None:
    functions = [function("F0", node("Relu", ["a"], ["r"]))]
    for index in range(1, 61):
        inner = f"F{index - 1}"
        functions.append(
            function(
                f"F{index}", node(inner, ["a"], ["t"], domain="my"), node(inner, ["t"], ["r"], domain="my")
            )
        )
    proto = model([node("F60", ["x"], ["y"], domain="my")], [X], ["y"], functions=functions)
    with pytest.raises(ReadError, match="1152921504606846976 nodes come of it"):
        read_model(proto, tmp_path)


def test_bodies_capture_values_and_weights_from_outside(tmp_path: Path) -> None:
    branch = helper.make_graph([node("MatMul", ["h", "w"], ["z"], name="fc")], "b", [], [value("z", None)])
    nodes = [node("Relu", ["x"], ["h"]), node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)]
    proto = model(nodes, [X, value("c", dtype=TensorProto.BOOL)], ["y"], [stored("w", 4, 2)])
    graph = read_model(proto, tmp_path)
    bodies = dict(graph.nodes[-1].bodies)
    body = bodies["then_branch"]
    assert (("h",), ["kernel w (4, 2)"]) == (body.captures, roles(body, "fc"))
    assert [] == validate(graph)
    assert ["Relu", "If"] == [item.op for item in graph.nodes]


def test_an_op_of_another_domain_is_unknown_and_keeps_its_name(tmp_path: Path) -> None:
    graph = read_nodes([node("Relu", ["x"], ["y"], domain="com.acme")], tmp_path)
    assert ("Unknown", "com.acme.Relu") == (graph.nodes[0].op, graph.nodes[0].origin.native)


def test_gelu_of_com_microsoft_is_known(tmp_path: Path) -> None:
    assert "Gelu" == read_nodes([node("Gelu", ["x"], ["y"], domain="com.microsoft")], tmp_path).nodes[0].op


def external(location: str, offset: str = "", length: str = "") -> onnx.ModelProto:
    weight = TensorProto(name="w", dims=[4, 2], data_type=1, data_location=TensorProto.EXTERNAL)
    for key, text in (("location", location), ("offset", offset), ("length", length)):
        if text:
            weight.external_data.add(key=key, value=text)
    return model([node("MatMul", ["x", "w"], ["y"])], [X], ["y"], [weight])


@pytest.mark.parametrize(
    ("location", "offset", "length", "problem"),
    [
        ("data.bin", "", "32", None),
        ("data.bin", "16", "32", "external_data_out_of_range"),
        ("data.bin", "-1", "32", "external_data_out_of_range"),
        ("data.bin", "9" * 30, "", "external_data_out_of_range"),
        ("none.bin", "", "", "external_data_missing"),
        ("folder", "", "", "external_data_missing"),
        ("../data.bin", "", "", "external_data_escapes"),
        ("folder/../../etc/passwd", "", "", "external_data_escapes"),
        ("/etc/passwd", "", "", "external_data_escapes"),
        ("C:\\weights.bin", "", "", "external_data_escapes"),
        ("link.bin", "", "", "external_data_escapes"),
        ("", "", "", "external_data_escapes"),
    ],
)
def test_external_data_is_judged_by_its_place(
    location: str, offset: str, length: str, problem: str | None, tmp_path: Path
) -> None:
    (tmp_path / "data.bin").write_bytes(b"\0" * 40)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.bin").symlink_to("data.bin")
    graph = read_model(external(location, offset, length), tmp_path)
    told = {key: found for key, found in graph.metadata.items() if key.startswith("external_data_")}
    assert ({problem: (location,)} if problem else {}) == told
    assert 2 == graph.nodes[0].attrs["units"]


def test_external_data_is_never_opened(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(b"\0" * 32)
    (tmp_path / "data.bin").chmod(0)
    assert ("data.bin",) == read_model(external("data.bin", "", "32"), tmp_path).metadata["external_data"]


def test_training_info_and_sparse_weights_are_told(tmp_path: Path) -> None:
    proto = model([node("MatMul", ["x", "w"], ["y"])], [X], ["y"])
    proto.training_info.add()
    sparse = proto.graph.sparse_initializer.add(dims=[4, 2])
    sparse.values.CopyFrom(stored("w", 3))
    graph = read_model(proto, tmp_path)
    assert (1, 1) == (graph.metadata["training_info"], graph.metadata["sparse_weights"])
    assert ["kernel w (4, 2)"] == roles(graph, "y")


def test_a_stored_tensor_that_nothing_reads_stands_in_the_graph(tmp_path: Path) -> None:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    proto = model(nodes, [value("x", "N", 4)], ["y"], [stored("w", 4, 2), stored("left", 8, 8)])
    graph = read_model(proto, tmp_path)
    assert ["Constant", "Dense"] == [node.op for node in graph.nodes]
    assert (8, 8) == graph.by_name["left"].params[0].shape


def test_a_batch_norm_that_writes_its_statistics_is_in_training_before_opset_14(tmp_path: Path) -> None:
    weights = [stored(name, 3) for name in ("g", "b", "m", "v")]
    inputs = ["x", "g", "b", "m", "v"]
    for outputs, training in (["y"], False), (["y", "m2", "v2"], True):
        nodes = [helper.make_node("BatchNormalization", inputs, outputs)]
        graph = read_model(model(nodes, [value("x", "N", 3, 4, 4)], ["y"], weights, opset=9), tmp_path)
        assert training == graph.nodes[-1].attrs.get("training", False)


def test_operands_lined_up_at_an_axis_as_before_opset_7_have_no_known_shape(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["x", "b"], ["y"], axis=1, broadcast=1)]
    proto = model(nodes, [value("x", "N", 3, 4, 4)], ["y"], [stored("b", 3)], opset=6)
    assert "Unknown" == read_model(proto, tmp_path).nodes[-1].op


def test_a_transpose_of_a_stored_kernel_is_told_of_although_it_is_gone(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Transpose", ["w"], ["t"], name="turned", perm=[1, 0]),
        helper.make_node("MatMul", ["x", "t"], ["y"]),
    ]
    graph = read_model(model(nodes, [value("x", "N", 4)], ["y"], [stored("w", 2, 4)]), tmp_path)
    assert ["Dense"] == [node.op for node in graph.nodes]
    assert ("turned",) == graph.metadata["constant_nodes"]


def test_a_setting_that_is_no_value_counts_as_left_out(tmp_path: Path) -> None:
    graph = helper.make_graph([], "g", [], [])
    lstm = node("LSTM", ["x", "w", "r"], ["y"], hidden_size=2, direction=graph)
    weights = [stored("w", 1, 8, 4), stored("r", 1, 8, 2)]
    found = read_model(model([lstm], [value("x", 3, 1, 4)], ("y",), weights), tmp_path)
    assert {"forward"} == {item.attrs.get("direction", "forward") for item in found.nodes}
