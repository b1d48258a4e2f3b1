"""The stored tensors of nodes that a rewrite takes out or puts in: what may be touched, names, contents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archlint.errors import PatchError
from archlint.graph import Array, Graph, Made, Node, Origin, Param, Shape
from archlint.ops import attr

if TYPE_CHECKING:
    from archlint.facts import Facts

FLOATS = ("float16", "float32", "float64")
"""Element types that numpy computes with; others (bfloat16, int8 of a quantised layer) are refused."""


def is_onnx(graph: Graph) -> bool:
    """Whether kernels are stored (out, in, spatial…), as ONNX has them; Keras has (spatial…, in, out)."""
    return graph.format.startswith("onnx")


def own_params(facts: Facts, node: Node, *roles: str) -> Mapping[str, Param]:
    """Role → param of a node whose weights a rewrite may replace; ``roles`` are all that it may have.

    Raises: PatchError: a param is shared, of another role, or not of floating-point numbers of known shape;
        the node is one half of a layer (SeparableConv), whose weights a file keeps together.
    """
    if node.attrs.get("time_distributed"):
        raise PatchError(f"'{node.name}' is called step by step")
    if node.op == "Dense" and {"alpha", "beta"} & node.attrs.keys():
        raise PatchError(f"'{node.name}' multiplies its weights by numbers of its own")
    half = next((one for one in _same_layer(facts.graph, node) if one.params != node.params), None)
    if half is not None:
        raise PatchError(f"'{node.name}' and '{half.name}' are one layer of the file")
    uses = Counter(name for one in _everywhere(facts.graph) for name in {param.name for param in one.params})
    for param in node.params:
        if uses[param.name] > 1 and not _may_be_shared(facts.graph, param):
            raise PatchError(f"'{node.name}' shares its {param.role} with another node")
        if param.role not in roles:
            raise PatchError(f"'{node.name}' has a {param.role}, which this change knows nothing of")
        if param.dtype not in FLOATS:
            raise PatchError(f"the {param.role} of '{node.name}' is stored as {param.dtype}")
        if param.size is None:
            raise PatchError(f"the shape of the {param.role} of '{node.name}' is not known")
    return {param.role: param for param in node.params}


def kernel_of(facts: Facts, node: Node) -> tuple[Param, Param | None]:
    """Kernel and bias of a convolution or dense layer that may be replaced.

    Raises: PatchError: as ``own_params``, or there is no kernel in the file.
    """
    params = own_params(facts, node, "kernel", "bias")
    if "kernel" not in params:
        raise PatchError(f"'{node.name}' has no stored kernel")
    return params["kernel"], params.get("bias")


def _may_be_shared(graph: Graph, param: Param) -> bool:
    """Whether a rewrite may take a tensor that other nodes read too: a vector of an ONNX file.

    tf2onnx stores equal tensors once, such as biases that all begin as 0.1. What a rewrite makes of one has
    a name of its own there (``Names.param``), so the others keep theirs; a kernel would then be there twice.
    """
    return is_onnx(graph) and param.size == max(_lengths(param), default=1)


def _same_layer(graph: Graph, node: Node) -> Iterator[Node]:
    """The other nodes with weights of a Keras layer."""
    address = node.origin.address
    if address and not is_onnx(graph):
        yield from (
            one for one in graph.nodes if one.params and one is not node and one.origin.address == address
        )


def _everywhere(graph: Graph) -> Iterator[Node]:
    for node in graph.nodes:
        yield node
        for _, body in node.bodies:
            yield from _everywhere(body)


def unscaled(node: Node) -> tuple[Node, float, float]:
    """A dense layer without ONNX Gemm's factors, and the factors of its kernel and of its bias."""
    alpha, beta = (attr(node, key) if node.op == "Dense" else 1.0 for key in ("alpha", "beta"))
    if not isinstance(alpha, int | float) or not isinstance(beta, int | float):
        raise PatchError(f"by what '{node.name}' multiplies its weights is not known")
    attrs = {key: item for key, item in node.attrs.items() if key not in ("alpha", "beta")}
    return replace(node, attrs=attrs), float(alpha), float(beta)


class Names:
    """Names for new nodes, values and tensors of a graph, none of which exist yet."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._taken = {value for value, _ in graph.inputs}
        for node in _everywhere(graph):
            self._taken.update((node.name, *node.outputs, *(param.name for param in node.params)))

    def fresh(self, wanted: str) -> str:
        """``wanted``, or the next free ``wanted_1``, …; taken from now on."""
        name, count = wanted, 0
        while name in self._taken:
            count += 1
            name = f"{wanted}_{count}"
        self._taken.add(name)
        return name

    def beside(self, node: Node, op: str, inputs: Sequence[str], role: str) -> Node:
        """A new node next to another one, in the same nested model: ``<node>_<role>``, giving one value.

        A Keras layer and its value have one name; in ONNX the value is ``<node>_<role>/out``.
        """
        outer = node.origin.address[:-1]
        stem = node.origin.address[-1] if node.origin.address else node.name
        name = self.fresh("/".join((*outer, f"{stem}_{role}")))
        value = self.fresh(f"{name}/out") if is_onnx(self._graph) else name
        address = (*outer, name.rsplit("/", 1)[-1])
        return Node(name, op, tuple(inputs), (value,), origin=Origin("", address))

    def param(self, node: Node, role: str, shape: Shape, like: Param) -> Param:
        """A param for a new node: in Keras named for its layer, in ONNX by a name that is free."""
        if is_onnx(self._graph):
            return replace(like, name=self.fresh(f"{node.name}/{role}"), role=role, shape=shape, value=None)
        name = f"{'/'.join(node.origin.address) or node.name}/{role}"
        return replace(like, name=name, role=role, shape=shape, value=None)


def computed(param: Param, sources: Sequence[Param], compute: Callable[..., Array]) -> Made:
    """Contents that are computed in float64 from stored tensors and rounded once to the param's type.

    ``compute`` gets the sources as float64 and gives an array of the param's shape.
    """

    def make(*arrays: Array) -> Array:
        import numpy as np

        found = compute(*(np.asarray(array, np.float64) for array in arrays))
        return np.asarray(found, param.dtype).reshape(_lengths(param))

    return Made(tuple(source.name for source in sources), make)


def rearranged(param: Param, source: Param, compute: Callable[[Array], Array]) -> Made:
    """Contents that are those of a stored tensor in another order or shape; a view where numpy can."""
    return Made((source.name,), lambda array: compute(array).reshape(_lengths(param)))


def through(made: Made, before: Mapping[str, Made]) -> Made:
    """The same contents from what the file holds, where some sources are themselves made (``before``)."""
    parts = [before.get(name) or Made((name,), lambda values: values) for name in made.sources]

    def make(*arrays: object) -> object:
        waiting = iter(arrays)
        return made.compute(*(part.compute(*(next(waiting) for _ in part.sources)) for part in parts))

    return Made(tuple(name for part in parts for name in part.sources), make)


def _lengths(param: Param) -> tuple[int, ...]:
    return tuple(dim for dim in param.shape or () if isinstance(dim, int))
