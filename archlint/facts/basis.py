"""What every fact stands on: a graph and the tensors that were inferred for it."""

from __future__ import annotations

from collections.abc import Iterator

from archlint.dataclass import dataclass
from archlint.graph import Graph, Node
from archlint.ops import UNKNOWN, Inference, Tensor


@dataclass(frozen=True, slots=True)
class Basis:
    """A graph (or a body) with what is known of its values."""

    graph: Graph
    inference: Inference

    def tensor(self, value: str) -> Tensor:
        """What is known of a value; unknown for "" and for values that do not exist."""
        return self.inference.tensors.get(value, UNKNOWN)

    def ins(self, node: Node) -> tuple[Tensor, ...]:
        """The node's inputs, unknown where one is left out."""
        return tuple(self.tensor(value) for value in node.inputs)

    def outs(self, node: Node) -> tuple[Tensor, ...]:
        """The node's outputs."""
        return tuple(self.tensor(value) for value in node.outputs)

    def body(self, node: Node, label: str) -> Basis:
        """The basis of one of the node's bodies."""
        graph = dict(node.bodies)[label]
        return Basis(graph, self.inference.bodies.get((node.name, label), Inference({})))

    def everywhere(self) -> Iterator[tuple[Basis, Node]]:
        """All nodes with the basis they belong to, those of bodies after their own node."""
        rest = [(self, iter(self.graph.nodes))]
        while rest:
            basis, nodes = rest[-1]
            node = next(nodes, None)
            if node is None:
                rest.pop()
                continue
            yield basis, node
            for label, body in reversed(node.bodies):
                rest.append((basis.body(node, label), iter(body.nodes)))
