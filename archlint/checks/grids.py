"""Sampling grids: half-pixel shifts, holes between dilated taps, uneven overlaps, pools of raw pixels."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd, prod
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check, maps
from archlint.graph import Node
from archlint.ops import attr, has_trait, window_of
from archlint.ops.dims import pads_of

if TYPE_CHECKING:
    from archlint.facts import Facts

_MAX_STEPS = 64
"""Nodes between a transposed convolution and the image; generators seen have up to 12."""


@check(
    nodes={"conv": "the last of the convolutions"},
    values={"count": "how many of them shift", "shift": "pixels of the model's input that they add up to"},
)
def drifts(facts: Facts) -> Iterator[Match | Unsure]:
    """The convolution behind which the half-pixel shifts of two or more even kernels have added up most."""
    moved: dict[str, tuple[float, int]] = {}
    worst: tuple[float, int, Node] | None = None
    for node in facts.graph.nodes:
        shift, count = max(
            (moved.get(value, (0.0, 0)) for value in node.inputs),
            key=lambda row: abs(row[0]),
            default=(0.0, 0),
        )
        own = _half_shift(facts, node)
        field = facts.receptive_field(node.inputs[0]) if own else None
        if own and field is not None:
            shift, count = shift + own * max(field.jump), count + 1
            if count > 1 and (worst is None or abs(shift) > abs(worst[0])):
                worst = (shift, count, node)
        moved.update(dict.fromkeys(node.outputs, (shift, count)))
    if worst is not None and abs(worst[0]) >= 1 and not _only_pooled(facts, worst[2]):
        yield Match({"conv": worst[2]}, {"count": worst[1], "shift": abs(worst[0])})


def _only_pooled(facts: Facts, conv: Node) -> bool:
    """Whether every way from a convolution to an output leads through a global pool."""
    rest, seen = list(conv.outputs), set[str]()
    while rest:
        value = rest.pop()
        if value in facts.graph.outputs:
            return False
        users = [user for user in facts.users(value) if not has_trait(user, "global_pool")]
        users = [user for user in users if user.name not in seen]
        seen.update(user.name for user in users)
        rest.extend(made for user in users for made in user.outputs)
    return True


def _half_shift(facts: Facts, node: Node) -> float:
    """Half a pixel, with its direction, that a kernel of even length with padding moves its map; else 0."""
    if node.op != "Conv" or not node.inputs or node.attrs.get("time_distributed"):
        return 0.0
    shape = facts.in_shape(node)
    rank = 0 if shape is None else len(shape) - 2
    window, pads = window_of(node, rank), pads_of(attr(node, "padding"), rank)
    if rank < 1 or window is None or pads is None or set(window.strides) != {1}:
        return 0.0
    for kernel, dilation, pad in zip(window.kernel, window.dilations, pads, strict=True):
        reach = (kernel - 1) * dilation
        if reach % 2 and pad in ("same", "same_lower"):
            return 0.5 if pad == "same" else -0.5
        if reach % 2 and not isinstance(pad, str) and sum(pad) == reach and abs(pad[1] - pad[0]) == 1:
            return (pad[1] - pad[0]) / 2
    return 0.0


@check(
    nodes={"first": "the first dilated convolution of the row", "last": "the last of them"},
    values={
        "count": "how many follow each other",
        "rate": "what all their dilations are multiples of",
        "part": "one in how many pixels of what the first reads an output sees",
    },
)
def grid_holes(facts: Facts) -> Iterator[Match | Unsure]:
    """Rows of three or more dilated convolutions with a common factor that nothing before them fills."""
    runs: dict[str, tuple[int, int, Node]] = {}
    ends: dict[str, tuple[int, int, Node, Node]] = {}
    for node in facts.graph.nodes:
        run = max(
            (runs[value] for value in node.inputs if value in runs), key=lambda row: row[0], default=None
        )
        rate = _rate(facts, node)
        if rate is not None and rate > 1:
            run = (1, rate, node) if run is None else (run[0] + 1, gcd(run[1], rate), run[2])
        elif rate == 1 or not _passes(node):
            run = None
        if run is None:
            continue
        runs.update(dict.fromkeys(node.outputs, run))
        if run[0] > 2 and run[1] > 1 and rate is not None:
            ends[run[2].name] = (run[0], run[1], run[2], node)
    for count, rate, first, last in ends.values():
        field = facts.receptive_field(first.inputs[0])
        if field is None:
            yield Unsure(first, "what stands before the dilated convolutions is not known")
        elif all(seen / jump < rate for seen, jump in zip(field.largest, field.jump, strict=True)):
            part = rate ** len(field.axes)
            yield Match({"first": first, "last": last}, {"count": count, "rate": rate, "part": part})


def _rate(facts: Facts, node: Node) -> int | None:
    """The common factor of a convolution's dilations; None for what is no window of several taps."""
    shape = facts.in_shape(node)
    window = None if shape is None or node.op != "Conv" else window_of(node, len(shape) - 2)
    if window is None or prod(window.kernel) == 1:
        return None
    if set(window.strides) != {1}:
        return 1
    return gcd(
        *(dilation for kernel, dilation in zip(window.kernel, window.dilations, strict=True) if kernel > 1)
    )


def _passes(node: Node) -> bool:
    """Whether a node keeps every pixel where it is."""
    traits = ("activation", "elementwise", "norm", "random", "transparent", "cast", "join")
    return node.op == "Conv" or any(has_trait(node, trait) for trait in traits)


@check(
    nodes={"conv": "the transposed convolution"},
    values={
        "least": "windows that cover an output pixel at least, along the axis where this differs",
        "most": "windows that cover an output pixel at most",
        "kernel": "its kernel",
        "strides": "its strides",
        "image": "whether its output becomes an image with at most one more convolution",
    },
)
def uneven_overlaps(facts: Facts) -> Iterator[Match | Unsure]:
    """Transposed convolutions whose windows cover some output pixels more often than others."""
    for conv in facts.graph.nodes:
        shape = facts.in_shape(conv)
        window = None if shape is None or conv.op != "ConvTranspose" else window_of(conv, len(shape) - 2)
        if window is None or set(window.dilations) != {1}:
            continue
        uneven = [(k // s, -(-k // s)) for k, s in zip(window.kernel, window.strides, strict=True) if k % s]
        if uneven:
            least, most = min(uneven)
            image = _becomes_image(facts, conv)
            setting = {"kernel": window.kernel, "strides": window.strides}
            yield Match({"conv": conv}, {**setting, "least": least, "most": most, "image": image})


def _becomes_image(facts: Facts, conv: Node) -> bool:
    """Whether at most one convolution more stands between a node and an output of up to four channels."""
    value, windows = conv.outputs[0], 0
    for _ in range(_MAX_STEPS):
        if facts.reaches_output(value):
            break
        reader = facts.single_user(value)
        if reader is None or not reader.outputs:
            return False
        windows += reader.op == "Conv"
        plain = ("activation", "norm", "random", "windowed", "transparent", "cast", "elementwise")
        if windows > 1 or not any(has_trait(reader, trait) for trait in plain):
            return False
        conv, value = (reader if has_trait(reader, "windowed") else conv), reader.outputs[0]
    channels = maps.out_channels(facts, conv)
    return facts.reaches_output(value) and channels is not None and channels <= 4


@check(
    nodes={"pool": "the pool"},
    values={
        "input": "name of the input",
        "kept": "one in how many positions is left",
        "longest": "longest axis",
    },
)
def pooled_inputs(facts: Facts) -> Iterator[Match | Unsure]:
    """Pools that are all that reads an input, before anything is learned from it."""
    for name, type_ in facts.graph.inputs:
        value, pool = name, facts.single_user(name)
        while pool is not None and pool.op in ("Rescaling", "Normalization", "Cast") and pool.outputs:
            value = pool.outputs[0]
            pool = facts.single_user(value)
        if pool is None or pool.op not in ("MaxPool", "AveragePool"):
            continue
        steps = maps.steps(facts, pool)
        lengths = [dim for dim in (type_.shape or ())[1:] if isinstance(dim, int)]
        if steps is not None and None not in steps:
            kept = prod(step or 1 for step in steps)
            yield Match({"pool": pool}, {"input": name, "kept": kept, "longest": max(lengths, default=0)})


@check(nodes={"conv": "the convolution"}, values={"kernel": "its kernel", "steps": "its strides"})
def dense_windows(facts: Facts) -> Iterator[Match | Unsure]:
    """Convolutions of two or more spatial axes that mix all channels at every position of their window."""
    for conv in facts.graph.nodes:
        shape = facts.in_shape(conv)
        window = None if shape is None or conv.op != "Conv" else window_of(conv, len(shape) - 2)
        if window is not None and len(window.kernel) > 1 and attr(conv, "groups") == 1:
            yield Match({"conv": conv}, {"kernel": window.kernel, "steps": window.strides})
