"""What Keras says of a model, next to what archlint reads from its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archlint.formats.base import ModelFile
from archlint.formats.keras import read
from archlint.graph import Graph, parse, render, validate
from archlint.ops import infer

Shapes = list[tuple[int | None, ...]]


def read_json(model: Any, folder: Path) -> Graph:
    """The graph of a model, through its ``to_json()``."""
    path = folder / "model.json"
    path.write_text(model.to_json())
    return read_file(path, "keras-json")


def read_file(path: Path, format_: str) -> Graph:
    """The graph of a file; checks what must hold for every graph."""
    graph = read(ModelFile(str(path), format_, path.stat().st_size))
    assert validate(graph) == []
    assert parse(render(graph)) == graph
    return graph


def params_of(graph: Graph) -> dict[str, tuple[int | None, bool]]:
    """Param name → elements and whether it is trained; constants of the computation are none."""
    return {
        param.name: (param.size, param.trainable)
        for node in graph.nodes
        for param in node.params
        if param.role != "value"
    }


def total(graph: Graph) -> int | None:
    """Parameters of the model, shared ones once; None when one is unknown."""
    sizes = [size for size, _ in params_of(graph).values()]
    return None if None in sizes else sum(size for size in sizes if size is not None)


def trained(graph: Graph) -> int:
    """Trainable parameters of the model."""
    return sum(size or 0 for size, is_trained in params_of(graph).values() if is_trained)


def output_shapes(graph: Graph) -> Shapes:
    """Shapes of the outputs; a symbol is an open axis."""
    tensors = infer(graph)
    return [open_axes(tensors[value].shape) for value in graph.outputs]


def open_axes(shape: Any) -> Any:
    """A shape in which symbols and unknown dims are None, as Keras writes them."""
    return None if shape is None else tuple(dim if isinstance(dim, int) else None for dim in shape)


def unknown(graph: Graph) -> list[str]:
    """Native names of the nodes that archlint does not understand."""
    return sorted({node.origin.native for node in graph.nodes if node.op == "Unknown"})


def keras_counts(model: Any) -> tuple[int, int]:
    """Parameters of a model, and how many of them are trained, without the state of random seeds."""
    size = sum(_size(weight) for weight in model.weights)
    return size, sum(_size(weight) for weight in model.trainable_weights)


def _size(weight: Any) -> int:
    count = 1
    for dim in weight.shape:
        count *= dim
    return count


def layer_shapes(model: Any, graph: Graph) -> list[tuple[str, Any, Any]]:
    """(layer, shape by Keras, shape by archlint) for every layer with one output whose shapes differ.

    Layers of nested models count as well, where the framework gives them an output of their own.
    """
    tensors = infer(graph)
    made = {node.origin.address: node.outputs[0] for node in graph.nodes if node.outputs}
    made |= {(name,): name for name, _ in graph.inputs}
    wrong = []
    for address, layer in _layers(model, ()):
        stated = getattr(layer, "output", None)
        value = made.get(address)
        if value is None or not hasattr(stated, "shape"):
            continue
        found = open_axes(tensors[value].shape)
        if found != tuple(stated.shape):
            wrong.append(("/".join(address), tuple(stated.shape), found))
    return wrong


def _layers(model: Any, parents: tuple[str, ...]) -> Any:
    for layer in model._operations if hasattr(model, "_operations") else model.layers:
        yield (*parents, layer.name), layer
        if hasattr(layer, "layers"):
            yield from _layers(layer, (*parents, layer.name))
