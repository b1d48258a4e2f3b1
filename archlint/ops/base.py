"""The shape of an op's definition, and the pieces that every family uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from archlint.graph import Attr, Node, Shape


@dataclass(frozen=True, slots=True)
class Tensor:
    """What is known of a value: element type, shape, and the contents of small integer tensors.

    ``value`` is the contents, flat and in row order; single elements may be unknown (None) or a symbol.
    It is what lets ``Reshape(x, Concat(Slice(Shape(x)), -1))`` have a known shape.
    """

    dtype: str | None = None
    shape: Shape = None
    value: tuple[int | float | bool | str | None, ...] | None = None


UNKNOWN = Tensor()


@dataclass(frozen=True, slots=True)
class Weight:
    """A tensor that an op's layer creates when it is built: role, shape, whether training changes it."""

    role: str
    shape: Shape
    trainable: bool = True


ShapeFn = Callable[[Node, Sequence[Tensor]], Sequence[Tensor]]
"""Node and its input tensors → its output tensors. Anything unknown goes in and comes out as unknown."""

CostFn = Callable[[Node, Sequence[Tensor], Sequence[Tensor]], int | None]
"""Node, input and output tensors → multiply-accumulates for a batch of one; None when not known."""

WeightsFn = Callable[[Node, Sequence[Tensor]], Sequence[Weight]]
"""Node and its input tensors → the tensors that building its layer creates, in the framework's order."""


@dataclass(frozen=True, slots=True)
class Window:
    """How a sliding op reads its input: per spatial axis, in order."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]


def no_cost(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """Ops that move or compare data do no multiply-accumulates."""
    return 0


def no_weights(node: Node, ins: Sequence[Tensor]) -> Sequence[Weight]:
    """Ops that hold no tensors."""
    return ()


@dataclass(frozen=True, slots=True)
class Op:
    """What an op means: its settings with their defaults, its shape, its cost, its weights, its traits.

    ``attrs`` maps each setting to its default; nodes leave a setting with its default out. ``traits`` are
    the words that rules and facts ask for (see ``archlint.ops.TRAITS``).
    """

    name: str
    shape: ShapeFn
    attrs: Mapping[str, Attr] = field(default_factory=dict)
    cost: CostFn = no_cost
    weights: WeightsFn = no_weights
    traits: frozenset[str] = frozenset()
