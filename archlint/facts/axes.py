"""Where axes come from: for every axis of a value, the axes of model inputs whose positions it holds.

Two readings share the rules. *Positions* follow an axis through a resize to a stated size, as a receptive
field does; *lengths* do not, as the length no longer depends on the input. An axis that holds none is
an empty set; a value about whose axes nothing is known is None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from archlint.dataclass import dataclass
from archlint.facts.basis import Basis
from archlint.facts.reshaping import regrouped
from archlint.graph import Node, Shape
from archlint.ops import attr, has_trait
from archlint.ops.conv import spatial_axes
from archlint.ops.dims import axes_of, axis_of

Origin = tuple[str, int]
"""A model input and one of its axes."""

Axes = tuple[frozenset[Origin], ...] | None

NONE: frozenset[Origin] = frozenset()


@dataclass(slots=True)
class Trace:
    """Axes of every value; per node the input axes that it mixes over their whole length, or slides over."""

    axes: dict[str, Axes] = field(default_factory=dict)
    mixed: dict[str, frozenset[Origin]] = field(default_factory=dict)
    slid: set[Origin] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Step:
    """One node with what its rule needs."""

    basis: Basis
    node: Node
    ins: tuple[Axes, ...]
    lengths: bool

    @property
    def first(self) -> tuple[frozenset[Origin], ...]:
        """Axes of the first input (its rule runs only when they are known)."""
        return (self.ins[0] if self.ins else None) or ()

    def shape(self, index: int) -> Shape:
        """Shape of an input."""
        node = self.node
        return self.basis.tensor(node.inputs[index]).shape if index < len(node.inputs) else None

    @property
    def made(self) -> Shape:
        """Shape of the first output."""
        return self.basis.tensor(self.node.outputs[0]).shape

    def axis(self, name: str) -> int | None:
        """An attribute that names an axis of the first input, counted from the front."""
        value = attr(self.node, name)
        return axis_of(value, len(self.first)) if isinstance(value, int) else None


Rule = Callable[[Step], tuple[Axes, frozenset[Origin]]]
"""A node's step → axes of its (first) output, and the input axes that it mixes."""


def trace(basis: Basis, lengths: bool = True) -> Trace:
    """Follow all axes through the graph once."""
    found = Trace()
    for name, type_ in basis.graph.inputs:
        if type_.shape is not None:
            found.axes[name] = tuple(
                frozenset({(name, axis)}) if axis else NONE for axis in range(len(type_.shape))
            )
    for node in basis.graph.nodes:
        if not node.outputs:
            continue
        step = Step(basis, node, tuple(_axes_of(found, basis, value) for value in node.inputs), lengths)
        axes, mixed = _followed(step)
        if mixed:
            found.mixed[node.name] = mixed
        found.slid.update(slid_over(step))
        for value in node.outputs:
            shape = basis.tensor(value).shape
            found.axes[value] = axes if axes is not None and shape and len(shape) == len(axes) else None
            if shape == ():
                found.axes[value] = ()
    return found


def _axes_of(found: Trace, basis: Basis, value: str) -> Axes:
    if value in found.axes:
        return found.axes[value]
    shape = basis.tensor(value).shape
    return None if shape is None else (NONE,) * len(shape)


def _followed(step: Step) -> tuple[Axes, frozenset[Origin]]:
    rule = _rule_of(step.node) if step.node.inputs else _constant
    if rule is None or (step.ins and step.ins[0] is None):
        return None, NONE
    if step.node.attrs.get("time_distributed"):
        return _per_step(step, rule)
    return rule(step)


def _per_step(step: Step, rule: Rule) -> tuple[Axes, frozenset[Origin]]:
    """The rule on each step of axis 1. Only ops that keep the rank or flatten are wrapped in practice."""
    if len(step.first) < 2:
        return None, NONE
    inner = Step(step.basis, step.node, ((*step.first[:1], *step.first[2:]), *step.ins[1:]), step.lengths)
    axes, mixed = rule(inner)
    return (None if axes is None else (*axes[:1], step.first[1], *axes[1:])), mixed


def _rule_of(node: Node) -> Rule | None:
    found = RULES.get(node.op)
    if found is not None:
        return found
    return next((rule for trait, rule in _BY_TRAIT if has_trait(node, trait)), None)


def slid_over(step: Step) -> frozenset[Origin]:
    """The input axes along which a node slides a window, or which it pools as a whole."""
    node = step.node
    if not (has_trait(node, "windowed") or has_trait(node, "global_pool")) or not step.ins or not step.ins[0]:
        return NONE
    offset = 1 if node.attrs.get("time_distributed") else 0
    channel = attr(node, "channel_axis")
    axes = spatial_axes(len(step.first) - offset, channel if isinstance(channel, int) else None)
    return _union(step.first[axis + offset] for axis in axes or ())


def _union(sets: object) -> frozenset[Origin]:
    found = NONE
    for one in sets if hasattr(sets, "__iter__") else ():
        found = found or one if not (found and one) else found | one
    return found


def aligned(ins: Sequence[Axes], rank: int) -> Axes:
    """Axes after broadcasting: an axis holds what any operand holds at its place."""
    made = [NONE] * rank
    for axes in ins:
        if axes is None or len(axes) > rank:
            return None
        for place, one in enumerate(axes, rank - len(axes)):
            made[place] = (
                made[place] if one <= made[place] else one if made[place] <= one else made[place] | one
            )
    return tuple(made)


def _same(step: Step) -> tuple[Axes, frozenset[Origin]]:
    return step.first, NONE


def _joined(step: Step) -> tuple[Axes, frozenset[Origin]]:
    if step.made is None:
        return None, NONE
    return aligned(step.ins, len(step.made)), NONE


def _emptied(step: Step, gone: Sequence[int | None]) -> Axes:
    return tuple(NONE if axis in gone else one for axis, one in enumerate(step.first))


def _channels_mixed(step: Step) -> tuple[Axes, frozenset[Origin]]:
    return _emptied(step, [step.axis("channel_axis")]), NONE


def _dense(step: Step) -> tuple[Axes, frozenset[Origin]]:
    axis = step.axis("axis") if step.node.op == "Dense" else len(step.first) - 1
    return (None, NONE) if axis is None else (_emptied(step, [axis]), step.first[axis])


def _spatial(step: Step) -> tuple[int, ...]:
    channel = attr(step.node, "channel_axis")
    return spatial_axes(len(step.first), channel if isinstance(channel, int) else None) or ()


def _global_pool(step: Step) -> tuple[Axes, frozenset[Origin]]:
    gone = _spatial(step)
    return _removed(step, gone, bool(attr(step.node, "keepdims")))


def _removed(step: Step, gone: Sequence[int], keepdims: bool) -> tuple[Axes, frozenset[Origin]]:
    mixed = _union(step.first[axis] for axis in gone)
    if keepdims:
        return _emptied(step, gone), mixed
    return tuple(one for axis, one in enumerate(step.first) if axis not in gone), mixed


def _reduction(step: Step) -> tuple[Axes, frozenset[Origin]]:
    rank, stated = len(step.first), attr(step.node, "axes" if "Reduce" in step.node.op else "axis")
    if len(step.node.inputs) > 1 and step.node.inputs[1]:
        stated = step.basis.tensor(step.node.inputs[1]).value
    whole = (stated,) if isinstance(stated, int) else stated
    if not isinstance(whole, tuple):
        return None, NONE
    axes = axes_of([axis for axis in whole if isinstance(axis, int)] or range(rank), rank)
    return (None, NONE) if axes is None else _removed(step, axes, bool(attr(step.node, "keepdims")))


def _along_axis(step: Step) -> tuple[Axes, frozenset[Origin]]:
    axis = step.axis("axis") if isinstance(step.node.attrs.get("axis", -1), int) else None
    axis = len(step.first) - 1 if axis is None and step.first else axis
    return step.first, NONE if axis is None else step.first[axis]


def _fixed(step: Step) -> tuple[Axes, frozenset[Origin]]:
    """Resampling to a stated size: positions go on, lengths do not."""
    sized = step.node.op not in ("Resize", "Upsample") or attr(step.node, "sizes")
    if step.lengths and sized:
        return _emptied(step, _spatial(step)), NONE
    return step.first, NONE


def _reshape(step: Step) -> tuple[Axes, frozenset[Origin]]:
    stated = attr(step.node, "shape") if step.node.op == "Reshape" and len(step.node.inputs) < 2 else None
    return regrouped(step.first, step.shape(0), step.made, stated if step.lengths else None), NONE


def _flatten(step: Step) -> tuple[Axes, frozenset[Origin]]:
    axis = attr(step.node, "axis")
    if not isinstance(axis, int):
        return None, NONE
    axis = axis + len(step.first) if axis < 0 else axis
    return (_union(step.first[:axis]), _union(step.first[axis:])), NONE


def _transpose(step: Step) -> tuple[Axes, frozenset[Origin]]:
    rank, perm = len(step.first), attr(step.node, "perm")
    order = [item for item in perm if isinstance(item, int)] if isinstance(perm, tuple) else []
    places = axes_of(order or tuple(reversed(range(rank))), rank)
    if places is None or len(places) != rank:
        return None, NONE
    return tuple(step.first[axis] for axis in places), NONE


def _expand(step: Step) -> tuple[Axes, frozenset[Origin]]:
    return (None if step.made is None else aligned(step.ins[:1], len(step.made))), NONE


def _gather(step: Step) -> tuple[Axes, frozenset[Origin]]:
    axis, picked = step.axis("axis"), step.ins[1] if len(step.ins) > 1 else None
    if axis is None or picked is None:
        return None, NONE
    return (*step.first[:axis], *picked, *step.first[axis + 1 :]), NONE


def _embedding(step: Step) -> tuple[Axes, frozenset[Origin]]:
    return (*step.first, NONE), NONE


def _stack(step: Step) -> tuple[Axes, frozenset[Origin]]:
    place = attr(step.node, "axis")
    rank = len(step.first)
    axis = axis_of(place, rank + 1) if isinstance(place, int) else None
    both = aligned(step.ins, rank)
    return (None, NONE) if axis is None or both is None else ((*both[:axis], NONE, *both[axis:]), NONE)


def _matmul(step: Step) -> tuple[Axes, frozenset[Origin]]:
    left, right = step.ins[0], step.ins[1] if len(step.ins) > 1 else None
    if not left or not right or len(left) < 2 or len(right) < 2 or step.made is None:
        return None, NONE
    stack = aligned((left[:-2], right[:-2]), len(step.made) - 2)
    if stack is None:
        return None, NONE
    return (*stack, left[-2], right[-1]), left[-1] | right[-2]


def _recurrent(step: Step) -> tuple[Axes, frozenset[Origin]]:
    if len(step.first) < 3:
        return None, NONE
    time = 0 if attr(step.node, "time_axis") == 0 else 1
    mixed = step.first[time] | step.first[-1]
    if attr(step.node, "merge_mode") == "stack":
        return None, mixed
    if attr(step.node, "return_sequences"):
        return (*step.first[:-1], NONE), mixed
    return (step.first[1 - time], NONE), mixed


def _attention(step: Step) -> tuple[Axes, frozenset[Origin]]:
    """Positions of the query stay; all positions of query and value are mixed."""
    value = (step.ins[1] if len(step.ins) > 1 else None) or ()
    mixed = _union(step.first[1:]) | _union(value[1:])
    return (*step.first[:-1], NONE), mixed


def _constant(step: Step) -> tuple[Axes, frozenset[Origin]]:
    return (None if step.made is None else (NONE,) * len(step.made)), NONE


RULES: Mapping[str, Rule] = {
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _reshape,
    "Unsqueeze": _reshape,
    "Transpose": _transpose,
    "Expand": _expand,
    "Gather": _gather,
    "Embedding": _embedding,
    "Stack": _stack,
    "MatMul": _matmul,
    "MultiHeadAttention": _attention,
    "GroupedQueryAttention": _attention,
    "Attention": _attention,
    "AdditiveAttention": _attention,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
    "Dense": _dense,
    "Resize": _fixed,
    "Upsample": _fixed,
    "Resizing": _fixed,
    "CenterCrop": _fixed,
    "RandomCrop": _fixed,
    "AdaptiveAveragePool": _fixed,
    "AdaptiveMaxPool": _fixed,
    "DepthToSpace": _channels_mixed,
    "SpaceToDepth": _channels_mixed,
    "Concat": _joined,
    "Where": _joined,
    "Split": _same,
    "Slice": _same,
    "Pad": _same,
    "Tile": _same,
    "Softmax": _along_axis,
    "LogSoftmax": _along_axis,
    "CumSum": _along_axis,
    "Glu": _same,
    "Shape": _constant,
    "Size": _constant,
}

_BY_TRAIT: Sequence[tuple[str, Rule]] = (
    ("constant", _constant),
    ("global_pool", _global_pool),
    ("reduction", _reduction),
    ("elementwise", _joined),
    ("norm", _same),
    ("activation", _same),
    ("random", _same),
    ("transparent", _same),
    ("cast", _same),
    ("affine", _same),
    ("pool", _same),
    ("windowed", _channels_mixed),
)


def spatial_inputs(basis: Basis, found: Trace) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Inputs of rank 3 or more that something slides over, with those axes whose length is fixed."""
    rows = []
    for name, type_ in basis.graph.inputs:
        axes = tuple(
            axis
            for axis, dim in enumerate(type_.shape or ())
            if (name, axis) in found.slid and isinstance(dim, int) and dim > 1
        )
        if axes and len(type_.shape or ()) > 2:
            rows.append((name, axes))
    return tuple(rows)
