"""What was written reads as the edited graph, is valid ONNX, and holds the untouched bytes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx_files import field
from write_cases import (
    OPSETS,
    bypasses,
    free_batch,
    free_size,
    heads,
    insertions,
    networks,
    read_at,
    removals,
    replacements,
    saved,
)

from archlint.errors import PatchError
from archlint.formats.onnx.wire import File
from archlint.formats.onnx.write import write
from archlint.formats.onnx.write.layout import INITIALIZER, NODE, layout
from archlint.graph import Splice, apply, skeleton

SLOW = [HealthCheck.too_slow]


def raw_fields(path: str) -> tuple[dict[str, bytes], dict[str, bytes], list[bytes]]:
    """Nodes by first output and initializers by name, as they stand in the file, and all around the graph."""
    with open(path, "rb") as file:
        place = layout(path, File(file.fileno(), os.path.getsize(path)))
        nodes, tensors = ([place.content(s) for s in place.spans(kind)] for kind in (NODE, INITIALIZER))
        around = [place.source.content(span.start, span.end) for span in place.around]
    named = {onnx.NodeProto.FromString(data).output[0]: data for data in nodes}
    return named, {onnx.TensorProto.FromString(data).name: data for data in tensors}, around


@settings(max_examples=500, deadline=None, suppress_health_check=SLOW)
@given(st.data())
def test_what_is_written_reads_as_the_edited_graph(data):
    model = data.draw(networks())
    kinds = (bypasses, replacements, heads, removals, free_batch)
    with tempfile.TemporaryDirectory() as folder:
        file, out = saved(model, Path(folder)), f"{folder}/out.onnx"
        graph, edits = read_at(file.path), []
        for kind in data.draw(st.lists(st.sampled_from(kinds), max_size=3, unique=True)):
            offered = kind(apply(graph, edits))
            edits += [data.draw(st.sampled_from(offered))] if offered else []
        try:
            write(file, graph, edits, out)
        except PatchError as error:
            # Neighbours that the reader takes for one activation, such as Relu and Clip, are one node for it.
            assert "is missing" in str(error)  # noqa: PT017
            return
        assert skeleton(apply(graph, edits)) == skeleton(read_at(out))
        onnx.checker.check_model(onnx.load(out), full_check=True)


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW)
@given(st.data())
def test_nodes_and_weights_that_no_edit_names_are_the_same_bytes(data):
    model = data.draw(networks())
    with tempfile.TemporaryDirectory() as folder:
        file, out = saved(model, Path(folder)), f"{folder}/out.onnx"
        graph = read_at(file.path)
        edit = data.draw(st.sampled_from(insertions(graph) + removals(graph)))
        write(file, graph, [edit], out)
        nodes, tensors, around = raw_fields(file.path)
        new_nodes, new_tensors, new_around = raw_fields(out)
        gone = {value for name in edit.removed for value in graph.by_name[name].outputs}
        readers = {value for moved in edit.moved for node in graph.consumers[moved] for value in node.outputs}
        assert around == new_around
        assert {k: v for k, v in tensors.items() if k not in gone}.items() <= new_tensors.items()
        kept = {
            value: data
            for value, data in nodes.items()
            if value not in gone and not edit.moved.keys() & set(onnx.NodeProto.FromString(data).input)
        }
        assert kept.items() <= new_nodes.items()
        assert readers <= set(new_nodes) | {v for node in graph.nodes for v in node.outputs}


@pytest.mark.parametrize("opset", OPSETS)
def test_a_flatten_head_becomes_a_convolution_that_takes_any_size(opset, tmp_path):
    @settings(max_examples=8, deadline=None, suppress_health_check=[*SLOW])
    @given(networks((opset,)))
    def check(model):
        file, out = saved(model, tmp_path), tmp_path / "out.onnx"
        graph = read_at(file.path)
        for edit in heads(graph):
            edits = [edit, *free_size(graph)]
            write(file, graph, edits, str(out))
            assert (*graph.inputs[0][1].shape[:2], None, None) == read_at(out).inputs[0][1].shape
            onnx.checker.check_model(onnx.load(out), full_check=True)

    check()


def test_fields_that_onnx_does_not_have_survive(tmp_path):
    model = next(iter([_plain_model()]))
    data = model.SerializeToString() + field(99, b"a vendor's own")
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    graph = read_at(path)
    edit = Splice(frozenset({"r"}), moved={"r": "c"})
    from archlint.formats.base import ModelFile

    write(ModelFile(str(path), "onnx", len(data)), graph, [edit], str(tmp_path / "out.onnx"))
    assert (tmp_path / "out.onnx").read_bytes().endswith(field(99, b"a vendor's own"))


def _plain_model() -> onnx.ModelProto:
    from onnx import helper
    from onnx_files import model, stored, value

    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "c"),
        helper.make_node("Relu", ["c"], ["r"], "r"),
        helper.make_node("Tanh", ["r"], ["y"], "y"),
    ]
    return model(nodes, [value("x", "N", 3, 8, 8)], ["y"], [stored("w", 2, 3, 3, 3)])
