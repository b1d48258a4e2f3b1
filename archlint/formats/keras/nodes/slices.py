"""Op nodes that take parts of a tensor or put a margin around it."""

from __future__ import annotations

from collections.abc import Mapping

from archlint.formats.keras.builder import Val
from archlint.formats.keras.call import Arg
from archlint.formats.keras.nodes.operands import OpCall, OpTranslator, whole, wholes
from archlint.graph import Attr

END = 2**31 - 1
"""End of a slice that goes to the end of its axis, as ONNX exporters write it."""


def _get_item(op: OpCall) -> list[Val] | None:
    """``x[key]`` as Slice, then Squeeze, then Unsqueeze; None when an index is computed."""
    key = op.setting(1, "key", "slice_spec")
    items = _items(key)
    rank = op.rank()
    if items is None:
        return None
    if ... in items:
        at = items.index(...)
        used = sum(item is not None for item in items) - 1
        if rank is None or items.count(...) > 1 or used > rank:
            return None
        items[at : at + 1] = [slice(None)] * (rank - used)
    return _cut(op, items)


def _items(key: Arg) -> list[Arg] | None:
    """The indices, one per axis: whole numbers, slices, None for a new axis, or an ellipsis."""
    items = [_slice_of(item) for item in (key if isinstance(key, list) else [key])]
    for item in items:
        if isinstance(item, slice):
            if not all(end is None or whole(end) is not None for end in (item.start, item.stop, item.step)):
                return None
        elif item is not None and item is not ... and whole(item) is None:
            return None
    return items


def _slice_of(item: Arg) -> Arg:
    """A slice that Keras 2 writes as an object with start, stop and step."""
    if isinstance(item, dict) and set(item) == {"start", "stop", "step"}:
        return slice(item["start"], item["stop"], item["step"])
    return item


def _cut(op: OpCall, items: list[Arg]) -> list[Val]:
    starts, ends, steps, axes = [], [], [], []
    squeezed, added = [], []
    axis = place = 0
    for item in items:
        if item is None:
            added.append(place)
            place += 1
            continue
        if isinstance(item, slice):
            step = whole(item.step) or 1
            begin, end = whole(item.start), whole(item.stop)
            place += 1
        else:
            begin, step = whole(item), 1
            end = None if begin == -1 or begin is None else begin + 1
            squeezed.append(axis)
        if (begin, end, step) not in ((None, None, 1), (0, None, 1)):
            starts.append(begin if begin is not None else 0 if step > 0 else END)
            ends.append(end if end is not None else END if step > 0 else -END)
            steps.append(step)
            axes.append(axis)
        axis += 1
    attrs: dict[str, Attr] = {"starts": tuple(starts), "ends": tuple(ends), "axes": tuple(axes)}
    if any(step != 1 for step in steps):
        attrs["steps"] = tuple(steps)
    todo: list[tuple[str, dict[str, Attr]]] = [("Slice", attrs)] if axes else []
    todo += [("Squeeze", {"axes": tuple(squeezed)})] if squeezed else []
    todo += [("Unsqueeze", {"axes": tuple(added)})] if added else []
    return _chain(op, todo or [("Identity", {})])


def _chain(op: OpCall, todo: list[tuple[str, dict[str, Attr]]]) -> list[Val]:
    """Nodes one after the other; the last bears the name of the op node."""
    values = op.sources("x", "tensor")[:1]
    for index, (kind, attrs) in enumerate(todo):
        part = "" if index == len(todo) - 1 else kind.lower()
        values = op.call.node(kind, values, attrs, part=part)
    return values


def _pad(op: OpCall) -> list[Val] | None:
    widths = op.setting(1, "pad_width", "paddings")
    mode = op.setting(2, "mode")
    if not isinstance(widths, list):
        return None
    pairs = [wholes(item) for item in widths]
    pads = tuple((pair[0], pair[-1]) for pair in pairs if pair)
    if len(pads) != len(pairs):
        return None
    word = mode.lower() if isinstance(mode, str) else "constant"
    return op.node("Pad", op.sources("x", "tensor")[:1], {"pads": pads, "mode": word})


def _take(op: OpCall) -> list[Val] | None:
    source = op.value(op.operand(0, "x", "params"), "x")
    indices = op.value(op.operand(1, "indices"), "indices")
    axis = whole(op.settings.get("axis"))
    if source is None or indices is None or axis is None:
        return None
    return op.node("Gather", [source, indices], {"axis": axis})


def _take_along(op: OpCall) -> list[Val] | None:
    source, indices = op.value(op.operand(0, "x"), "x"), op.value(op.operand(1, "indices"), "indices")
    axis = whole(op.setting(2, "axis"))
    if source is None or indices is None or axis is None:
        return None
    return op.node("GatherElements", [source, indices], {"axis": axis})


def _window(op: OpCall) -> list[Val] | None:
    """Slice of keras.ops: where it starts and how long it is, per axis."""
    starts, lengths = wholes(op.operand(1, "start_indices")), wholes(op.setting(2, "shape"))
    if starts is None or lengths is None or len(starts) != len(lengths):
        return None
    ends = tuple(start + length for start, length in zip(starts, lengths, strict=True))
    attrs: dict[str, Attr] = {"starts": starts, "ends": ends, "axes": tuple(range(len(starts)))}
    return op.node("Slice", op.sources("inputs")[:1], attrs)


def _margins(op: OpCall, word: str) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """(top, bottom) and (left, right) of CropImages and PadImages, one of each told from the target size."""
    shape = op.shape()
    first = op.settings.get("data_format") == "channels_first"
    if shape is None or len(shape) not in (3, 4):
        return None
    height, width = shape[-2 if first else -3], shape[-1 if first else -2]
    found = []
    for before, after, target, size in (
        (f"top_{word}", f"bottom_{word}", "target_height", height),
        (f"left_{word}", f"right_{word}", "target_width", width),
    ):
        one, two, wanted = (whole(op.settings.get(key)) for key in (before, after, target))
        if isinstance(size, int) and wanted is not None:
            change = size - wanted if word == "cropping" else wanted - size
            one = change - two if one is None and two is not None else one
            two = change - one if two is None and one is not None else two
        if one is None or two is None or min(one, two) < 0:
            return None
        found.append((one, two))
    return found[0], found[1]


def _crop_images(op: OpCall) -> list[Val] | None:
    margins, rank = _margins(op, "cropping"), op.rank()
    if margins is None or rank is None:
        return None
    axis = rank - (2 if op.settings.get("data_format") == "channels_first" else 3)
    attrs: dict[str, Attr] = {
        "starts": tuple(before for before, _ in margins),
        "ends": tuple(-after if after else END for _, after in margins),
        "axes": (axis, axis + 1),
    }
    return op.node("Slice", op.sources("images")[:1], attrs)


def _pad_images(op: OpCall) -> list[Val] | None:
    margins, rank = _margins(op, "padding"), op.rank()
    if margins is None or rank is None:
        return None
    axis = rank - (2 if op.settings.get("data_format") == "channels_first" else 3)
    pads = [(0, 0)] * rank
    pads[axis], pads[axis + 1] = margins
    return op.node("Pad", op.sources("images")[:1], {"pads": tuple(pads)})


SLICES: Mapping[str, OpTranslator] = {
    "CropImages": _crop_images,
    "GetItem": _get_item,
    "Pad": _pad,
    "PadImages": _pad_images,
    "Slice": _window,
    "Take": _take,
    "TakeAlongAxis": _take_along,
}
"""Class of ``keras.ops`` → translator."""
