"""What lies before and after a place: convolutions upstream, the first learners downstream."""

from __future__ import annotations

from archlint.facts.paths import sorted_by_place
from archlint.graph import Graph, Node
from archlint.ops import has_trait


def nodes_after_conv(graph: Graph) -> frozenset[str]:
    """Names of the nodes that some convolution leads to."""
    fed: set[str] = set()
    found = set()
    for node in graph.nodes:
        after = any(value in fed for value in node.inputs)
        if after:
            found.add(node.name)
        if after or (has_trait(node, "learned") and has_trait(node, "windowed")):
            fed.update(node.outputs)
    return frozenset(found)


def learners_after(graph: Graph, value: str) -> tuple[Node, ...]:
    """The first nodes with a learned map (norms and activations are passed) that a value reaches."""
    found: dict[str, Node] = {}
    rest, seen = [value], {value}
    while rest:
        for node in graph.consumers.get(rest.pop(), ()):
            if has_trait(node, "learned") and not (has_trait(node, "norm") or has_trait(node, "activation")):
                found[node.name] = node
                continue
            for output in node.outputs:
                if output not in seen:
                    seen.add(output)
                    rest.append(output)
    return tuple(sorted_by_place(graph, found))
