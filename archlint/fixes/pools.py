"""A pool whose window is the whole map is a global pool for one size only.

The mean, or the maximum, over a window that covers the map is that over the map; padding around it is in no
mean that does not count it, and in no maximum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from archlint.checks import maps
from archlint.fixes import PatchError, rewrite
from archlint.fixes.maps import only_reader
from archlint.fixes.stored import is_onnx
from archlint.graph import Attr, Edit, Node, Splice
from archlint.ops import attr, window_of
from archlint.ops.dims import pads_of, window_length

if TYPE_CHECKING:
    from archlint.facts import Facts

_GLOBAL = {"AveragePool": "GlobalAveragePool", "MaxPool": "GlobalMaxPool"}


@rewrite(nodes={"pool": "the pool"})
def whole_map(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """The global pool in its place; a Flatten right behind it, which only drops axes of one, goes along."""
    pool = nodes["pool"]
    if pool.op not in _GLOBAL or len(pool.outputs) != 1 or not _covers(facts, pool):
        raise PatchError(f"'{pool.name}' is not known to pool the whole map, and nothing else, once")
    if pool.attrs.get("time_distributed"):
        raise PatchError(f"'{pool.name}' is called step by step")
    axis = attr(pool, "channel_axis")
    attrs: dict[str, Attr] = {} if axis == -1 else {"channel_axis": axis}
    new = replace(pool, op=_GLOBAL[pool.op], attrs=attrs, origin=replace(pool.origin, native=""))
    drop = _dropped(facts, pool)
    if drop is None:
        kept = replace(new, attrs={**attrs, "keepdims": True})
        return (Splice(frozenset({pool.name}), (kept,)),)
    gone = frozenset({pool.name, drop.name})
    if is_onnx(facts.graph):
        return (Splice(gone, (replace(new, outputs=drop.outputs),)),)
    if drop.outputs[0] in facts.graph.outputs:
        named = replace(new, name=drop.name, outputs=drop.outputs, origin=replace(drop.origin, native=""))
        return (Splice(gone, (named,)),)
    return (Splice(gone, (new,), {drop.outputs[0]: pool.outputs[0]}),)


def _covers(facts: Facts, pool: Node) -> bool:
    """Whether the window stands at one place, holds the whole map there, and padding counts for nothing."""
    size = maps.map_size(facts, pool)
    window = None if size is None else window_of(pool, len(size))
    pads = None if size is None else pads_of(attr(pool, "padding"), len(size))
    if size is None or window is None or pads is None or any(hole != 1 for hole in window.dilations):
        return False
    padded = False
    for length, taps, stride, pad in zip(size, window.kernel, window.strides, pads, strict=True):
        if length is None or window_length(length, taps, stride, 1, pad) != 1:
            return False
        extra = max(taps - length, 0)
        words = {"valid": 0, "same": extra // 2, "same_lower": extra - extra // 2}
        before = words.get(pad, -1) if isinstance(pad, str) else pad[0]
        if not 0 <= before <= taps - length:
            return False
        padded = padded or taps != length
    counts = pool.op == "AveragePool" and bool(attr(pool, "count_include_pad"))
    return not (padded and counts) and not pool.attrs.get("ceil_mode")


def _dropped(facts: Facts, pool: Node) -> Node | None:
    """The only reader of a pool, if all that it does is to leave out the pooled axes."""
    node = only_reader(facts.graph, pool.outputs[0])
    if node is None or node.op not in ("Flatten", "Squeeze", "Reshape") or len(node.inputs) != 1:
        return None
    before, after = facts.in_shape(node), facts.out_shape(node)
    if before is None or after is None or len(after) != 2 or not isinstance(after[1], int):
        return None
    same = after[0] == before[0] and after[0] is not None
    channels = before[maps.channel_axis(pool, before) or 0]
    return node if same and after[1] == channels else None
