"""Work that only moves elements: transposes that undo each other, padding that a window could do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check
from archlint.checks.maps import is_layout_change
from archlint.graph import Node
from archlint.ops import attr, has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts

_FARTHEST = 8
"""Elementwise nodes that may stand between two transposes; converters leave one to five."""

_NEVER_NEGATIVE = frozenset({"Relu", "Sigmoid", "HardSigmoid", "Softplus", "Softmax", "Abs", "Exp", "Square"})


@check(
    nodes={"second": "the transpose that undoes the first", "first": "the transpose that is undone"},
    values={"between": "elementwise nodes that stand between the two"},
)
def cancelling_transposes(facts: Facts) -> Iterator[Match | Unsure]:
    """Pairs of transposes that put every axis back, with nothing but elementwise work between them."""
    graph = facts.graph
    for second in graph.nodes:
        if second.op != "Transpose" or not second.inputs:
            continue
        between, node = 0, graph.producers.get(second.inputs[0])
        while node is not None and between < _FARTHEST and _is_free(facts, node):
            between, node = between + 1, graph.producers.get(node.inputs[0])
        if node is not None and node.op == "Transpose" and _undoes(node, second):
            alone = not between or _only(facts, node)
            if alone:
                yield Match({"second": second, "first": node}, {"between": between})


def _only(facts: Facts, node: Node) -> bool:
    value = node.outputs[0]
    return len(facts.graph.consumers.get(value, ())) == 1 and value not in facts.graph.outputs


def _is_free(facts: Facts, node: Node) -> bool:
    """Whether a node works element by element on its one input, so that the order of axes does not matter."""
    free = has_trait(node, "elementwise") or node.op == "Cast"
    return (
        free
        and len(node.inputs) == len(node.outputs) == 1
        and not node.params
        and "axis" not in node.attrs
        and _only(facts, node)
    )


def _undoes(first: Node, second: Node) -> bool:
    one, two = attr(first, "perm"), attr(second, "perm")
    if not isinstance(one, tuple) or not isinstance(two, tuple) or len(one) != len(two):
        return False
    moved = any(axis != at for at, axis in enumerate(one))
    places = [axis for axis in two if isinstance(axis, int) and 0 <= axis < len(one)]
    return moved and len(places) == len(two) and [one[axis] for axis in places] == list(range(len(one)))


@check(
    nodes={"node": "the first of them"},
    values={"count": "transposes that only move the channel axis", "nodes": "nodes of the model"},
)
def channel_transposes(facts: Facts) -> Iterator[Match | Unsure]:
    """All transposes that only move the channel axis, as one match; constants do not count as nodes."""
    found = [
        node for node in facts.graph.nodes if node.op == "Transpose" and is_layout_change(attr(node, "perm"))
    ]
    if found:
        nodes = sum(not has_trait(node, "constant") for node in facts.graph.nodes)
        yield Match({"node": found[0]}, {"count": len(found), "nodes": nodes})


@check(
    nodes={"pad": "the padding", "window": "the convolution or pooling that could do it"},
    values={"pads": "elements added, (before, after) per spatial axis"},
)
def separate_pads(facts: Facts) -> Iterator[Match | Unsure]:
    """Zeros put around a map for a window that could pad by itself and have the same result.

    A convolution adds nothing for zeros. A maximum ignores them where no element is negative. An average
    counts them only with ``count_include_pad``.
    """
    for window in facts.graph.nodes:
        if window.op not in ("Conv", "MaxPool", "AveragePool") or not window.inputs:
            continue
        moved, pad = _padded(facts, window)
        padding = attr(window, "padding")
        if pad is None or (isinstance(padding, str) and padding != "valid"):
            continue
        pads = _spatial_pads(window, pad, moved)
        if pads is None or not _neutral(facts, window, pad, pads):
            continue
        yield Match({"pad": pad, "window": window}, {"pads": pads})


def _padded(facts: Facts, window: Node) -> tuple[bool, Node | None]:
    """The Pad in front of a window, and whether a transpose that moves the channels stands between."""
    node = facts.graph.producers.get(window.inputs[0])
    moved = node is not None and node.op == "Transpose" and is_layout_change(attr(node, "perm"))
    if node is not None and node.inputs and moved and _only(facts, node):
        node = facts.graph.producers.get(node.inputs[0])
    alone = node is not None and node.op == "Pad" and len(node.inputs) == 1 and _only(facts, node)
    return moved, node if alone else None


def _spatial_pads(window: Node, pad: Node, moved: bool) -> tuple[tuple[int, int], ...] | None:
    """What is added per spatial axis; None unless it is zeros, and nothing is added or cut elsewhere."""
    stated, value = attr(pad, "pads"), attr(pad, "value")
    if attr(pad, "mode") != "constant" or value not in (0, None) or attr(pad, "axes"):
        return None
    pairs = [pair for pair in stated if isinstance(pair, tuple)] if isinstance(stated, tuple) else []
    whole = [(a, b) for a, b in pairs if isinstance(a, int) and isinstance(b, int) and a >= 0 and b >= 0]
    if len(whole) < 3 or len(whole) != len(stated if isinstance(stated, tuple) else ()):
        return None
    first = attr(window, "channel_axis") == 1
    channel = len(whole) - 1 if first == moved else 1
    if whole[0] != (0, 0) or whole[channel] != (0, 0):
        return None
    spatial = tuple(pair for at, pair in enumerate(whole) if at not in (0, channel))
    return spatial if any(pair != (0, 0) for pair in spatial) else None


def _neutral(facts: Facts, window: Node, pad: Node, pads: tuple[tuple[int, int], ...]) -> bool:
    """Whether the window's own padding would give the same."""
    if window.op == "Conv":
        return True
    if window.op == "AveragePool":
        return attr(window, "count_include_pad") is True
    kernel = attr(window, "kernel")
    source = facts.maker(pad.inputs[0])
    if source is None or source.op not in _NEVER_NEGATIVE or not isinstance(kernel, tuple):
        return False
    if source.op == "Relu" and attr(source, "negative_slope") != 0:
        return False
    if len(kernel) != len(pads):
        return False
    return all(isinstance(size, int) and max(pair) < size for size, pair in zip(kernel, pads, strict=True))
