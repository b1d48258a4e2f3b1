"""Windows that do not fit what reaches them."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check, maps
from archlint.dataclass import dataclass
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
    values={
        "map": "spatial lengths of the map that it reads",
        "window": "pixels that the window spans",
        "places": "how many places come out",
    },
)
def pools_over_all(facts: Facts) -> Iterator[Match | Unsure]:
    """Padded pools each of whose windows covers the whole map, wherever it stands."""
    for pool in facts.graph.nodes:
        if pool.op not in ("MaxPool", "AveragePool") or attr(pool, "time_distributed"):
            continue
        if pool.op == "AveragePool" and attr(pool, "count_include_pad"):
            continue
        axes = _windows(facts, pool)
        if axes and all(one.covers for one in axes) and any(one.window > one.length for one in axes):
            values: dict[str, Attr] = {
                "map": tuple(one.length for one in axes),
                "window": tuple(one.window for one in axes),
                "places": prod(one.count for one in axes),
            }
            yield Match({"pool": pool}, values)


@dataclass(frozen=True, slots=True)
class _Axis:
    """A window along one axis: map length, window, stride, padding in front, and number of windows."""

    length: int
    window: int
    step: int
    before: int
    count: int

    @property
    def covers(self) -> bool:
        """Whether the first window reaches the end of the map, and the last one begins before it."""
        return self.window - self.before >= self.length and (self.count - 1) * self.step <= self.before


def _windows(facts: Facts, pool: Node) -> list[_Axis]:
    """The pool's windows along each spatial axis; none when a length is unknown."""
    size, window, steps = maps.map_size(facts, pool), maps.reach(facts, pool), maps.steps(facts, pool)
    if not size or not window or not steps or not len(size) == len(window) == len(steps):
        return []
    found = []
    for place, row in enumerate(zip(size, window, steps, strict=True)):
        length, reach, step = row
        if length is None or reach is None or not step:
            return []
        found.append(_axis(attr(pool, "padding"), place, length, reach, step))
    return [one for one in found if one is not None] if None not in found else []


def _axis(padding: Attr, place: int, length: int, window: int, step: int) -> _Axis | None:
    """One axis of a padded pool; None without padding, or when the padding is unknown.

    Source: "same" has ceil(length / step) windows, the odd pixel of its padding at the end,
    https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2 ("same_lower": in front).
    """
    if padding in ("same", "same_lower"):
        count = -(-length // step)
        total = max((count - 1) * step + window - length, 0)
        return _Axis(length, window, step, total // 2 if padding == "same" else -(-total // 2), count)
    pair = padding[place] if isinstance(padding, tuple) and place < len(padding) else None
    both = _both(pair)
    if both is None or not isinstance(pair, tuple) or not isinstance(pair[0], int) or length + both < window:
        return None
    return _Axis(length, window, step, pair[0], (length + both - window) // step + 1)
