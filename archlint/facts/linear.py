"""Linear regions: learned linear maps that could be one, as nothing nonlinear stands between them."""

from __future__ import annotations

from archlint.facts.basis import Basis
from archlint.graph import Graph, Node
from archlint.ops import has_trait

_AFFINE = (
    "linear",
    "linear_map",
    "affine",
    "addition",
    "join",
    "reshaping",
    "transparent",
    "random",
    "cast",
)
_MOVES = frozenset({"Slice", "Pad", "Tile", "RepeatVector", "Split", "Gather", "Resize", "DepthToSpace"})


def is_affine(graph: Graph, node: Node) -> bool:
    """Whether a node is an affine function of its computed inputs at inference."""
    if any(has_trait(node, trait) for trait in _AFFINE):
        return not has_trait(node, "nonlinear")
    if node.op in _MOVES:
        return True
    if has_trait(node, "multiplication") or node.op in ("Sub", "Div"):
        fixed = [_is_fixed(graph, value) for value in node.inputs]
        return node.op == "Sub" or (len(fixed) == 2 and (fixed[1] or (fixed[0] and node.op == "Mul")))
    return False


def _is_fixed(graph: Graph, value: str) -> bool:
    maker = graph.producers.get(value)
    return maker is not None and has_trait(maker, "constant")


def linear_regions(basis: Basis) -> tuple[tuple[Node, ...], ...]:
    """Maximal groups of connected affine nodes that hold a learned linear map, in order of first node.

    Each group is the learned linear maps in it, in graph order. Any two of a group are joined by a way on
    which nothing is nonlinear (other ways between them may be).
    """
    group: dict[str, int] = {}
    parent: list[int] = []
    members: list[tuple[int, Node]] = []

    def find(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for node in basis.graph.nodes:
        if not is_affine(basis.graph, node):
            continue
        own = len(parent)
        parent.append(own)
        for value in node.inputs:
            if value in group:
                parent[find(group[value])] = find(own)
        for value in node.outputs:
            group[value] = own
        if has_trait(node, "linear"):
            members.append((own, node))
    regions: dict[int, list[Node]] = {}
    for index, node in members:
        regions.setdefault(find(index), []).append(node)
    return tuple(tuple(nodes) for nodes in regions.values())
