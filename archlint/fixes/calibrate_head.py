"""A flattened head as it stands in a file: its layers, their weights, and what they compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from archlint.dataclass import dataclass
from archlint.errors import PatchError
from archlint.fixes.affine import ROLES, affine_of
from archlint.fixes.calibrate_fit import Linear
from archlint.fixes.maps import FlatMap, acts_on_each, flat_map, only_reader
from archlint.fixes.stored import kernel_of, own_params
from archlint.graph import Array, Graph, Node, Param, Weights
from archlint.ops import attr, has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts


@dataclass(frozen=True, slots=True)
class Head:
    """Flatten → ``before`` → dense → … → dense, each the only reader of the one before.

    ``chain`` are the nodes from the first dense layer to the last. ``kind`` says what is compared: "classes",
    "labels" or "numbers" (see ``calibrate_fit.agreement``).
    """

    start: Node
    source: FlatMap
    before: tuple[Node, ...]
    chain: tuple[Node, ...]
    kind: str

    @property
    def first(self) -> Node:
        """The dense layer that reads the vector."""
        return self.chain[0]

    @property
    def last(self) -> Node:
        """The dense layer whose outputs are to be kept."""
        return self.chain[-1]

    @property
    def hidden(self) -> tuple[Node, ...]:
        """What stands before the last dense layer."""
        return self.chain[:-1]


def head_of(facts: Facts) -> Head:
    """The flattened head with the largest first dense layer.

    Raises: PatchError: there is none that could be fitted; says why of the last one looked at.
    """
    reason = "no Flatten of a map leads to a dense layer"
    found: list[tuple[int, Head]] = []
    for node in facts.graph.nodes:
        if node.op == "Flatten":
            try:
                head = _head_at(facts, node)
                found.append((kernel_of(facts, head.first)[0].size or 0, head))
            except PatchError as error:
                reason = str(error)
    if not found:
        raise PatchError(f"there is no head that samples could be fitted to: {reason}")
    return max(found, key=lambda pair: pair[0])[1]


def _head_at(facts: Facts, start: Node) -> Head:
    source = flat_map(facts, start)
    before: list[Node] = []
    chain: list[Node] = []
    last = 0
    node = only_reader(facts.graph, start.outputs[0])
    while node is not None and (node.op in ("Dense", "BatchNormalization") or acts_on_each(node)):
        (chain if chain or node.op == "Dense" else before).append(node)
        last = len(chain) if node.op == "Dense" else last
        node = only_reader(facts.graph, node.outputs[0])
    if not last:
        raise PatchError(f"behind '{start.name}' no dense layer follows")
    for one in (*before, *chain[:last]):
        if one.params:
            own_params(facts, one, "kernel", "bias", *ROLES)
    for one in chain[:last]:
        if one.op == "Dense" and len(facts.in_shape(one) or ()) != 2:
            raise PatchError(f"'{one.name}' does not work on a vector")
    return Head(start, source, tuple(before), tuple(chain[:last]), _kind(facts, chain[last - 1]))


def _kind(facts: Facts, last: Node) -> str:
    """What the outputs mean; where nothing says it, numbers, which are the harder to keep."""
    head = facts.head(last.outputs[0])
    if head.kind == "softmax" or (head.task == "classification" and head.kind == "linear"):
        return "classes" if attr(last, "units") != 1 else "labels"
    return "labels" if head.kind == "sigmoid" and head.task == "classification" else "numbers"


Step = Linear | Callable[[Array], Array]
"""One layer as a function of (N, width): a dense layer, which may be fitted anew, or something fixed."""


def steps_of(facts: Facts, stored: Weights, nodes: Sequence[Node]) -> tuple[Step, ...]:
    """A function per node of a chain, from the stored weights.

    Raises: PatchError: a weight cannot be read, or a node does something that is not known here.
    """
    return tuple(_step(facts, stored, node) for node in nodes)


def linear_of(facts: Facts, stored: Weights, node: Node) -> Linear:
    """A dense layer, its kernel as (inputs, units).

    Raises: PatchError: its weights cannot be read.
    """
    import numpy as np

    kernel, bias = kernel_of(facts, node)
    found = np.asarray(_contents(stored, kernel), np.float64)
    found = found.T if node.attrs.get("kernel_transposed") else found
    offset = np.zeros(found.shape[1]) if bias is None else np.asarray(_contents(stored, bias), np.float64)
    return Linear(found, offset.reshape(-1))


def _step(facts: Facts, stored: Weights, node: Node) -> Step:
    if node.op == "Dense":
        return linear_of(facts, stored, node)
    if node.op == "BatchNormalization":
        affine = affine_of(facts, node)
        gain, offset = affine.gain_and_offset(*(_contents(stored, param) for param in affine.params))
        return lambda x: x * gain + offset
    if has_trait(node, "random") or node.op == "Identity":
        return lambda x: x
    if node.op not in ACTIVATIONS:
        raise PatchError(f"what '{node.name}' ({node.op}) computes is not known here")
    settings = {name: value for name, value in _settings(node).items() if isinstance(value, int | float)}
    return lambda x: ACTIVATIONS[node.op](x, settings)


def _settings(node: Node) -> Mapping[str, object]:
    names = ("alpha", "negative_slope", "max_value", "threshold", "approximate")
    found: dict[str, object] = {}
    for name in names:
        try:
            found[name] = attr(node, name)
        except KeyError:
            continue
    return found


def _contents(stored: Weights, param: Param) -> Array:
    found = stored.read(param)
    if found is None:
        raise PatchError(f"the contents of '{param.name}' cannot be read")
    return found


def _relu(x: Array, settings: Mapping[str, float]) -> Array:
    import numpy as np

    edge, slope = settings.get("threshold", 0.0), settings.get("negative_slope", 0.0)
    found = np.where(x >= edge, x, slope * (x - edge))
    return np.minimum(found, settings["max_value"]) if "max_value" in settings else found


def _leaky(x: Array, settings: Mapping[str, float]) -> Array:
    import numpy as np

    return np.where(x >= 0, x, settings["alpha"] * x)


def _elu(x: Array, settings: Mapping[str, float]) -> Array:
    import numpy as np

    return np.where(x > 0, x, settings.get("alpha", 1.0) * np.expm1(np.minimum(x, 0)))


def _selu(x: Array, settings: Mapping[str, float]) -> Array:
    """Source: Klambauer et al. 2017, https://arxiv.org/abs/1706.02515, equation 14."""
    found: Array = 1.0507009873554805 * _elu(x, {"alpha": 1.6732632423543772})
    return found


def _tanh(x: Array, settings: Mapping[str, float]) -> Array:
    import numpy as np

    found: Array = np.tanh(x)
    return found


def _sigmoid(x: Array, settings: Mapping[str, float]) -> Array:
    found: Array = 0.5 * (1 + _tanh(x / 2, settings))
    return found


def _swish(x: Array, settings: Mapping[str, float]) -> Array:
    found: Array = x * _sigmoid(x, settings)
    return found


ACTIVATIONS: Mapping[str, Callable[[Array, Mapping[str, float]], Array]] = {
    "Relu": _relu,
    "LeakyRelu": _leaky,
    "Elu": _elu,
    "Selu": _selu,
    "Tanh": _tanh,
    "Sigmoid": _sigmoid,
    "Swish": _swish,
}
"""Op → what it does to numbers; a hidden layer with another activation is not fitted anew, only left out."""


def address_of(graph: Graph, node: Node) -> str:
    """The layer or node of a node in the file.

    Raises: PatchError: it stands inside a nested model, whose values cannot be had from outside.
    """
    if len(node.origin.address) != 1 and graph.format != "onnx":
        raise PatchError(f"'{node.name}' stands inside a nested model")
    return node.origin.address[-1] if node.origin.address else node.name
