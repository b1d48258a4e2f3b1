"""Looking through nodes that hand a value on: what really makes it, and what really reads it."""

from __future__ import annotations

from archlint.graph import Graph, Node
from archlint.ops import attr, has_trait


def hands_on(node: Node, from_dtype: str | None = None) -> bool:
    """Whether a node changes nothing but layout or precision.

    Identity and its kind, a Transpose that only moves the channel axis (0, 2, 3, 1) or (0, 3, 1, 2) and
    their kin of more axes, and a Cast between floating-point types.
    """
    if has_trait(node, "transparent"):
        return True
    if node.op == "Transpose":
        return moves_channels(attr(node, "perm"))
    if node.op == "Cast":
        to = node.attrs.get("to")
        return isinstance(to, str) and "float" in to and from_dtype is not None and "float" in from_dtype
    return False


def moves_channels(perm: object) -> bool:
    """Whether a permutation of four or more axes only moves the channels from axis 1 to the end or back.

    With three axes (0, 2, 1) is just as well a real exchange of time and features, which counts.
    """
    if not isinstance(perm, tuple) or len(perm) < 4:
        return False
    rank = len(perm)
    return perm in ((0, *range(2, rank), 1), (0, rank - 1, *range(1, rank - 1)))


class Paths:
    """Sources and users of the values of one graph; ``dtypes`` maps values to element types."""

    def __init__(self, graph: Graph, dtypes: dict[str, str | None]) -> None:
        self._graph = graph
        self._dtypes = dtypes
        self._sources: dict[str, str] | None = None

    def hands_on(self, node: Node) -> bool:
        """Whether values are looked through this node."""
        return bool(node.inputs) and hands_on(node, self._dtypes.get(node.inputs[0]))

    def source(self, value: str) -> str:
        """The value that this one is a copy of, or the value itself."""
        if self._sources is None:
            self._sources = {}
            for node in self._graph.nodes:
                if self.hands_on(node) and node.outputs:
                    before = node.inputs[0]
                    self._sources[node.outputs[0]] = self._sources.get(before, before)
        return self._sources.get(value, value)

    def users(self, value: str) -> tuple[Node, ...]:
        """The nodes that read a value or a copy of it, in order, once each."""
        return tuple(sorted_by_place(self._graph, self._readers(value)[0]))

    def is_output(self, value: str) -> bool:
        """Whether the value or a copy of it is an output of the graph."""
        return self._readers(value)[1]

    def single_user(self, value: str) -> Node | None:
        """The one node that reads a value; None when there are more, none, or it is a graph output."""
        found, is_output = self._readers(value)
        return next(iter(found.values())) if len(found) == 1 and not is_output else None

    def _readers(self, value: str) -> tuple[dict[str, Node], bool]:
        found: dict[str, Node] = {}
        outputs = set(self._graph.outputs)
        rest, seen, is_output = [value], {value}, False
        while rest:
            one = rest.pop()
            is_output = is_output or one in outputs
            for node in self._graph.consumers.get(one, ()):
                if not self.hands_on(node) or node.inputs[0] != one or not node.outputs:
                    found[node.name] = node
                elif node.outputs[0] not in seen:
                    seen.add(node.outputs[0])
                    rest.append(node.outputs[0])
        return found, is_output


def sorted_by_place(graph: Graph, nodes: dict[str, Node]) -> list[Node]:
    """Nodes in the order of the graph, for a result that does not depend on how they were found."""
    if len(nodes) < 2:
        return list(nodes.values())
    return [node for node in graph.nodes if node.name in nodes]
