"""Windows that do not fit what reaches them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check, maps
from archlint.graph import Attr, Node
from archlint.ops import attr, has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts


@check(
    nodes={"node": "the window"},
    values={
        "map": "spatial lengths of the map that reaches it",
        "window": "pixels that the window spans, holes included",
        "room": "lengths of the map with its padding",
    },
)
def too_large(facts: Facts) -> Iterator[Match | Unsure]:
    """Windows that are larger than the map with its padding: nothing can come out of them."""
    for node in facts.graph.nodes:
        if not has_trait(node, "windowed") or node.op == "ConvTranspose" or attr(node, "time_distributed"):
            continue
        size, window, pads = maps.map_size(facts, node), maps.reach(facts, node), _pads(node)
        if size is None or window is None or pads is None or len(size) != len(window):
            continue
        if len(pads) != len(size):
            pads = (0,) * len(size) if not pads else (None,) * len(size)
        rows = list(zip(size, window, pads, strict=True))
        known = [(n, k, p) for n, k, p in rows if n is not None and k is not None and p is not None]
        if "ceil_mode" in node.attrs or not any(k > n + p for n, k, p in known):
            continue
        room = tuple(n + p for n, _, p in known) if len(known) == len(rows) else None
        yield Match({"node": node}, {"map": size, "window": window, "room": room})


def _pads(node: Node) -> tuple[int | None, ...] | None:
    """Padding per spatial axis, both ends together; () for none, None when it is made to fit or unknown."""
    padding = attr(node, "padding")
    if padding == "valid":
        return ()
    if not isinstance(padding, tuple):
        return None
    return tuple(_both(pair) for pair in padding)


def _both(pair: Attr) -> int | None:
    ends = pair if isinstance(pair, tuple) else ()
    known = [end for end in ends if isinstance(end, int)]
    return sum(known) if len(known) == len(ends) == 2 else None


@check(
    nodes={"pool": "the pool"},
    values={"window": "pixels that the window spans", "axes": "how many spatial axes it has"},
)
def pools_of_one_pixel(facts: Facts) -> Iterator[Match | Unsure]:
    """Pools with a window whose map is a single pixel already."""
    for pool in facts.graph.nodes:
        if pool.op not in ("MaxPool", "AveragePool") or attr(pool, "time_distributed"):
            continue
        size, window = maps.map_size(facts, pool), maps.reach(facts, pool)
        if size is None or window is None or set(size) != {1} or max(n or 0 for n in window) < 2:
            continue
        counted = pool.op == "AveragePool" and attr(pool, "count_include_pad")
        if attr(pool, "padding") == "valid" or counted:
            continue
        yield Match({"pool": pool}, {"window": window, "axes": len(size)})
