"""The weights that Keras would create, for nodes that state none."""

from __future__ import annotations

from dataclasses import replace

from archlint.graph import Graph, Node, Param
from archlint.ops.base import UNKNOWN, Tensor
from archlint.ops.infer import inference
from archlint.ops.table import weights_of


def build(graph: Graph) -> Graph:
    """The graph with params on every node whose op creates weights and that has none.

    A param is named ``<address>/<role>`` when the node's origin has an address, so that calls of one layer
    share their params, else ``<node>/<role>``. Its shape is None when the shape of the input is unknown.
    """
    known = inference(graph).tensors
    nodes = []
    # Calls of one layer share weights, which the first call creates.
    made: dict[str, Param] = {}
    for node in graph.nodes:
        if not node.params:
            node = _built(node, known, made)
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


def _built(node: Node, known: dict[str, Tensor], made: dict[str, Param]) -> Node:
    ins = [known.get(value, UNKNOWN) for value in node.inputs]
    owner = "/".join(node.origin.address) or node.name
    params = []
    for weight in weights_of(node, ins):
        name = f"{owner}/{weight.role}"
        # A dim of a weight is a number; a symbol there means that the length is not known.
        shape = weight.shape
        if shape is not None and any(not isinstance(dim, int) for dim in shape):
            shape = None
        param = Param(name, weight.role, shape, "float32", weight.trainable)
        params.append(made.setdefault(name, param))
    return replace(node, params=tuple(params)) if params else node
