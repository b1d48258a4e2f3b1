"""Laws of the Keras writer, over generated models, formats and edits: what is written reads as asked for."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from patch_models import (
    CLASSES,
    SIZE,
    VERSIONS,
    bypass,
    changed,
    doubled,
    functional,
    input_layer,
    insert,
    layer,
    reads,
    saved,
    sequential,
    unlocked,
    without_bias,
)

from archlint.formats import find, open_weights, read
from archlint.formats.base import ModelFile
from archlint.formats.keras.write import write
from archlint.formats.patch import law
from archlint.graph import Graph, Node, Splice, apply, skeleton
from archlint.graph.edits import Edit

FORMATS = ("keras", "keras-h5", "keras-folder", "keras-json")
CHANNELS = 4

BODY = {
    "conv": ("Conv2D", {"filters": CHANNELS, "kernel_size": [3, 3], "padding": "same", "activation": "relu"}),
    "bare": ("Conv2D", {"filters": CHANNELS, "kernel_size": [1, 1], "use_bias": False}),
    "depth": ("DepthwiseConv2D", {"kernel_size": [3, 3], "padding": "same"}),
    "norm": ("BatchNormalization", {"axis": -1}),
    "drop": ("Dropout", {"rate": 0.25}),
    "act": ("Activation", {"activation": "tanh"}),
    "same": ("Identity", {}),
}


@st.composite
def models(draw: st.DrawFn) -> tuple[dict, str]:
    """A chain of layers with a head; Sequential, functional with a branch, or with a nested model."""
    version = draw(st.sampled_from(VERSIONS))
    kinds = draw(st.lists(st.sampled_from(sorted(BODY)), min_size=2, max_size=7))
    body = [
        layer(BODY[kind][0], f"{kind}_{index}", version, **dict(BODY[kind][1]))
        for index, kind in enumerate(["conv", *kinds])
    ]
    head = [
        layer("Flatten", "flatten", version),
        layer("Dense", "hidden", version, units=5, activation="relu"),
        layer("Dropout", "drop_head", version, rate=0.5),
        layer("Dense", "out", version, units=CLASSES, activation="softmax"),
    ]
    first = input_layer("x", [None, SIZE, SIZE, 3], version)
    shape = draw(st.sampled_from(["sequential", "branch", "nested"]))
    if shape == "sequential":
        return sequential("m", [first, *body, *head], version), version
    if shape == "nested":
        inner = [input_layer("inner_x", [None, SIZE, SIZE, 3], version), *body]
        return sequential("m", [first, sequential("base", inner, version), *head], version), version
    return functional("m", _branched(first, body, head, version), version), version


def _branched(first: dict, body: list, head: list, version: str) -> list:
    found = [reads(first, version=version)]
    for entry in body:
        found.append(reads(entry, found[-1]["name"], version=version))
    for name in ("left", "right"):
        side = layer("Conv2D", name, version, filters=CHANNELS, kernel_size=[1, 1])
        found.append(reads(side, body[-1]["name"], version=version))
    found.append(reads(layer("Add", "sum", version), "left", "right", version=version, many=True))
    for entry in head:
        found.append(reads(entry, found[-1]["name"], version=version))
    return found


def choices(graph: Graph) -> list[list[Edit]]:
    """Edits that the graph admits."""
    found: list[list[Edit]] = []
    for node in graph.nodes:
        name = node.name
        if node.op in ("Dropout", "Identity", "BatchNormalization") or node.origin.native == "Activation":
            found.append([bypass(graph, name)])
        if node.op == "Dropout":
            found.append([changed(graph, name, rate=0.125)])
        if node.op == "BatchNormalization":
            found.append([changed(graph, name, epsilon=0.5)])
        if node.op in ("Conv", "Dense"):
            found.append([doubled(graph, name)])
            if node.param("bias") is not None:
                found.append([without_bias(graph, name)])
        last = not any(one.name.startswith(f"{name}/") for one in graph.nodes)
        if last and graph.outputs != node.outputs:
            new = Node("fresh", "Relu", (), (), {"max_value": 6.0})
            if "fresh" not in {one.origin.address[-1] for one in graph.nodes}:
                found.append([insert(graph, node.outputs[0], new)])
    hidden = graph.by_name["hidden"]
    if hidden.op == "Dense" and hidden.inputs == ("flatten",):
        found.append(list(unlocked(graph, "flatten", "hidden")))
    return found


@st.composite
def edits_on(draw: st.DrawFn, graph: Graph) -> list[Edit]:
    """One to three edits, each on the graph that those before leave."""
    found: list[Edit] = []
    for _ in range(draw(st.integers(1, 3))):
        options = choices(apply(graph, found))
        if options:
            found += draw(st.sampled_from(options))
    return found


def contents(file: ModelFile, graph: Graph) -> dict[str, np.ndarray]:
    weights = open_weights(file, graph)
    assert weights is not None
    found = {param.name: weights.read(param) for node in graph.nodes for param in node.params}
    assert () == weights.mismatches()
    return {name: values for name, values in found.items() if values is not None}


def wanted_contents(before: dict, edits: list[Edit]) -> dict[str, np.ndarray]:
    """The tensors that a file should hold afterwards, worked out one edit at a time."""
    found = dict(before)
    for edit in edits:
        if isinstance(edit, Splice):
            made = {
                name: np.asarray(tensor.compute(*(found[source] for source in tensor.sources)))
                for name, tensor in edit.tensors.items()
            }
            found |= made
    return found


@settings(max_examples=130, deadline=None)
@given(st.data())
@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_written_reads_as_asked_for(kind: str, data: st.DataObject) -> None:
    model, version = data.draw(models())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = saved(folder, model, kind, version)
        graph = read(file)
        edits = data.draw(edits_on(graph))
        before = None if kind == "keras-json" else contents(file, graph)
        out = folder / f"new{Path(file.path).suffix}"
        write(file, graph, edits, str(out))
        (new,) = find([str(out)])
        after = read(new)
        law(read, graph, edits)(new)
        assert skeleton(apply(graph, edits)).by_name == skeleton(after).by_name
        if before is not None:
            stored, wanted = contents(new, after), wanted_contents(before, edits)
            names = {param.name for node in after.nodes for param in node.params}
            assert names == stored.keys()
            assert all(np.array_equal(wanted[key], stored[key]) for key in names)
