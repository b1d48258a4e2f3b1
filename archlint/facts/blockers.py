"""What keeps the size of an input from being dynamic: nodes that fail or change meaning at another size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from archlint.dataclass import dataclass
from archlint.facts.axes import NONE, Origin, Trace
from archlint.facts.basis import Basis
from archlint.facts.reshaping import pinned
from archlint.graph import Node
from archlint.ops import TABLE, attr, has_trait
from archlint.ops.dims import axes_of, axis_of

_MAKERS = frozenset({"Flatten", "Reshape", "Transpose"})


@dataclass(frozen=True, slots=True)
class Blocker:
    """A node that is tied to the size of an input.

    ``kind``: "features" (the count of features that its weights take), "reshape" (a target of numbers),
    "norm" (weights or statistics per position), "constant" (a tensor of fixed length is added, joined or
    multiplied along the axis), "split" (parts of stated lengths). ``maker`` is the Flatten, Reshape or
    Transpose that made positions into features, when there is one. ``origins`` are the (input, axis) pairs.
    """

    node: Node
    kind: str
    origins: tuple[Origin, ...]
    maker: Node | None = None


def spatial_blockers(
    basis: Basis, found: Trace, inputs: Sequence[tuple[str, tuple[int, ...]]]
) -> tuple[Blocker, ...]:
    """All blockers in graph order; empty when no map-like input has a fixed size."""
    wanted = frozenset((name, axis) for name, axes in inputs for axis in axes)
    if not wanted:
        return ()
    blockers = []
    for node in basis.graph.nodes:
        for kind, rule in _KINDS.items():
            origins = rule(basis, found, node) & wanted
            if origins:
                maker = _maker(basis, found, node, origins) if kind in ("features", "norm") else None
                blockers.append(Blocker(node, kind, tuple(sorted(origins)), maker))
                break
    return tuple(blockers)


def _maker(basis: Basis, found: Trace, node: Node, origins: frozenset[Origin]) -> Node | None:
    """The nearest node before that moved these axes into the features."""
    graph, value = basis.graph, node.inputs[0]
    for _ in graph.nodes:
        maker = graph.producers.get(value)
        if maker is None or not maker.inputs:
            return None
        if maker.op in _MAKERS:
            return maker
        if not any(origins & one for one in found.axes.get(maker.inputs[0]) or ()):
            return None
        value = maker.inputs[0]
    return None


def _first(found: Trace, node: Node) -> tuple[frozenset[Origin], ...]:
    return (found.axes.get(node.inputs[0]) if node.inputs else None) or ()


def _features(basis: Basis, found: Trace, node: Node) -> frozenset[Origin]:
    """What the axis holds that the node's weights are sized for."""
    axes = _first(found, node)
    if not axes or not has_trait(node, "learned") or has_trait(node, "norm") or has_trait(node, "activation"):
        return NONE
    if node.op == "Embedding":
        return NONE
    name = "channel_axis" if has_trait(node, "windowed") else "axis" if node.op == "Dense" else ""
    stated = attr(node, name) if name else -1
    offset = 1 if node.attrs.get("time_distributed") and isinstance(stated, int) and stated > 0 else 0
    place = axis_of(stated + offset, len(axes)) if isinstance(stated, int) else None
    return NONE if place is None else axes[place]


def _normed(basis: Basis, found: Trace, node: Node) -> frozenset[Origin]:
    """What the axes hold along which a norm or a PRelu has weights."""
    axes = _first(found, node)
    rank = len(axes)
    if node.op == "PRelu":
        alpha = node.param("alpha")
        sizes = alpha.shape if alpha is not None and alpha.shape is not None else ()
        sized = [rank - len(sizes) + place for place, dim in enumerate(sizes) if dim != 1]
        return NONE.union(*(axes[place] for place in sized if 0 <= place < rank))
    if not has_trait(node, "norm") or not has_trait(node, "learned"):
        return NONE
    stated = (
        node.attrs.get("axes", (-1,))
        if "channel_axis" not in TABLE[node.op].attrs
        else attr(node, "channel_axis")
    )
    whole = stated if isinstance(stated, tuple) else (stated,)
    places = axes_of([axis for axis in whole if isinstance(axis, int)], rank)
    return NONE.union(*(axes[place] for place in places or ()))


def _reshaped(basis: Basis, found: Trace, node: Node) -> frozenset[Origin]:
    """What a Reshape to numbers fixes; a computed target adapts."""
    if node.op != "Reshape" or not node.inputs or not node.outputs:
        return NONE
    stated: object = attr(node, "shape")
    if len(node.inputs) > 1 and node.inputs[1]:
        maker = basis.graph.producers.get(node.inputs[1])
        stated = basis.tensor(node.inputs[1]).value if maker is not None and maker.op == "Constant" else None
    if not isinstance(stated, tuple):
        return NONE
    shapes = (basis.tensor(node.inputs[0]).shape, basis.tensor(node.outputs[0]).shape)
    axes = _first(found, node)
    if shapes[0] is None or len(shapes[0]) != len(axes):
        return NONE
    return pinned(axes, *shapes, stated)


def _constants(basis: Basis, found: Trace, node: Node) -> frozenset[Origin]:
    """What an axis holds that meets a fixed length of another operand."""
    joins = node.op == "Concat"
    if not (joins or has_trait(node, "elementwise") or node.op == "Where") or len(node.inputs) < 2:
        return NONE
    shapes = [basis.tensor(value).shape for value in node.inputs]
    held = [found.axes.get(value) or () for value in node.inputs]
    rank = max((len(shape) for shape in shapes if shape is not None), default=0)
    own = attr(node, "axis") if joins else None
    skip = axis_of(own, rank) if isinstance(own, int) else None
    blocked = NONE
    for place in range(rank):
        if place == skip:
            continue
        fixed, moving = False, NONE
        for shape, axes in zip(shapes, held, strict=True):
            index = place - rank + len(shape or ())
            if shape is None or index < 0:
                continue
            origins = axes[index] if index < len(axes) else NONE
            dim = shape[index]
            fixed = fixed or (not origins and isinstance(dim, int) and dim > 1)
            moving = moving | origins
        if fixed:
            blocked = blocked | moving
    return blocked


def _split(basis: Basis, found: Trace, node: Node) -> frozenset[Origin]:
    """What an axis holds that is cut into parts of stated lengths."""
    axes = _first(found, node)
    stated = attr(node, "axis") if node.op == "Split" and attr(node, "split") else None
    place = axis_of(stated, len(axes)) if isinstance(stated, int) else None
    return NONE if place is None else axes[place]


_KINDS: Mapping[str, Callable[[Basis, Trace, Node], frozenset[Origin]]] = {
    "features": _features,
    "norm": _normed,
    "reshape": _reshaped,
    "constant": _constants,
    "split": _split,
}
