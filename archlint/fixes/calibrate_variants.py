"""What can stand between a map and its dense layers: numbers per sample, and the nodes that make them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

from archlint.dataclass import dataclass
from archlint.fixes.calibrate_head import Head
from archlint.fixes.maps import FlatMap
from archlint.fixes.stored import Names, is_onnx
from archlint.graph import Array, Attr, Graph, Made, Node, Param

GRIDS = (2, 3, 4)
"""Cells along each axis of the map that are tried; a 7×7 map keeps a third of its places at 4."""

RANKS = (2, 4, 8, 16, 32, 64)
"""Widths of a low-rank dense layer that are tried."""


class Places:
    """The maps of some samples, from what Flatten made of them, (N, P·C)."""

    def __init__(self, source: FlatMap, flat: Array) -> None:
        self.source, self.flat = source, flat

    @cached_property
    def grid(self) -> Array:
        """(N, *spatial, C), a view where numpy can."""
        import numpy as np

        found: Array = np.moveaxis(self.source.kernel(self.flat.T), -1, 0)
        return found

    @property
    def rows(self) -> Array:
        """(N, P, C)."""
        return self.grid.reshape(len(self.flat), -1, self.source.channels)


def average(places: Places) -> Array:
    """(N, C): the mean over the map."""
    import numpy as np

    found: Array = places.rows.mean(axis=1, dtype=np.float64)
    return found


def average_and_maximum(places: Places) -> Array:
    """(N, 2·C): the mean over the map, then its largest numbers."""
    import numpy as np

    return np.concatenate([average(places), places.rows.max(axis=1)], axis=1)


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


def grid_means(places: Places, count: int) -> Array:
    """(N, *cells, C): the mean over each window of ``cells``."""
    import numpy as np

    found = places.grid
    for axis, (window, stride) in enumerate(cells(places.source, count), start=1):
        view = np.lib.stride_tricks.sliding_window_view(found, window, axis=axis)
        picked = np.take(view, range(0, view.shape[axis], stride), axis=axis)
        found = picked.mean(axis=-1, dtype=np.float64)
    return found


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

    def __init__(self, graph: Graph, names: Names, head: Head) -> None:
        self.onnx, self.names, self.head = is_onnx(graph), names, head
        self.moved: list[Node] = []
        self.value = head.source.value
        for node in head.source.moved:
            self.moved.append(replace(node, inputs=(self.value,)))
            self.value = node.outputs[0]

    @property
    def layout(self) -> dict[str, Attr]:
        """The channel axis, as attributes state it."""
        axis = self.head.source.channel_axis
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
        found = cells(self.head.source, count)
        strides = tuple(stride for _, stride in found)
        attrs: dict[str, Attr] = {"kernel": tuple(window for window, _ in found)}
        if set(strides) != {1}:
            attrs["strides"] = strides
        pool = replace(self._beside("AveragePool", "grid"), attrs={**attrs, **self.layout})
        return self._stem(pool, replace(self.head.start, inputs=pool.outputs))

    def grid_rows(self, kernel: Array, count: int) -> Array:
        """A kernel (cells·C, units) with its rows in the order in which the Flatten of a grid has them."""
        source, start = self.head.source, self.head.start
        rank = len(source.lengths) + 1
        order = (*range(2, rank), 1) if start.attrs.get("channels_first") else tuple(range(1, rank))
        mine = (*source.spatial, source.channel)
        lengths = [min(count, length) for length in source.window]
        parts = kernel.reshape(*lengths, source.channels, -1)
        found: Array = parts.transpose(*(mine.index(axis) for axis in order), len(mine))
        return found.reshape(kernel.shape)

    def weighted(self, weights: Array, like: Param) -> Stem:
        """A depthwise convolution over the full map, and the Flatten; ``weights`` of (P, C)."""
        source = self.head.source
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
        flat = replace(self.head.start, inputs=conv.outputs)
        return self._stem(conv, flat, tensors={kernel.name: stored(parts, kernel)})

    def narrow(self, kernel: Array, like: Param) -> Stem:
        """The Flatten as it is, and a dense layer of few units; nothing moves."""
        node = self.names.beside(self.head.start, "Dense", self.head.start.outputs, "narrow")
        param = self.names.param(node, "kernel", kernel.shape, like)
        attrs: dict[str, Attr] = {"units": kernel.shape[1], "use_bias": False}
        dense = replace(node, attrs=attrs, params=(param,))
        return Stem((dense,), {param.name: stored(kernel, param)}, dense.outputs[0], keeps_start=True)

    def whole(self) -> Stem:
        """Nothing but the Flatten as it is."""
        return Stem((), {}, self.head.start.outputs[0], keeps_start=True)

    def _instead(self, op: str, inputs: tuple[str, ...], attrs: Mapping[str, Attr]) -> Node:
        start = self.head.start
        return replace(start, op=op, inputs=inputs, attrs=attrs, origin=replace(start.origin, native=""))

    def _beside(self, op: str, role: str) -> Node:
        return self.names.beside(self.head.start, op, (self.value,), role)

    def _stem(self, *nodes: Node, tensors: Mapping[str, Made] | None = None) -> Stem:
        return Stem((*self.moved, *nodes), tensors or {}, nodes[-1].outputs[0])


def stored(values: Array, param: Param) -> Made:
    """Contents that are there already, in the type of the param."""
    import numpy as np

    found = np.ascontiguousarray(values, param.dtype)
    return Made((), lambda: found)
