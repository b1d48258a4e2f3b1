"""Op nodes that move, cut, join or reshape, and those on images."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from archlint.formats.keras.builder import Val
from archlint.formats.keras.call import Arg, values_of
from archlint.formats.keras.operands import OpCall, OpTranslator, whole, wholes
from archlint.graph import Attr

END = 2**31 - 1
"""End of a slice that goes to the end of its axis, as ONNX exporters write it."""


def _reshape(op: OpCall) -> list[Val] | None:
    stated = op.setting(1, "newshape", "shape")
    if not isinstance(stated, list | tuple):
        return None
    # None stands for the batch axis, which stays as it is; a computed length is not known here.
    sizes = [-1 if item is None or isinstance(item, Val) else item for item in stated]
    whole_ones = wholes(sizes)
    if whole_ones is None or any(isinstance(item, Val) for item in stated[1:]):
        return None
    batch = (0,) if stated and (isinstance(stated[0], Val) or stated[0] is None) else whole_ones[:1]
    if batch == (-1,) and whole_ones[1:] and -1 not in whole_ones[1:] and _keeps_batch(op, whole_ones[1:]):
        batch = (0,)
    return op.node("Reshape", op.sources("x", "tensor")[:1], {"shape": (*batch, *whole_ones[1:])})


def _keeps_batch(op: OpCall, rest: tuple[int, ...]) -> bool:
    """Whether the axes after the batch hold as many elements before as after."""
    shape = op.shape()
    if shape is None:
        return False
    before, after = 1, 1
    for dim in shape[1:]:
        if not isinstance(dim, int):
            return False
        before *= dim
    for size in rest:
        after *= size
    return before == after


def _transpose(op: OpCall) -> list[Val] | None:
    stated = op.setting(1, "axes", "perm")
    perm = () if stated is None else wholes(stated)
    return None if perm is None else op.node("Transpose", op.sources("x", "a")[:1], {"perm": perm})


def _swap(op: OpCall) -> list[Val] | None:
    rank, one, two = op.rank(), whole(op.setting(1, "axis1")), whole(op.setting(2, "axis2"))
    if rank is None or one is None or two is None or not (-rank <= one < rank and -rank <= two < rank):
        return None
    perm = list(range(rank))
    perm[one], perm[two] = perm[two], perm[one]
    return op.node("Transpose", op.sources("x")[:1], {"perm": tuple(perm)})


def _move(op: OpCall) -> list[Val] | None:
    rank = op.rank()
    source, target = wholes(op.setting(1, "source")), wholes(op.setting(2, "destination"))
    if rank is None or source is None or target is None or len(source) != len(target):
        return None
    if not all(-rank <= axis < rank for axis in (*source, *target)):
        return None
    goes = dict(zip((axis % rank for axis in target), (axis % rank for axis in source), strict=True))
    rest = iter(axis for axis in range(rank) if axis not in goes.values())
    perm = tuple(goes[place] if place in goes else next(rest, 0) for place in range(rank))
    return op.node("Transpose", op.sources("x")[:1], {"perm": perm})


def _on_axes(kind: str, every: bool) -> OpTranslator:
    """Squeeze and Unsqueeze; ``every`` allows the axes to be left out."""

    def translator(op: OpCall) -> list[Val] | None:
        stated = op.setting(1, "axis")
        axes = () if stated is None and every else wholes(stated)
        return None if axes is None else op.node(kind, op.sources("x", "input")[:1], {"axes": axes})

    return translator


def _join(kind: str) -> OpTranslator:
    def translator(op: OpCall) -> list[Val] | None:
        axis = whole(op.setting(1, "axis"))
        rank = op.rank()
        given = op.operand(0, "xs", "values", "x")
        found = values_of(given)
        if isinstance(given, list) and len(found) != len(given):
            return None
        axis = (-1 if kind == "Concat" and op.name == "Concatenate" else 0) if axis is None else axis
        last = kind == "Concat" and rank is not None and axis == rank - 1
        return op.node(kind, found, {"axis": -1 if last else axis}) if found else None

    return translator


def _split(op: OpCall) -> list[Val] | None:
    parts = op.setting(1, "indices_or_sections", "num_or_size_splits")
    axis = whole(op.setting(2, "axis")) or 0
    source = op.sources("x", "value")[:1]
    if isinstance(parts, int) and not isinstance(parts, bool) and 0 < parts <= 1000:
        return op.node("Split", source, {"axis": axis, "num_outputs": parts}, outputs=parts)
    cuts, shape = wholes(parts), op.shape()
    if cuts is None or shape is None or len(cuts) > 1000 or not -len(shape) <= axis < len(shape):
        return None
    length = shape[axis]
    if op.call.layer.cls == "TFOpLambda":
        sizes = cuts
    elif isinstance(length, int):
        bounds = [0, *cuts, length]
        sizes = tuple(after - before for before, after in pairwise(bounds))
    else:
        return None
    return op.node("Split", source, {"axis": axis, "split": sizes}, outputs=len(sizes))


def _unstack(op: OpCall) -> list[Val] | None:
    axis, shape, stated = whole(op.setting(2, "axis")) or 0, op.shape(), whole(op.setting(1, "num"))
    count = shape[axis] if stated is None and shape and -len(shape) <= axis < len(shape) else stated
    if not isinstance(count, int) or not 0 < count <= 1000:
        return None
    return op.node("Unstack", op.sources("x", "value")[:1], {"axis": axis}, outputs=count)


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


def _listed(kind: str, attr: str, *names: str) -> OpTranslator:
    """An op with one setting that is a list of whole numbers."""

    def translator(op: OpCall) -> list[Val] | None:
        numbers = wholes(op.setting(1, *names))
        return None if numbers is None else op.node(kind, op.sources("x", "input")[:1], {attr: numbers})

    return translator


def _cast(op: OpCall) -> list[Val] | None:
    dtype = op.setting(1, "dtype")
    return op.node("Cast", op.sources("x")[:1], {"to": dtype}) if isinstance(dtype, str) else None


def _take(op: OpCall) -> list[Val] | None:
    source = op.value(op.operand(0, "x", "params"), "x")
    indices = op.value(op.operand(1, "indices"), "indices")
    axis = whole(op.settings.get("axis"))
    if source is None or indices is None or axis is None:
        return None
    return op.node("Gather", [source, indices], {"axis": axis})


def _flat(op: OpCall) -> list[Val] | None:
    return op.node("Reshape", op.sources("x")[:1], {"shape": (-1,)})


def _resize(op: OpCall) -> list[Val] | None:
    size = wholes(op.setting(1, "size"))
    layout, mode = op.settings.get("data_format"), op.settings.get("interpolation", op.settings.get("method"))
    if size is None or len(size) != 2:
        return None
    channel_axis = 1 if layout == "channels_first" else -1
    word = mode if isinstance(mode, str) else "bilinear"
    attrs: dict[str, Attr] = {"sizes": size, "mode": word, "channel_axis": channel_axis}
    return op.node("Resize", op.sources("images", "image")[:1], attrs)


def _pool(kind: str) -> OpTranslator:
    def translator(op: OpCall) -> list[Val] | None:
        rank = op.rank()
        if rank is None or rank < 3:
            return None
        kernel = _spread(op.setting(1, "pool_size"), rank - 2)
        strides = _spread(op.setting(2, "strides"), rank - 2) or kernel
        padding = op.setting(3, "padding")
        if kernel is None or strides is None:
            return None
        first = op.settings.get("data_format") == "channels_first"
        attrs: dict[str, Attr] = {
            "kernel": kernel,
            "strides": strides if set(strides) != {1} else (),
            "padding": padding if isinstance(padding, str) else "valid",
            "channel_axis": 1 if first else -1,
        }
        return op.node(kind, op.sources("inputs")[:1], attrs)

    return translator


def _spread(arg: Arg, count: int) -> tuple[int, ...] | None:
    numbers = wholes(arg)
    return None if numbers is None else numbers * count if len(numbers) == 1 else numbers


def _one_hot(op: OpCall) -> list[Val] | None:
    depth, axis = whole(op.setting(1, "num_classes", "depth")), whole(op.setting(2, "axis"))
    if depth is None:
        return None
    attrs: dict[str, Attr] = {"depth": depth, "axis": -1 if axis is None else axis}
    return op.node("OneHot", op.sources("x", "indices")[:1], attrs)


def _blocks(kind: str) -> OpTranslator:
    def translator(op: OpCall) -> list[Val] | None:
        size = whole(op.setting(1, "block_size"))
        first = op.settings.get("data_format") == "channels_first"
        attrs: dict[str, Attr] = {"blocksize": size, "channel_axis": 1 if first else -1}
        return None if size is None else op.node(kind, op.sources("x")[:1], attrs)

    return translator


SHAPES: Mapping[str, OpTranslator] = {
    "AveragePool": _pool("AveragePool"),
    "BroadcastTo": _listed("Expand", "shape", "shape"),
    "Cast": _cast,
    "Concatenate": _join("Concat"),
    "DepthToSpace": _blocks("DepthToSpace"),
    "ExpandDims": _on_axes("Unsqueeze", every=False),
    "Flip": _on_axes("Flip", every=True),
    "GetItem": _get_item,
    "MaxPool": _pool("MaxPool"),
    "Moveaxis": _move,
    "OneHot": _one_hot,
    "Pad": _pad,
    "Ravel": _flat,
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": lambda op: op.node("Shape", op.sources("input")[:1]),
    "SpaceToDepth": _blocks("SpaceToDepth"),
    "Split": _split,
    "Squeeze": _on_axes("Squeeze", every=True),
    "Stack": _join("Stack"),
    "Swapaxes": _swap,
    "Take": _take,
    "Tile": _listed("Tile", "repeats", "repeats", "multiples"),
    "Transpose": _transpose,
    "Unstack": _unstack,
}
"""Class of ``keras.ops`` → translator."""
