"""The one graph that every format is read into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from functools import cached_property

from archlint.dataclass import dataclass

Dim = int | str | None
"""Length of one axis: a number, a symbol ("N"), or None for unknown. Unknown never equals unknown."""

Shape = tuple[Dim, ...] | None
"""Lengths of all axes; None when not even the rank is known."""

Attr = int | float | str | bool | None | tuple["Attr", ...]
"""A setting of a node. Lists are tuples, so that a graph never changes."""


@dataclass(frozen=True, slots=True)
class TensorType:
    """Element type ("float32", "int64", …; None if unknown) and shape of a value."""

    dtype: str | None = None
    shape: Shape = None


MAX_ELEMENTS = 2**62
"""Most elements of a tensor; above it a shape from a damaged file is no shape, and no float holds it."""


@dataclass(frozen=True, slots=True)
class Param:
    """One stored tensor that a node uses. Params of the same name are the same storage, counted once.

    ``shape`` is the shape in the file, in the file's own axis order. ``value`` holds the contents, flat,
    of small integer, boolean and scalar constants (at most 64 elements), and is None for weights.
    """

    name: str
    role: str
    shape: Shape
    dtype: str | None = "float32"
    trainable: bool = True
    value: tuple[int | float | bool, ...] | None = None

    @property
    def size(self) -> int | None:
        """Number of elements; None when a dimension is unknown, or when they are more than any file holds."""
        if self.shape is None:
            return None
        total = 1
        for dim in self.shape:
            if not isinstance(dim, int):
                return None
            total *= dim
        return total if abs(total) <= MAX_ELEMENTS else None


@dataclass(frozen=True, slots=True)
class Origin:
    """What the file calls a node: native op or layer class, and the path of names that leads to it.

    ``address`` is the names of the nested models from the outside in, then the layer's or node's own name.
    """

    native: str
    address: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One call of an operation. A layer that is called twice is two nodes with the same params.

    ``inputs`` are value names, "" for an optional input that is left out. An attribute that has its
    default value (see ``archlint.ops``) is left out.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Attr] = field(default_factory=dict)
    params: tuple[Param, ...] = ()
    bodies: tuple[tuple[str, Graph], ...] = ()
    origin: Origin = Origin("", ())

    def param(self, role: str) -> Param | None:
        """The first param with this role."""
        return next((param for param in self.params if param.role == role), None)


@dataclass(frozen=True, slots=True)
class Setting:
    """A loss, metric or optimizer as the file states it.

    ``name`` is the snake_case name ("categorical_crossentropy", "adam"); what the framework does not
    ship keeps its own name with ``custom`` set. ``output`` is the index of the model output it judges.
    """

    name: str
    output: int | None = None
    custom: bool = False
    attrs: Mapping[str, Attr] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Training:
    """The compile settings that were saved with a model."""

    losses: tuple[Setting, ...] = ()
    metrics: tuple[Setting, ...] = ()
    optimizer: Setting | None = None


@dataclass(frozen=True, slots=True)
class Hazard:
    """Something in a file that reaches beyond the model, such as code or a path out of its folder.

    ``kind`` is a word that the rules of the security family know ("lambda-code"), ``where`` the place inside
    the file, ``attrs`` what it names and measures (subject, how, layer, …): never a payload.
    """

    kind: str
    where: str
    attrs: Mapping[str, Attr] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """A model: inputs, nodes in topological order, outputs, and what the file says about them.

    ``declared`` holds the types that the file itself states for values. ``metadata`` holds what the
    file says of itself (producer, opset, ir_version, backend, …). ``hazards`` are what the reader saw
    in the file that loading it would act on. In the body of an If, Loop or Scan
    a value that nothing in the body produces is captured from the outside.
    """

    name: str = ""
    format: str = ""
    inputs: tuple[tuple[str, TensorType], ...] = ()
    nodes: tuple[Node, ...] = ()
    outputs: tuple[str, ...] = ()
    declared: Mapping[str, TensorType] = field(default_factory=dict)
    training: Training | None = None
    metadata: Mapping[str, Attr] = field(default_factory=dict)
    hazards: tuple[Hazard, ...] = ()

    @cached_property
    def producers(self) -> Mapping[str, Node]:
        """Value name → the node that makes it. Graph inputs have no producer."""
        return {value: node for node in self.nodes for value in node.outputs if value}

    @cached_property
    def consumers(self) -> Mapping[str, tuple[Node, ...]]:
        """Value name → the nodes that read it, in order, once each; captures by bodies included."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            for value in dict.fromkeys((*node.inputs, *self._captures(node))):
                if value:
                    found.setdefault(value, []).append(node)
        return {value: tuple(nodes) for value, nodes in found.items()}

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """Node name → node."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def captures(self) -> tuple[str, ...]:
        """Values that this graph reads but neither makes nor takes as input, in order of first use."""
        own = {name for name, _ in self.inputs}
        seen: dict[str, None] = {}
        for node in self.nodes:
            for value in (*node.inputs, *self._captures(node)):
                if value and value not in own:
                    seen.setdefault(value)
            own.update(node.outputs)
        for value in self.outputs:
            if value not in own:
                seen.setdefault(value)
        return tuple(seen)

    @staticmethod
    def _captures(node: Node) -> tuple[str, ...]:
        return tuple(value for _, body in node.bodies for value in body.captures)
