"""What a Flatten reads: the map behind converters' transposes, its channels, and the order of the vector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archlint.dataclass import dataclass
from archlint.errors import PatchError
from archlint.fixes.stored import is_onnx
from archlint.graph import Array, Graph, Node
from archlint.ops import attr, has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts


@dataclass(frozen=True, slots=True)
class FlatMap:
    """A map of shape (N, *lengths) whose elements a Flatten puts in a row.

    ``channel`` is its channel axis, ``order`` its axes in the order in which the vector runs through them
    (the last fastest). ``gone`` are transposes that stand between map and Flatten and are not needed when the
    map itself is read; ``moved`` are elementwise nodes there, which then work on the map.
    """

    value: str
    lengths: tuple[int, ...]
    channel: int
    order: tuple[int, ...]
    gone: tuple[Node, ...] = ()
    moved: tuple[Node, ...] = ()

    @property
    def spatial(self) -> tuple[int, ...]:
        """The axes that are neither batch nor channels."""
        return tuple(axis for axis in range(1, len(self.lengths) + 1) if axis != self.channel)

    @property
    def window(self) -> tuple[int, ...]:
        """Lengths of the spatial axes."""
        return tuple(self.lengths[axis - 1] for axis in self.spatial)

    @property
    def channels(self) -> int:
        """Length of the channel axis."""
        return self.lengths[self.channel - 1]

    @property
    def channel_axis(self) -> int:
        """The channel axis as nodes state it: -1 for the last."""
        return -1 if self.channel == len(self.lengths) else self.channel

    def kernel(self, rows: Array) -> Array:
        """(vector, units) → (*spatial, channels, units), without copying."""
        parts = rows.reshape(*(self.lengths[axis - 1] for axis in self.order), rows.shape[1])
        wanted = [self.order.index(axis) for axis in (*self.spatial, self.channel)]
        return parts.transpose(*wanted, len(self.order))


def only_reader(graph: Graph, value: str) -> Node | None:
    """The single node that reads a value; None when there are others or the value is an output."""
    readers = graph.consumers.get(value, ())
    return readers[0] if len(readers) == 1 and value not in graph.outputs else None


def acts_on_each(node: Node) -> bool:
    """Whether a node works on every element by itself, wherever it stands: activations, dropout, casts."""
    if len(node.inputs) != 1 or len(node.outputs) != 1 or node.params or node.attrs.get("time_distributed"):
        return False
    if has_trait(node, "random"):
        return not has_trait(node, "augmentation") and attr_or(node, "noise_shape") is None and _plain(node)
    each = has_trait(node, "elementwise") or has_trait(node, "transparent") or has_trait(node, "cast")
    return each and "axis" not in node.attrs


def _plain(node: Node) -> bool:
    """Whether noise falls on each element alone; SpatialDropout takes whole channels."""
    return node.op not in ("SpatialDropout", "ActivityRegularization")


def attr_or(node: Node, name: str) -> object:
    """An attribute, or None for an op that has none of that name."""
    try:
        return attr(node, name)
    except KeyError:
        return None


def flat_map(facts: Facts, flatten: Node) -> FlatMap:
    """The map that a Flatten reads, as near to the convolutions as transposes can be left out.

    Raises: PatchError: the Flatten is no plain one, or sizes or channels are not known.
    """
    shape = facts.in_shape(flatten)
    if flatten.op != "Flatten" or attr(flatten, "axis") != 1 or shape is None or len(shape) < 3:
        raise PatchError(f"'{flatten.name}' does not flatten all axes of a map behind the batch")
    lengths = tuple(dim for dim in shape[1:] if isinstance(dim, int))
    if len(lengths) < len(shape) - 1:
        raise PatchError(f"the size of the map that '{flatten.name}' reads is not known")
    rank = len(shape)
    order = tuple(range(1, rank))
    if attr(flatten, "channels_first"):
        order = (*range(2, rank), 1)
    here = FlatMap(flatten.inputs[0], lengths, _channel(facts, flatten, flatten.inputs[0]), order)
    found = _behind_transposes(facts, here)
    if is_onnx(facts.graph) or found.channel in (1, rank - 1):
        return found
    raise PatchError(f"the channels of the map that '{flatten.name}' reads stand at axis {found.channel}")


def _channel(facts: Facts, flatten: Node, value: str) -> int:
    """The one axis behind the batch whose length no image axis decides."""
    images = {(name, axis) for name, axes in facts.spatial_inputs for axis in axes}
    axes = facts.axes(value)
    if axes is None:
        raise PatchError(f"which axes of the map at '{flatten.name}' are spatial is not known")
    free = [axis for axis in range(1, len(axes)) if not axes[axis] & images]
    if len(free) != 1:
        raise PatchError(f"the map at '{flatten.name}' has {len(free)} axes that could hold its channels")
    return free[0]


def _behind_transposes(facts: Facts, here: FlatMap) -> FlatMap:
    """The map before transposes of which nothing but the Flatten makes use."""
    graph, value, order = facts.graph, here.value, here.order
    lengths, channel, best = here.lengths, here.channel, here
    gone: list[Node] = []
    moved: list[Node] = []
    while only_reader(graph, value) is not None:
        node = graph.producers.get(value)
        if node is None:
            break
        perm = attr(node, "perm") if node.op == "Transpose" else None
        if isinstance(perm, tuple) and perm[:1] == (0,) and len(perm) == len(lengths) + 1:
            axes = [axis for axis in perm if isinstance(axis, int)]
            lengths = tuple(lengths[axes.index(axis) - 1] for axis in range(1, len(axes)))
            order, channel = tuple(axes[axis] for axis in order), axes[channel]
            gone.append(node)
            value = node.inputs[0]
            if channel == 1 or (channel == len(axes) - 1 and not is_onnx(graph)):
                best = FlatMap(value, lengths, channel, order, tuple(gone), tuple(reversed(moved)))
        elif acts_on_each(node):
            moved.append(node)
            value = node.inputs[0]
        else:
            break
    return best
