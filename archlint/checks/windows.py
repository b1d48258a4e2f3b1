"""Windows and the maps that they slide over: taps that only meet padding, maps that are used up too early."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, prod
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from archlint.checks import Match, Unsure, check, maps
from archlint.checks.orientation import swapped_images
from archlint.dataclass import dataclass
from archlint.graph import Node
from archlint.ops import attr, has_trait, window_of
from archlint.ops.dims import pads_of, window_length

if TYPE_CHECKING:
    from archlint.facts import Facts

LARGE_SHARE = 0.3
"""Part of the model's parameters from which ``wasted_layers`` speaks for taps too."""


@check(
    nodes={"conv": "the convolution"},
    values={
        "kernel": "its kernel",
        "live": "taps per axis that can meet a pixel",
        "map": "spatial lengths of the map that it reads",
        "lost": "parameters of taps that only ever meet padding",
    },
)
def dead_taps(facts: Facts) -> Iterator[Match | Unsure]:
    """Convolutions some of whose taps meet nothing but padding, wherever the window stands.

    None in a model that reads an image along the wrong axes: that one cause makes its maps small.
    """
    if any(isinstance(found, Match) for found in swapped_images(facts)):
        return
    wasted = _wasted(facts)
    quiet = {node.name for node, _ in _after_collapse(facts)}
    if wasted is not None and wasted.share >= LARGE_SHARE:
        quiet |= {node.name for node in wasted.nodes}
    for conv in facts.graph.nodes:
        if not _is_spatial(facts, conv) or conv.name in quiet:
            continue
        size, live = maps.map_size(facts, conv), _live_taps(facts, conv)
        kernel, held = conv.attrs.get("kernel"), conv.param("kernel")
        if live is None or not isinstance(kernel, tuple):
            yield Unsure(conv, "the size of the map or the window is unknown")
        elif live != kernel:
            weights = held.size if held is not None and held.size is not None else 0
            lost = weights - weights * prod(live) // max(1, prod(k for k in kernel if isinstance(k, int)))
            yield Match({"conv": conv}, {"kernel": kernel, "live": live, "map": size, "lost": lost})


def _is_spatial(facts: Facts, node: Node) -> bool:
    """Whether a node is a convolution with a window of more than one tap, not called step by step."""
    if node.op != "Conv" or not node.inputs or node.attrs.get("time_distributed"):
        return False
    reach = maps.reach(facts, node)
    return reach is not None and any(length is not None and length > 1 for length in reach)


def _live_taps(facts: Facts, conv: Node) -> tuple[int, ...] | None:
    """Taps per axis that meet a pixel for some position of the window."""
    size = maps.map_size(facts, conv)
    window = None if size is None else window_of(conv, len(size))
    pads = None if size is None else pads_of(attr(conv, "padding"), len(size))
    if size is None or window is None or pads is None or None in size:
        return None
    rows = zip(size, window.kernel, window.strides, window.dilations, pads, strict=True)
    found = [
        _live(length or 0, kernel, stride, dilation, pad) for length, kernel, stride, dilation, pad in rows
    ]
    known = tuple(count for count in found if count is not None)
    return known if len(known) == len(found) else None


def _live(length: int, kernel: int, stride: int, dilation: int, pad: str | tuple[int, int]) -> int | None:
    """How many taps of one axis read a pixel at some position.

    Tap t at position o reads o · stride + t · dilation − before (ONNX Conv, Keras padding words).
    """
    made = window_length(length, kernel, stride, dilation, pad)
    if not isinstance(made, int) or made < 1:
        return None
    reach = (kernel - 1) * dilation + 1
    extra = max((made - 1) * stride + reach - length, 0)
    words = {"valid": 0, "same": extra // 2, "same_lower": extra - extra // 2, "causal": reach - 1}
    before = words[pad] if isinstance(pad, str) else pad[0]
    live = 0
    for tap in range(kernel):
        offset = tap * dilation - before
        lowest, highest = max(0, -(offset // stride)), min(made - 1, (length - 1 - offset) // stride)
        live += lowest <= highest
    return live


@check(
    nodes={"conv": "the first convolution on the map of one pixel", "by": "the node that left one pixel"},
    values={"count": "how many windows still slide there", "before": "spatial lengths before that node"},
)
def collapsed_maps(facts: Facts) -> Iterator[Match | Unsure]:
    """The place from which two or more windows slide over a map that has shrunk to a single pixel."""
    late = _after_collapse(facts)
    if late:
        conv, by = late[0]
        values = {"count": len(late), "before": maps.map_size(facts, by)}
        yield Match({"conv": conv, "by": by}, values)


_late: WeakKeyDictionary[Facts, tuple[tuple[Node, Node], ...]] = WeakKeyDictionary()


def _after_collapse(facts: Facts) -> tuple[tuple[Node, Node], ...]:
    """Convolutions on a map of one pixel with the window that made it out of a larger map; two at least."""
    if facts not in _late:
        late: list[tuple[Node, Node]] = []
        by: dict[str, Node | None] = {}
        for node in facts.graph.nodes:
            before = by.get(node.inputs[0]) if node.inputs else None
            if before is not None and _is_spatial(facts, node):
                late.append((node, before))
            by.update(dict.fromkeys(node.outputs, _collapser(facts, node, before)))
        _late[facts] = tuple(late) if len(late) > 1 else ()
    return _late[facts]


def _collapser(facts: Facts, node: Node, before: Node | None) -> Node | None:
    """The window that left the one pixel of a node's output; None for larger maps and behind global pools."""
    if has_trait(node, "global_pool") or has_trait(node, "reduction"):
        return None
    if not has_trait(node, "windowed"):
        return before
    size, shape = maps.map_size(facts, node), facts.out_shape(node)
    axis = maps.channel_axis(node, shape)
    if size is None or shape is None or axis is None or len(size) < 2 or None in size:
        return None
    if any(length != 1 for at, length in enumerate(shape) if at not in (0, axis)):
        return None
    return before if set(size) == {1} else node


@dataclass(frozen=True, slots=True)
class _Wasted:
    nodes: tuple[Node, ...]
    total: int
    share: float
    seen: int
    size: tuple[int, ...]


@check(
    nodes={"conv": "the first such convolution"},
    values={
        "count": "convolutions that read a map whose every unit already sees the whole image",
        "total": "convolutions with a window",
        "share": "part of the model's parameters that they hold",
        "seen": "pixels that a unit of the first one's input sees at least, along any axis",
        "size": "spatial lengths of the image",
    },
)
def wasted_layers(facts: Facts) -> Iterator[Match | Unsure]:
    """The first window of a classifier whose input already sees more than the image, with the count of such.

    Source: the border layer of Richter et al. 2021, arXiv:2106.12307, over the smallest receptive field.
    Strided convolutions are left out: they shrink the map as well, which something has to do.
    """
    found = _wasted(facts)
    if found is not None and found.nodes:
        values = {"count": len(found.nodes), "total": found.total, "share": found.share}
        yield Match({"conv": found.nodes[0]}, {**values, "seen": found.seen, "size": found.size})


_found: WeakKeyDictionary[Facts, _Wasted | None] = WeakKeyDictionary()


def _wasted(facts: Facts) -> _Wasted | None:
    """What ``wasted_layers`` reports; None where maps are the output, or anything is not known."""
    if facts not in _found:
        _found[facts] = _find_wasted(facts)
    return _found[facts]


def _shrinks(conv: Node, rank: int) -> bool:
    """Whether a convolution moves by more than one pixel."""
    window = window_of(conv, rank)
    return window is not None and any(stride > 1 for stride in window.strides)


def _find_wasted(facts: Facts) -> _Wasted | None:
    convs = [node for node in facts.graph.nodes if _is_spatial(facts, node)]
    shapes = [facts.shape(value) for value in facts.graph.outputs]
    upsampled = any(has_trait(node, "resampling") or node.op == "ConvTranspose" for node in facts.graph.nodes)
    if not convs or upsampled or any(shape is None or len(shape) > 2 for shape in shapes):
        return None
    late: list[Node] = []
    seen, size = 0, tuple[int, ...]()
    for conv in convs:
        field = facts.receptive_field(conv.inputs[0])
        shape = facts.shape(field.input) if field is not None else None
        lengths = [shape[axis] for axis in field.axes] if field is not None and shape is not None else []
        known = tuple(length for length in lengths if isinstance(length, int))
        if field is None or len(known) < len(lengths) or len(known) < 2 or inf in field.smallest:
            return None
        if _shrinks(conv, len(known)):
            continue
        if all(pixels > length for pixels, length in zip(field.smallest, known, strict=True)):
            seen, size = (seen, size) if late else (int(min(field.smallest)), known)
            late.append(conv)
    held = [facts.params_of(conv) for conv in late]
    if None in held or not facts.params_exact:
        return None
    share = sum(count or 0 for count in held) / facts.params if facts.params else 0.0
    return _Wasted(tuple(late), len(convs), share, seen, size)
