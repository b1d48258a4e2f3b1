"""All ops by name, and how one of them is applied to a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from archlint.graph import Attr, Node
from archlint.ops import (
    activation,
    attention,
    control,
    conv,
    dense,
    elementwise,
    index,
    linear_attention,
    norm,
    pool,
    preprocessing,
    quant,
    random,
    recurrent,
    reduce,
    shape,
)
from archlint.ops.base import UNKNOWN, Op, Tensor, Weight, Window, integers
from archlint.ops.dims import spread

_FAMILIES = (
    conv.OPS,
    dense.OPS,
    norm.OPS,
    activation.OPS,
    pool.OPS,
    recurrent.OPS,
    attention.OPS,
    linear_attention.OPS,
    shape.OPS,
    index.OPS,
    elementwise.OPS,
    reduce.OPS,
    random.OPS,
    preprocessing.OPS,
    quant.OPS,
    control.OPS,
)

TABLE: Mapping[str, Op] = {name: op for family in _FAMILIES for name, op in family.items()}
"""Op name → what it means."""

TRAITS: Mapping[str, str] = {
    "activation": "a nonlinear function that follows a layer, of each element or along one axis",
    "addition": "adds its inputs",
    "affine": "a linear map of each element or channel with an offset (inference-time batch norm, rescaling)",
    "attention": "mixes positions by weights that depend on the data",
    "augmentation": "changes images at random in training, nothing at inference",
    "cast": "changes the element type only",
    "constant": "makes a value that depends on no input",
    "control": "runs a body, or handles sequences and optionals",
    "elementwise": "each output element depends on the elements at its own place (with broadcasting)",
    "global_pool": "pools over all spatial axes",
    "join": "puts its inputs side by side",
    "learned": "holds weights that training changes",
    "linear": "a learned linear map with an optional bias",
    "linear_map": "a fixed linear map (average pooling, mean)",
    "multiplication": "multiplies its inputs",
    "nonlinear": "not an affine function of its inputs",
    "norm": "normalises by statistics",
    "pool": "summarises a window or all positions",
    "preprocessing": "prepares raw data before the model proper",
    "product": "multiplies computed matrices",
    "quantization": "converts to or from quantized numbers, or computes with them",
    "random": "dropout or noise: the identity at inference",
    "recurrent": "carries a state along the time axis",
    "reduction": "summarises axes into one element",
    "resampling": "changes the grid on which a map is sampled",
    "reshaping": "changes the layout only, not the elements or their number",
    "transparent": "hands its input on unchanged",
    "unknown": "not recognised; silent",
    "windowed": "reads its input through a sliding window",
}
"""Trait → what it says of an op."""

EVERY: Mapping[str, Attr] = {"time_distributed": False, "compute_dtype": None}
"""Settings of every op. ``time_distributed``: applied to each step of axis 1 on its own, the other settings
count without it. ``compute_dtype``: element type that its floating inputs are turned into, and that its
floating outputs have, where the types of the inputs would give another one."""


def attr(node: Node, name: str) -> Attr:
    """A setting of a node as stated, or its op's default.

    Raises:
        KeyError: the op has no such setting.
    """
    if name in node.attrs:
        return node.attrs[name]
    op = TABLE.get(node.op)
    if op is not None and name in op.attrs:
        return op.attrs[name]
    return EVERY[name]


def has_trait(node: Node, trait: str) -> bool:
    """Whether a node's op has this trait; an op that is not in the table has none."""
    op = TABLE.get(node.op)
    return op is not None and trait in op.traits


def complete(node: Node, op: Op) -> Node:
    """The node with every setting stated."""
    return replace(node, attrs={**op.attrs, **node.attrs}) if op.attrs else node


def outputs_of(node: Node, ins: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """A tensor per output of the node; unknown for an op that is not in the table."""
    op, count = TABLE.get(node.op), len(node.outputs)
    if op is None:
        return (UNKNOWN,) * count
    if node.attrs.get("time_distributed"):
        made = _per_step(node, op, ins)
    else:
        made = op.shape(complete(node, op), ins)
    computed = node.attrs.get("compute_dtype")
    if isinstance(computed, str):
        made = [computed_in(computed, one) for one in made]
    return (*made[:count], *(UNKNOWN,) * (count - len(made)))


def computed_in(dtype: str, tensor: Tensor) -> Tensor:
    """The tensor with this floating element type; as it was when its own is known and not a floating one."""
    if tensor.dtype is not None and "float" not in tensor.dtype:
        return tensor
    return replace(tensor, dtype=dtype)


def _without_steps(tensor: Tensor) -> Tensor:
    shape = tensor.shape
    return Tensor(tensor.dtype, None if shape is None else (*shape[:1], *shape[2:]))


def _per_step(node: Node, op: Op, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    steps = ins[0].shape[1] if ins and ins[0].shape is not None and len(ins[0].shape) > 1 else None
    made = op.shape(complete(node, op), [_without_steps(tensor) for tensor in ins])
    return [
        Tensor(one.dtype, None if one.shape is None else (*one.shape[:1], steps, *one.shape[1:]))
        for one in made
    ]


def macs_of(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """Multiply-accumulates of a node for a batch of one; None when not known (bodies do not count here)."""
    op = TABLE.get(node.op)
    if op is None or "unknown" in op.traits:
        return None
    if not node.attrs.get("time_distributed"):
        return op.cost(complete(node, op), ins, outs)
    steps = ins[0].shape[1] if ins and ins[0].shape is not None and len(ins[0].shape) > 1 else None
    inner, made = ([_without_steps(tensor) for tensor in side] for side in (ins, outs))
    once = op.cost(complete(node, op), inner, made)
    return once * steps if once is not None and isinstance(steps, int) else 0 if once == 0 else None


def weights_of(node: Node, ins: Sequence[Tensor]) -> tuple[Weight, ...]:
    """The tensors that building a node's layer creates, in the framework's order."""
    op = TABLE.get(node.op)
    if op is None:
        return ()
    if node.attrs.get("time_distributed"):
        ins = [_without_steps(tensor) for tensor in ins]
    return tuple(op.weights(complete(node, op), ins))


def window_of(node: Node, rank: int) -> Window | None:
    """How a windowed node reads its input, per spatial axis; None when malformed or not windowed."""
    op = TABLE.get(node.op)
    if op is None or "windowed" not in op.traits:
        return None
    whole = complete(node, op)
    kernel = spread(integers(whole, "kernel") or None, rank)
    strides, dilations = spread(integers(whole, "strides"), rank), spread(integers(whole, "dilations"), rank)
    if kernel is None or strides is None or dilations is None:
        return None
    return Window(kernel, strides, dilations)
