"""The geometry of feature maps as rules ask for it: which axes are spatial, what windows span."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from archlint.graph import Dim, Node, Shape
from archlint.ops import attr, has_trait, window_of
from archlint.ops.dims import axis_of

if TYPE_CHECKING:
    from archlint.facts import Facts

Lengths = tuple[int | None, ...] | None
"""A length per axis, None where it is not known; None when not even the number of axes is known."""

_shared: WeakKeyDictionary[Facts, frozenset[str]] = WeakKeyDictionary()


def passes(node: Node) -> bool:
    """Whether a node hands its first input on: identity, cast, or a move of the channel axis."""
    if has_trait(node, "transparent") or has_trait(node, "cast"):
        return bool(node.inputs)
    return node.op == "Transpose" and is_layout_change(attr(node, "perm"))


def is_layout_change(perm: object) -> bool:
    """Whether an order of four or more axes only moves the channels to the front or to the end."""
    if not isinstance(perm, tuple) or len(perm) < 4:
        return False
    spatial = tuple(range(2, len(perm)))
    return perm in ((0, *spatial, 1), (0, len(perm) - 1, *range(1, len(perm) - 1)))


def keeps_values(node: Node) -> bool:
    """Whether a node is the identity at inference: what passes, and dropout or noise."""
    return passes(node) or (
        has_trait(node, "random") and not has_trait(node, "augmentation") and bool(node.inputs)
    )


def is_shared(facts: Facts, node: Node) -> bool:
    """Whether a param of the node serves another node as well."""
    if facts not in _shared:
        uses = Counter(name for one in facts.graph.nodes for name in {param.name for param in one.params})
        _shared[facts] = frozenset(name for name, count in uses.items() if count > 1)
    return any(param.name in _shared[facts] for param in node.params)


def reach(facts: Facts, node: Node) -> Lengths:
    """Pixels that a node's window spans per spatial axis, the holes of dilation included."""
    shape = facts.in_shape(node)
    window = None if shape is None else window_of(node, len(shape) - 2)
    if window is None:
        return None
    return tuple((k - 1) * d + 1 for k, d in zip(window.kernel, window.dilations, strict=True))


def steps(facts: Facts, node: Node) -> Lengths:
    """The strides of a window, one per spatial axis."""
    shape = facts.in_shape(node)
    window = None if shape is None else window_of(node, len(shape) - 2)
    return None if window is None else window.strides


def channel_axis(node: Node, shape: Shape) -> int | None:
    """The channel axis of a shape as a node counts it, from 0; the last one for nodes without a setting."""
    if shape is None:
        return None
    try:
        axis = attr(node, "channel_axis")
    except KeyError:
        axis = -1
    return axis_of(axis, len(shape)) if isinstance(axis, int) else None


def layout(facts: Facts, value: str) -> tuple[Shape, int] | None:
    """Shape and channel axis of the map that a value is, as the last op with a channel axis made it.

    Crosses what keeps every element in place. None when no such op stands before it.
    """
    while True:
        node = facts.graph.producers.get(value)
        if node is None:
            return None
        shape = facts.shape(node.outputs[0])
        if shape is not None and len(shape) >= 3 and (has_trait(node, "windowed") or node.op in _MAP_OPS):
            axis = channel_axis(node, shape)
            return None if axis is None else (shape, axis)
        if not node.inputs or not (
            has_trait(node, "elementwise") or has_trait(node, "activation") or keeps_values(node)
        ):
            return None
        value = next((one for one in node.inputs if one in facts.graph.producers and _is_map(facts, one)), "")


_MAP_OPS = frozenset(
    {"BatchNormalization", "GroupNormalization", "InstanceNormalization", "Resize", "SpatialDropout"}
)


def _is_map(facts: Facts, value: str) -> bool:
    shape = facts.shape(value)
    return shape is not None and len(shape) >= 3


def map_size(facts: Facts, node: Node) -> Lengths:
    """Spatial lengths of the map that a node reads; None when its input is no map."""
    found = _input_map(facts, node)
    if found is None:
        return None
    shape, axis = found
    return tuple(_number(dim) for at, dim in enumerate(shape or ()) if at not in (0, axis))


def map_channels(facts: Facts, node: Node) -> int | None:
    """Channels of the map that a node reads."""
    found = _input_map(facts, node)
    return None if found is None or found[0] is None else _number(found[0][found[1]])


def _input_map(facts: Facts, node: Node) -> tuple[Shape, int] | None:
    shape = facts.in_shape(node)
    if "channel_axis" in node.attrs or has_trait(node, "windowed") or has_trait(node, "global_pool"):
        axis = channel_axis(node, shape)
        return None if axis is None or shape is None or len(shape) < 3 else (shape, axis)
    return layout(facts, node.inputs[0]) if node.inputs else None


def in_channels(facts: Facts, node: Node) -> int | None:
    """Channels, or features, of a node's first input."""
    return _channels(node, facts.in_shape(node))


def out_channels(facts: Facts, node: Node) -> int | None:
    """Channels, or features, of a node's first output."""
    return _channels(node, facts.out_shape(node))


def _channels(node: Node, shape: Shape) -> int | None:
    axis = channel_axis(node, shape)
    return None if axis is None or shape is None else _number(shape[axis])


def _number(dim: Dim) -> int | None:
    return dim if isinstance(dim, int) else None
