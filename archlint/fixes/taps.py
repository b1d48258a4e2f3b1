"""Taps of a kernel that only ever meet padding are cut off.

Tap t of a window at place o reads pixel o·stride + t·dilation − before. The taps lo … hi for which that lies
on the map for some o are kept, ``K' = K[lo … hi]``, with ``before' = before − lo·dilation``: every product
that is left out has a zero of the padding in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from archlint.checks import maps
from archlint.dataclass import dataclass
from archlint.fixes import PatchError, rewrite
from archlint.fixes.stored import Names, is_onnx, kernel_of, rearranged
from archlint.graph import Array, Attr, Edit, Node, Splice
from archlint.ops import attr, window_of
from archlint.ops.dims import pads_of, window_length

if TYPE_CHECKING:
    from archlint.facts import Facts


@dataclass(frozen=True, slots=True)
class _Axis:
    """The taps of one axis that stay, and the padding that keeps every other product where it is."""

    low: int
    high: int
    before: int
    after: int


@rewrite(nodes={"conv": "the convolution"})
def crop(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """The same convolution with a kernel of the taps that meet pixels."""
    conv = nodes["conv"]
    kernel, bias = kernel_of(facts, conv)
    size = maps.map_size(facts, conv)
    window = None if size is None else window_of(conv, len(size))
    pads = None if size is None else pads_of(attr(conv, "padding"), len(size))
    if conv.op != "Conv" or size is None or window is None or pads is None or None in size:
        raise PatchError(f"the map or the window of '{conv.name}' is not known")
    rows = zip(size, window.kernel, window.strides, window.dilations, pads, strict=True)
    axes = [_axis(conv, length or 0, taps, step, hole, pad) for length, taps, step, hole, pad in rows]
    padding = _padding(conv, axes, is_onnx(facts.graph))
    live = tuple(axis.high - axis.low + 1 for axis in axes)
    if live == window.kernel:
        raise PatchError(f"every tap of '{conv.name}' meets a pixel")
    cut = tuple(slice(axis.low, axis.high + 1) for axis in axes)
    onnx = is_onnx(facts.graph)
    rest = kernel.shape or ()
    shape = (*rest[:2], *live) if onnx else (*live, *rest[len(live) :])
    new = Names(facts.graph).param(conv, "kernel", shape, kernel)

    def cropped(stored: Array) -> Array:
        return stored[(slice(None), slice(None), *cut) if onnx else cut]

    attrs = {**conv.attrs, "kernel": live, "padding": padding}
    if padding == "valid":
        del attrs["padding"]
    params = (new,) if bias is None else (new, bias)
    added = replace(conv, attrs=attrs, params=params)
    return (Splice(frozenset({conv.name}), (added,), tensors={new.name: rearranged(new, kernel, cropped)}),)


def _axis(
    conv: Node, length: int, taps: int, stride: int, dilation: int, pad: str | tuple[int, int]
) -> _Axis:
    made = window_length(length, taps, stride, dilation, pad)
    if not isinstance(made, int) or made < 1:
        raise PatchError(f"the length of what '{conv.name}' makes is not known")
    reach = (taps - 1) * dilation + 1
    extra = max((made - 1) * stride + reach - length, 0)
    words = {"valid": 0, "same": extra // 2, "same_lower": extra - extra // 2, "causal": reach - 1}
    before = words[pad] if isinstance(pad, str) else pad[0]
    live = [
        tap
        for tap in range(taps)
        if any(0 <= place * stride + tap * dilation - before < length for place in range(made))
    ]
    if not live or live != list(range(live[0], live[-1] + 1)):
        raise PatchError(f"the taps of '{conv.name}' that meet pixels do not lie next to each other")
    start = before - live[0] * dilation
    short = (live[-1] - live[0]) * dilation + 1
    end = (made - 1) * stride + short - length - start
    if start < 0 or (length + start + max(end, 0) - short) // stride + 1 != made:
        raise PatchError(f"'{conv.name}' would have to start behind the edge of its map")
    return _Axis(live[0], live[-1], start, max(end, 0))


def _padding(conv: Node, axes: list[_Axis], onnx: bool) -> Attr:
    pairs = tuple((axis.before, axis.after) for axis in axes)
    if not any(any(pair) for pair in pairs):
        return "valid"
    if onnx:
        return pairs
    if attr(conv, "padding") == "same" and _says_same(axes, conv):
        return "same"
    raise PatchError(f"Keras cannot say the padding {pairs} that '{conv.name}' would need")


def _says_same(axes: list[_Axis], conv: Node) -> bool:
    """Whether "same" gives the new window the same padding; with stride 1 it is shared out evenly."""
    steps, holes = attr(conv, "strides"), attr(conv, "dilations")
    ones = all(step == 1 for step in steps) if isinstance(steps, tuple) else False
    dilations = holes if isinstance(holes, tuple) and holes else (1,) * len(axes)
    for axis, hole in zip(axes, dilations, strict=True):
        extra = (axis.high - axis.low) * (hole if isinstance(hole, int) else 1)
        if (axis.before, axis.after) != (extra // 2, extra - extra // 2):
            return False
    return ones
