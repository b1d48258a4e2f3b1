"""Reachability: which nodes and inputs matter to the outputs."""

from __future__ import annotations

from archlint.graph import Graph, Node
from archlint.ops import has_trait


def reachable(graph: Graph) -> frozenset[str]:
    """Names of the nodes from which an output of the graph is reached; captures by bodies are uses."""
    wanted = set(graph.outputs)
    found = set()
    for node in reversed(graph.nodes):
        if not node.outputs or any(value in wanted for value in node.outputs):
            found.add(node.name)
            wanted.update(node.inputs)
            wanted.update(value for _, body in node.bodies for value in body.captures)
    return frozenset(found)


def fed_nodes(graph: Graph) -> frozenset[str]:
    """Names of the nodes that depend on the values of a graph input or on chance; bodies' captures are uses.

    A shape is no value: what is worked out of it is the same for all inputs of one size.
    """
    known = {name for name, _ in graph.inputs}
    found = set()
    for node in graph.nodes:
        read = {*node.inputs, *(value for _, body in node.bodies for value in body.captures)}
        if node.op in ("Shape", "Size"):
            continue
        if read & known or (not node.inputs and not has_trait(node, "constant")):
            found.add(node.name)
            known.update(node.outputs)
    return frozenset(found)


def dead_nodes(graph: Graph, alive: frozenset[str]) -> tuple[Node, ...]:
    """Nodes whose work reaches no output; constants are not counted, nor is a node without outputs."""
    return tuple(node for node in graph.nodes if node.name not in alive and not has_trait(node, "constant"))


def unused_inputs(graph: Graph, alive: frozenset[str]) -> tuple[str, ...]:
    """Inputs of the graph that reach no output, neither as data nor as the mask of a layer.

    Masks are no inputs of nodes; readers name what they are made of in the metadata (``mask_inputs``).
    """
    masks = graph.metadata.get("mask_inputs", ())
    used = {*graph.outputs, *(masks if isinstance(masks, tuple) else ())}
    for node in graph.nodes:
        if node.name in alive:
            used.update(node.inputs)
            used.update(value for _, body in node.bodies for value in body.captures)
    return tuple(name for name, _ in graph.inputs if name not in used)
