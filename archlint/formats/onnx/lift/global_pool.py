"""Means and maxima over all spatial axes are global pooling; dropping the axes of length 1 is part of it.

before: ``ReduceMean(x) axes=(2,3) keepdims=false``; after: ``GlobalAveragePool(x) channel_axis=1``
before: ``Squeeze(GlobalAveragePool(x)) axes=(2,3)``, or Flatten, or Reshape to (N, C)
after: ``GlobalAveragePool(x)``

Of three axes only the middle one is taken for spatial: a mean over the last may be half of a layer norm.
"""

from __future__ import annotations

from dataclasses import replace

from archlint.formats.onnx.lift.bench import Bench
from archlint.formats.onnx.lift.reshape import is_flatten
from archlint.graph import Attr, Node

_POOLS = {"ReduceMean": "GlobalAveragePool", "ReduceMax": "GlobalMaxPool"}


def lift(bench: Bench) -> None:
    """Lifts reductions, then drops what only takes away the pooled axes."""
    for node in bench.nodes(*_POOLS):
        axis = _channel_axis(node.attrs.get("axes"), bench.rank(node.inputs[0]))
        if axis is not None and len(node.inputs) == 1:
            keep = bool(node.attrs.get("keepdims", True))
            attrs: dict[str, Attr] = {"channel_axis": axis, "keepdims": keep}
            bench.replace(node, replace(node, op=_POOLS[node.op], attrs=attrs))
    for node in bench.nodes("Squeeze", "Flatten", "Reshape"):
        pool = bench.only(node.inputs[0], *_POOLS.values())
        if pool is not None and pool.attrs.get("keepdims") and _drops_ones(bench, node, pool):
            attrs = {**pool.attrs, "keepdims": False}
            bench.replace(node, replace(pool, outputs=node.outputs, attrs=attrs))


def _channel_axis(axes: Attr, rank: int | None) -> int | None:
    if rank is None or rank < 3 or not isinstance(axes, tuple):
        return None
    found = tuple(sorted(axis % rank for axis in axes if isinstance(axis, int)))
    if found == tuple(range(1, rank - 1)):
        return -1
    return 1 if rank > 3 and found == tuple(range(2, rank)) else None


def _drops_ones(bench: Bench, node: Node, pool: Node) -> bool:
    shape = bench.shape(pool.outputs[0])
    if node.op == "Flatten":
        return node.attrs.get("axis", 1) == 1
    if node.op == "Squeeze":
        axes = node.attrs.get("axes")
        if len(node.inputs) > 1 or shape is None or not isinstance(axes, tuple):
            return False
        channels = 1 if pool.attrs.get("channel_axis") == 1 else len(shape) - 1
        dropped = sorted(axis % len(shape) for axis in axes if isinstance(axis, int))
        return dropped == [axis for axis in range(1, len(shape)) if axis != channels]
    target = bench.contents(node.inputs[1]) if len(node.inputs) > 1 else node.attrs.get("shape")
    plain = tuple(item for item in target if not isinstance(item, tuple)) if isinstance(target, tuple) else ()
    return is_flatten(shape, plain, bool(node.attrs.get("allowzero")))
