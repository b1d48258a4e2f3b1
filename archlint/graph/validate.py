"""What must hold for every graph, whoever made it."""

from __future__ import annotations

from collections.abc import Iterator

from archlint.graph.types import Graph


def validate(graph: Graph) -> list[str]:
    """What is wrong with a graph, a sentence each; empty for a graph that holds together.

    A value has one maker, every node reads only what stands before it, node names are unique, types
    are declared only for values that a node makes, and hazards are of some kind.
    """
    unnamed = [f"a hazard at '{hazard.where}' is of no kind" for hazard in graph.hazards if not hazard.kind]
    return unnamed + list(_problems(graph, frozenset()))


def _problems(graph: Graph, outer: frozenset[str]) -> Iterator[str]:
    known = set(outer)
    for name, _ in graph.inputs:
        if name in known - outer:
            yield f"input '{name}' stands twice"
        known.add(name)
    names: set[str] = set()
    made: set[str] = set()
    for node in graph.nodes:
        if node.name in names:
            yield f"two nodes are named '{node.name}'"
        names.add(node.name)
        for value in node.inputs:
            if value and value not in known:
                yield f"node '{node.name}' reads '{value}', which nothing before it makes"
        for label, body in node.bodies:
            for problem in _problems(body, frozenset(known)):
                yield f"node '{node.name}', body '{label}': {problem}"
        for value in node.outputs:
            if value and (value in made or any(value == name for name, _ in graph.inputs)):
                yield f"value '{value}' is made twice"
            made.add(value)
            known.add(value)
    for value in graph.outputs:
        if value not in known:
            yield f"output '{value}' is made by no node"
    for value in graph.declared:
        if value not in made:
            yield f"a type is declared for '{value}', which no node makes"
