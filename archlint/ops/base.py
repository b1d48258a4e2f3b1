"""The shape of an op's definition, and how its functions read a node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from archlint.dataclass import dataclass
from archlint.graph import Attr, Node, Shape

Settings = Mapping[str, Attr]
"""Attribute name → default."""

KERNEL_START: Settings = {"kernel_init": None, "kernel_l1": 0.0, "kernel_l2": 0.0}
"""How training starts and restrains a kernel, as Keras files say: ``kernel_init`` names an
initialiser that is not Keras's default, glorot_uniform, in snake_case. ONNX files say none of it."""

Value = tuple[int | float | bool | str | None, ...] | None
"""Contents of a small tensor, flat; an element may be a symbol or unknown. None: nothing is known."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """What is known of a value: element type, shape, and the contents of small integer tensors.

    ``value`` is the contents, flat and in row order; single elements may be unknown (None) or a symbol.
    It is what lets ``Reshape(x, Concat(Slice(Shape(x)), -1))`` have a known shape.
    """

    dtype: str | None = None
    shape: Shape = None
    value: Value = None


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

ValueFn = Callable[[Node, Sequence[Tensor], Tensor], Value]
"""Node, input tensors and first output → contents of that output, when it is small and they are known."""


@dataclass(frozen=True, slots=True)
class Window:
    """How a sliding op reads its input: per spatial axis, in order."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]


def no_cost(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """Ops that move or compare data do no multiply-accumulates."""
    return 0


def unknown_cost(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """Ops whose work cannot be known from the graph."""
    return None


def no_weights(node: Node, ins: Sequence[Tensor]) -> Sequence[Weight]:
    """Ops that hold no tensors."""
    return ()


@dataclass(frozen=True, slots=True)
class Op:
    """What an op means: its settings with their defaults, its shape, its cost, its weights, its traits.

    ``attrs`` maps each setting to its default; nodes leave a setting with its default out. ``traits`` are
    the words that rules and facts ask for (see ``archlint.ops.TRAITS``). The functions expect a node whose
    attributes are complete: call them through ``outputs_of``, ``macs_of`` and ``weights_of``.
    """

    name: str
    shape: ShapeFn
    attrs: Mapping[str, Attr] = field(default_factory=dict)
    cost: CostFn = no_cost
    weights: WeightsFn = no_weights
    traits: frozenset[str] = frozenset()


def table(*ops: Op) -> dict[str, Op]:
    """Ops by name; a name that stands twice is our own mistake."""
    found = {op.name: op for op in ops}
    assert len(found) == len(ops), "an op stands twice in one family"
    return found


def at(tensors: Sequence[Tensor], index: int) -> Tensor:
    """The tensor at a position; unknown when the node has fewer inputs."""
    return tensors[index] if index < len(tensors) else UNKNOWN


def integer(node: Node, name: str) -> int | None:
    """An attribute that is a whole number; None when it is missing or something else."""
    value = node.attrs.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(node: Node, name: str) -> float | None:
    """An attribute that is a number; None when it is missing or something else."""
    value = node.attrs.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def integers(node: Node, name: str) -> tuple[int, ...] | None:
    """An attribute that is a tuple of whole numbers (a single one counts); None otherwise."""
    value = node.attrs.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,)
    if not isinstance(value, tuple):
        return None
    whole = tuple(item for item in value if isinstance(item, int) and not isinstance(item, bool))
    return whole if len(whole) == len(value) else None


def flag(node: Node, name: str) -> bool:
    """An attribute that is true (or a number that is not zero)."""
    value = node.attrs.get(name)
    return isinstance(value, int) and bool(value)


def word(node: Node, name: str) -> str | None:
    """An attribute that is text; None when it is missing or something else."""
    value = node.attrs.get(name)
    return value if isinstance(value, str) else None


def given(node: Node, ins: Sequence[Tensor], name: str, index: int) -> tuple[int | str | None, ...] | None:
    """A setting that is an attribute, or the contents of an input when it is computed; None if not known.

    Of an input whose contents are unknown, the number of elements may still be known.
    """
    if index < len(node.inputs) and node.inputs[index]:
        contents = at(ins, index).value
        if contents is None:
            length = at(ins, index).shape
            count = length[0] if length is not None and len(length) == 1 else None
            # Bounded: a file from a stranger may claim any length.
            return (None,) * count if isinstance(count, int) and count <= 64 else None
        return tuple(item if isinstance(item, int | str) else None for item in contents)
    stated = node.attrs.get(name)
    if isinstance(stated, int):
        return (stated,)
    if not isinstance(stated, tuple):
        return None
    return tuple(item if isinstance(item, int | str) else None for item in stated)


def given_integers(node: Node, ins: Sequence[Tensor], name: str, index: int) -> tuple[int, ...] | None:
    """As ``given``, when all of it is whole numbers; None otherwise."""
    found = given(node, ins, name, index)
    if found is None:
        return None
    whole = tuple(item for item in found if isinstance(item, int))
    return whole if len(whole) == len(found) else None
