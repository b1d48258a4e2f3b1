"""A graph as people read it: the text notation, with every shape and what each node costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from archlint.facts import Facts
from archlint.graph import Graph, Node, TensorType, render
from archlint.graph.text import render_node
from archlint.reporters.view import plural, short


def lines(facts: Facts) -> Iterator[str]:
    """A line per node with the types of its outputs, and its parameters and MACs in a comment.

    The text parses (``archlint.graph.parse``); what stands after ``#`` is for people.
    """
    graph = facts.graph
    yield f"# {_counts(facts.params if facts.params_exact else None, facts.macs) or 'no parameters'}"
    *head, output = render(replace(graph, nodes=(), declared={})).splitlines()
    yield from head
    for node in graph.nodes:
        types = {value: _type(facts, value) for value in node.outputs if value}
        counts = _counts(facts.params_of(node), facts.macs_of(node))
        yield render_node(node, types) + (f"  # {counts}" if counts else "")
        yield from _bodies(node)
    yield output


def _bodies(node: Node) -> Iterator[str]:
    for label, body in node.bodies:
        yield from render(_holder(node, label, body)).splitlines()[1:-1]


def _type(facts: Facts, value: str) -> TensorType:
    tensor = facts.tensor(value)
    return TensorType(tensor.dtype, tensor.shape)


def _counts(params: int | None, macs: int | None) -> str:
    parts = []
    if params != 0:
        parts.append("parameters unknown" if params is None else plural(params, "parameter"))
    if macs != 0:
        parts.append("MACs unknown" if macs is None else f"{short(macs)} MACs")
    return ", ".join(parts)


def _holder(node: Node, label: str, body: Graph) -> Graph:
    """A graph of one node with one body, to render the body with the indentation that it has there."""
    return Graph(nodes=(replace(node, bodies=((label, body),)),))
