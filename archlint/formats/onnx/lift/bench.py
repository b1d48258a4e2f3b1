"""The graph while it is being lifted: nodes can be replaced, and what only served them falls away.

A pass matches upwards, from the last node of an idiom to what it reads, and replaces that last node. Every
replacement counts uses; a node whose last use goes is removed, and so on upwards. What nobody read in the
file, node or stored tensor, keeps standing, so that it can be reported.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import sqrt

from archlint.dataclass import dataclass
from archlint.graph import Attr, Graph, Node, Param, Shape, TensorType
from archlint.ops.base import UNKNOWN, Tensor

Values = tuple[int | float | bool | str | None, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """A stored tensor as a node reads it: the param as it is in the file, and the shape after transposes."""

    param: Param
    shape: Shape
    transposed: bool = False


class Bench:
    """Nodes in order, with their makers and uses. ``tensors`` is what shape inference knows of each value.

    ``unread`` are the constants that nothing in the file reads, bodies included.
    """

    def __init__(
        self,
        nodes: list[Node],
        constants: Mapping[str, Node],
        inputs: tuple[tuple[str, TensorType], ...],
        outputs: tuple[str, ...],
        outer: ChainMap[str, Node],
        unread: frozenset[str] = frozenset(),
    ) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self.tensors: Mapping[str, Tensor] = {}
        self._nodes: list[Node | None] = list(nodes)
        self._constants = outer.new_child(dict(constants))
        self._own = constants
        self._slots = {value: slot for slot, node in enumerate(nodes) for value in node.outputs if value}
        self._names = {node.name: slot for slot, node in enumerate(nodes)}
        self._uses: dict[str, int] = {}
        for node in nodes:
            self._add_uses(node)
        for value in outputs:
            self._uses[value] = self._uses.get(value, 0) + 1
        self._unread = unread

    def nodes(self, *natives: str) -> Iterator[Node]:
        """The nodes that stand when they are reached, in order; of the given ops, if any are given."""
        for slot in range(len(self._nodes)):
            node = self._nodes[slot]
            if node is not None and (not natives or node.op in natives):
                yield node

    def maker(self, value: str, *ops: str) -> Node | None:
        """The node that makes a value, if it is one of these ops (any op if none is given)."""
        slot = self._slots.get(value)
        node = None if slot is None else self._nodes[slot]
        return node if node is not None and (not ops or node.op in ops) else None

    def only(self, value: str, *ops: str) -> Node | None:
        """As ``maker``, but only if nothing else reads the value."""
        return self.maker(value, *ops) if self._uses.get(value) == 1 else None

    def uses(self, value: str) -> int:
        """How often a value is read."""
        return self._uses.get(value, 0)

    def peeled(self, value: str) -> str:
        """A value without the reshapes and identities around it that change nothing."""
        for _ in range(8):
            node = self.maker(value, "Identity", "Reshape")
            shape = self.shape(value)
            if node is None or shape is None or None in shape or shape != self.shape(node.inputs[0]):
                break
            value = node.inputs[0]
        return value

    def is_stored(self, value: str) -> bool:
        """Whether a value is a tensor of the file, around a body included."""
        return value in self._constants

    def shape(self, value: str) -> Shape:
        """The shape of a value; None when not known."""
        return self.tensors.get(value, UNKNOWN).shape

    def rank(self, value: str) -> int | None:
        """The number of axes of a value."""
        shape = self.shape(value)
        return None if shape is None else len(shape)

    def contents(self, value: str) -> Values | None:
        """The contents of a small constant, or of a computed value that shape inference knows."""
        constant = self._constants.get(value)
        if constant is not None:
            return constant.params[0].value
        return self.tensors.get(value, UNKNOWN).value

    def scalar(self, value: str, depth: int = 6) -> float | None:
        """The only element of a constant, or of what is computed from constants, as a float."""
        held = self.held(value)
        contents = self.contents(value) if held is None else held.param.value
        if contents is not None:
            single = contents[0] if len(contents) == 1 else None
            return float(single) if isinstance(single, int | float) else None
        node = self.maker(value, *_SCALAR_OPS) if depth else None
        if node is None:
            return None
        operands = [self.scalar(item, depth - 1) for item in node.inputs]
        known = [item for item in operands if item is not None]
        if len(known) < len(operands):
            return None
        try:
            return _SCALAR_OPS[node.op](*known)
        except (ValueError, ArithmeticError, TypeError):
            return None

    def held(self, value: str) -> Held | None:
        """The stored tensor that a value is, seen through the ops that only say it in another way."""
        views: list[Node] = []
        for _ in range(8):
            constant = self._constants.get(value)
            if constant is not None:
                param = constant.params[0]
                return _viewed(Held(param, param.shape), views)
            node = self.maker(value, *_VIEWS)
            if node is None:
                return None
            if node.op == "ConstantOfShape":
                return _viewed(self._filled(node), views)
            views.append(node)
            value = node.inputs[0]
        return None

    def _filled(self, node: Node) -> Held | None:
        shape = node.attrs.get("shape", self.contents(node.inputs[0]) if node.inputs else None)
        if not isinstance(shape, tuple) or not all(isinstance(dim, int) for dim in shape):
            return None
        dims = tuple(dim for dim in shape if isinstance(dim, int))
        return Held(Param(node.outputs[0], "value", dims, self._dtype(node.outputs[0])), dims)

    def _dtype(self, value: str) -> str | None:
        return self.tensors.get(value, UNKNOWN).dtype or "float32"

    def replace(self, last: Node, new: Node) -> Node:
        """Puts ``new``, which makes the same outputs, in the place of ``last``; if need be under its name."""
        slot = self._names.pop(last.name)
        self._add_uses(new)
        self._nodes[slot] = None
        for value in last.outputs:
            if value and value not in new.outputs:
                self._slots.pop(value, None)
        self._drop_uses(last)
        if new.name in self._names:
            new = replace(new, name=last.name)
        self._names[new.name] = slot
        self._nodes[slot] = new
        for value in new.outputs:
            if value:
                self._slots[value] = slot
        return new

    def graph(self, name: str, declared: Mapping[str, TensorType]) -> Graph:
        """What stands now, with a Constant node in front for every stored tensor that is still read.

        Also for those that nothing read from the start; not for those that became params or settings.
        """
        constants = [
            _public(node)
            for value, node in self._own.items()
            if self._uses.get(value, 0) > 0 or value in self._unread
        ]
        nodes = (*constants, *self.nodes())
        made = {value for node in nodes for value in node.outputs}
        kept = {value: type_ for value, type_ in declared.items() if value in made and type_ != TensorType()}
        return Graph(name, "", self.inputs, nodes, self.outputs, kept)

    def with_named_dims(self, declared: Mapping[str, TensorType]) -> Graph:
        """The graph with a symbol for every unknown length of an input, so that it can be followed."""
        graph = self.graph("", declared)
        return replace(graph, inputs=tuple((name, _named(name, type_)) for name, type_ in graph.inputs))

    def _add_uses(self, node: Node) -> None:
        for value in _reads(node):
            self._uses[value] = self._uses.get(value, 0) + 1

    def _drop_uses(self, node: Node) -> None:
        waiting = [node]
        while waiting:
            for value in _reads(waiting.pop()):
                self._uses[value] -= 1
                maker = self.maker(value)
                if maker is not None and not any(self._uses.get(output, 0) for output in maker.outputs):
                    self._remove(maker)
                    waiting.append(maker)

    def _remove(self, node: Node) -> None:
        self._nodes[self._names.pop(node.name)] = None
        for value in node.outputs:
            self._slots.pop(value, None)


_SCALAR_OPS: Mapping[str, Callable[..., float]] = {
    "Cast": float,
    "Identity": float,
    "Sqrt": sqrt,
    "Reciprocal": lambda a: 1 / a,
    "Div": lambda a, b: a / b,
    "Mul": lambda a, b: a * b,
    "Pow": pow,
}
"""The arithmetic that exporters put around a constant, such as 1 / √depth."""

_VIEWS = ("Identity", "Cast", "DequantizeLinear", "Transpose", "ConstantOfShape")


def _public(node: Node) -> Node:
    """A Constant without the contents of what may be weights: floats of more than one element."""
    param = node.params[0]
    if not param.trainable or param.value is None or len(param.value) == 1:
        return node
    return replace(node, params=(replace(param, value=None),))


def _named(name: str, type_: TensorType) -> TensorType:
    if type_.shape is None:
        return type_
    dims = (f"{name}:{axis}" if dim is None else dim for axis, dim in enumerate(type_.shape))
    return replace(type_, shape=tuple(dims))


def _reads(node: Node) -> list[str]:
    found = [value for value in node.inputs if value]
    for _, body in node.bodies:
        found.extend(body.captures)
    return found


def _viewed(held: Held | None, views: list[Node]) -> Held | None:
    for node in reversed(views):
        if held is None:
            return None
        if node.op == "Transpose":
            held = _transposed(held, node.attrs.get("perm"))
    return held


def _transposed(held: Held, perm: Attr) -> Held | None:
    if held.shape is None:
        return None
    order = perm if isinstance(perm, tuple) else tuple(reversed(range(len(held.shape))))
    axes = [axis for axis in order if isinstance(axis, int)]
    if sorted(axes) != list(range(len(held.shape))):
        return None
    return Held(held.param, tuple(held.shape[axis] for axis in axes), not held.transposed)
