"""What can stand in for a Flatten in front of dense layers: the nodes, and the tensors that they bring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from archlint.dataclass import dataclass
from archlint.fixes.maps import FlatMap
from archlint.fixes.stored import Names, is_onnx
from archlint.graph import Array, Attr, Graph, Made, Node, Param


def cells(source: FlatMap, count: int) -> tuple[tuple[int, int], ...]:
    """(window, stride) per spatial axis for ``count`` means along it, or for all that a shorter axis has.

    Pooling without padding gives ⌊(L − k)/s⌋ + 1 = count for s = ⌊L/count⌋ and k = L − (count − 1)·s; the
    windows overlap where the count does not divide the length.
    """
    found = []
    for length in source.window:
        number = min(count, length)
        stride = length // number
        found.append((length - (number - 1) * stride, stride))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Stem:
    """What takes the place of Flatten: nodes, new tensors, and the value that the dense layer reads.

    ``keeps_start``: the Flatten stays where it is, and the nodes read it.
    """

    nodes: tuple[Node, ...]
    tensors: Mapping[str, Made]
    value: str
    keeps_start: bool = False


class Nodes:
    """Makes the nodes that stand in for a Flatten; they read the map in front of transposes."""

    def __init__(self, graph: Graph, names: Names, start: Node, source: FlatMap) -> None:
        self.onnx, self.names, self.start, self.source = is_onnx(graph), names, start, source
        self.moved: list[Node] = []
        self.value = source.value
        for node in source.moved:
            self.moved.append(replace(node, inputs=(self.value,)))
            self.value = node.outputs[0]

    @property
    def layout(self) -> dict[str, Attr]:
        """The channel axis, as attributes state it."""
        axis = self.source.channel_axis
        return {} if axis == -1 else {"channel_axis": axis}

    def average(self) -> Stem:
        """One global average pool, under the name of the Flatten."""
        return self._stem(self._instead("GlobalAveragePool", (self.value,), self.layout))

    def average_and_maximum(self) -> Stem:
        """Both global pools, one behind the other."""
        pools = [
            replace(self._beside(op, role), attrs=self.layout)
            for op, role in (("GlobalAveragePool", "average"), ("GlobalMaxPool", "maximum"))
        ]
        values = tuple(pool.outputs[0] for pool in pools)
        joined = self._instead("Concat", values, {"axis": 1 if self.onnx else -1})
        return self._stem(*pools, joined)

    def grid(self, count: int) -> Stem:
        """An average pool that leaves a few cells, and the Flatten."""
        found = cells(self.source, count)
        strides = tuple(stride for _, stride in found)
        attrs: dict[str, Attr] = {"kernel": tuple(window for window, _ in found)}
        if set(strides) != {1}:
            attrs["strides"] = strides
        pool = replace(self._beside("AveragePool", "grid"), attrs={**attrs, **self.layout})
        return self._stem(pool, replace(self.start, inputs=pool.outputs))

    def grid_rows(self, kernel: Array, count: int) -> Array:
        """A kernel (cells·C, units) with its rows in the order in which the Flatten of a grid has them."""
        source, start = self.source, self.start
        rank = len(source.lengths) + 1
        order = (*range(2, rank), 1) if start.attrs.get("channels_first") else tuple(range(1, rank))
        mine = (*source.spatial, source.channel)
        lengths = [min(count, length) for length in source.window]
        parts = kernel.reshape(*lengths, source.channels, -1)
        found: Array = parts.transpose(*(mine.index(axis) for axis in order), len(mine))
        return found.reshape(kernel.shape)

    def weighted(self, weights: Array, like: Param) -> Stem:
        """A depthwise convolution over the full map, and the Flatten; ``weights`` of (P, C)."""
        source = self.source
        window, channels = source.window, source.channels
        parts = weights.reshape(*window, channels)
        if self.onnx:
            parts = parts.transpose(-1, *range(len(window)))[:, None]
        else:
            parts = parts[..., None] if len(window) < 3 else parts[..., None, :]
        node = self._beside("Conv", "weighting")
        kernel = self.names.param(node, "kernel", parts.shape, like)
        attrs: dict[str, Attr] = {
            "filters": channels,
            "kernel": window,
            "groups": channels,
            "use_bias": False,
        }
        conv = replace(node, attrs={**attrs, **self.layout}, params=(kernel,))
        flat = replace(self.start, inputs=conv.outputs)
        return self._stem(conv, flat, tensors={kernel.name: stored(parts, kernel)})

    def narrow(self, kernel: Array, like: Param) -> Stem:
        """The Flatten as it is, and a dense layer of few units; nothing moves."""
        node = self.names.beside(self.start, "Dense", self.start.outputs, "narrow")
        param = self.names.param(node, "kernel", kernel.shape, like)
        attrs: dict[str, Attr] = {"units": kernel.shape[1], "use_bias": False}
        dense = replace(node, attrs=attrs, params=(param,))
        return Stem((dense,), {param.name: stored(kernel, param)}, dense.outputs[0], keeps_start=True)

    def whole(self) -> Stem:
        """Nothing but the Flatten as it is."""
        return Stem((), {}, self.start.outputs[0], keeps_start=True)

    def _instead(self, op: str, inputs: tuple[str, ...], attrs: Mapping[str, Attr]) -> Node:
        start = self.start
        return replace(start, op=op, inputs=inputs, attrs=attrs, origin=replace(start.origin, native=""))

    def _beside(self, op: str, role: str) -> Node:
        return self.names.beside(self.start, op, (self.value,), role)

    def _stem(self, *nodes: Node, tensors: Mapping[str, Made] | None = None) -> Stem:
        return Stem((*self.moved, *nodes), tensors or {}, nodes[-1].outputs[0])


def stored(values: Array, param: Param) -> Made:
    """Contents that are there already, in the type of the param."""
    import numpy as np

    found = np.ascontiguousarray(values, param.dtype)
    return Made((), lambda: found)
