"""Inputs that only set something become attributes, when their contents are known.

before: ``ReduceMean(x, [2, 3])``; after: ``ReduceMean(x) axes=(2,3)``
"""

from __future__ import annotations

from dataclasses import replace

from archlint.formats.onnx.lift.bench import Bench, Values
from archlint.formats.onnx.normal import row_of
from archlint.graph import Attr, Node


def lift(bench: Bench) -> None:
    """Turns the setting inputs of every node into attributes; all of a node's, or none."""
    for node in bench.nodes():
        if node.op == "Resize":
            _resize(bench, node)
            continue
        settings = row_of(node.origin.native).settings if node.op != "Unknown" else ()
        if len(node.inputs) > 1 and settings:
            _settle(bench, node, settings)


def _settle(bench: Bench, node: Node, settings: tuple[tuple[int, str, str], ...]) -> None:
    attrs = dict(node.attrs)
    inputs = list(node.inputs)
    for index, name, kind in settings:
        if index >= len(inputs) or not inputs[index]:
            continue
        value = _read(bench.contents(inputs[index]), kind)
        if value is None:
            return
        attrs[name] = _pairs(value) if name == "pads" else value
        inputs[index] = ""
    while inputs and not inputs[-1]:
        inputs.pop()
    bench.replace(node, replace(node, inputs=tuple(inputs), attrs=attrs))


def _read(contents: Values | None, kind: str) -> Attr:
    if contents is None or any(item is None or isinstance(item, str) for item in contents):
        return None
    if kind == "ints":
        return tuple(item for item in contents if isinstance(item, int))
    if len(contents) != 1:
        return None
    return bool(contents[0]) if kind == "flag" else contents[0]


def _pairs(flat: Attr) -> Attr:
    items = flat if isinstance(flat, tuple) else ()
    half = len(items) // 2
    return tuple(zip(items[:half], items[half:], strict=False))


def _resize(bench: Bench, node: Node) -> None:
    """Scales or sizes of all axes, of which batch and channels must stay as they are."""
    if len(node.inputs) < 2:
        return
    at_scales = 1 if len(node.inputs) == 2 else 2
    for index, name in ((at_scales, "scales"), (3, "sizes")):
        value = node.inputs[index] if index < len(node.inputs) else ""
        contents = bench.contents(value) if value else None
        if not contents:
            continue
        spatial, channel_axis = _spatial(bench, node, contents, name)
        if spatial is None:
            return
        attrs = {key: item for key, item in node.attrs.items() if key != "axes"}
        attrs.update({name: spatial, "channel_axis": channel_axis})
        bench.replace(node, replace(node, inputs=node.inputs[:1], attrs=attrs))
        return


def _spatial(bench: Bench, node: Node, contents: Values, name: str) -> tuple[Attr, int]:
    axes = node.attrs.get("axes")
    if isinstance(axes, tuple):
        return (contents, 1) if axes == tuple(range(2, 2 + len(axes))) and _numbers(contents) else (None, 1)
    shape = bench.shape(node.inputs[0])
    same = [1.0] * len(contents) if name == "scales" else list(shape or ())
    if len(same) == len(contents) > 2 and _numbers(contents[1:]):
        if contents[1] == same[1]:
            return (contents[2:], 1) if _numbers(contents[2:]) else (None, 1)
        if contents[-1] == same[-1]:
            return contents[1:-1], -1
    return None, 1


def _numbers(contents: Values) -> bool:
    return all(isinstance(item, int | float) for item in contents)
