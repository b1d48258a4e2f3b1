"""Op nodes that move axes, repeat, reorder or reshape."""

from __future__ import annotations

from collections.abc import Mapping

from archlint.formats.keras.builder import Val
from archlint.formats.keras.nodes.kept import same_shape
from archlint.formats.keras.nodes.operands import OpCall, OpTranslator, whole, wholes
from archlint.graph import Attr


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


def _listed(kind: str, attr: str, *names: str) -> OpTranslator:
    """An op with one setting that is a list of whole numbers."""

    def translator(op: OpCall) -> list[Val] | None:
        numbers = wholes(op.setting(1, *names))
        return None if numbers is None else op.node(kind, op.sources("x", "input")[:1], {attr: numbers})

    return translator


def _cast(op: OpCall) -> list[Val] | None:
    dtype = op.setting(1, "dtype")
    return op.node("Cast", op.sources("x")[:1], {"to": dtype}) if isinstance(dtype, str) else None


def _flat(op: OpCall) -> list[Val] | None:
    return op.node("Reshape", op.sources("x")[:1], {"shape": (-1,)})


def _repeat(op: OpCall) -> list[Val] | None:
    repeats, axis = whole(op.setting(1, "repeats")), whole(op.setting(2, "axis"))
    if repeats is None or axis is None:
        return None
    return op.node("Repeat", op.sources("x")[:1], {"repeats": repeats, "axis": axis})


def _roll(op: OpCall) -> list[Val] | None:
    shift, axis = wholes(op.setting(1, "shift")), op.setting(2, "axis")
    axes = () if axis is None else wholes(axis)
    if shift is None or axes is None:
        return None
    return op.node("Roll", op.sources("x")[:1], {"axes": axes, "shift": shift})


def _triangle(upper: int) -> OpTranslator:
    def translator(op: OpCall) -> list[Val] | None:
        if whole(op.setting(1, "k")) not in (None, 0):
            return same_shape(op)
        return op.node("Trilu", op.sources("x")[:1], {"upper": upper})

    return translator


def _one_hot(op: OpCall) -> list[Val] | None:
    depth, axis = whole(op.setting(1, "num_classes", "depth")), whole(op.setting(2, "axis"))
    if depth is None:
        return None
    attrs: dict[str, Attr] = {"depth": depth, "axis": -1 if axis is None else axis}
    return op.node("OneHot", op.sources("x", "indices")[:1], attrs)


def _filled_like(value: float) -> OpTranslator:
    """A tensor of the shape and type of another, filled with one number."""

    def translate(op: OpCall) -> list[Val]:
        source = op.sources("x")[:1]
        stated = op.setting(1, "dtype")
        dtype = stated if isinstance(stated, str) else op.call.tensor(source[0]).dtype if source else None
        shape = op.call.node("Shape", source, part="shape")
        return op.node("ConstantOfShape", shape, {"value": value, "dtype": dtype})

    return translate


SHAPES: Mapping[str, OpTranslator] = {
    "Array": lambda op: op.node("Identity", op.sources("x")[:1]),
    "BroadcastTo": _listed("Expand", "shape", "shape"),
    "Cast": _cast,
    "ConvertToTensor": lambda op: op.node("Identity", op.sources("x", "value")[:1]),
    "ExpandDims": _on_axes("Unsqueeze", every=False),
    "Flip": _on_axes("Flip", every=True),
    "Fliplr": lambda op: op.node("Flip", op.sources("x")[:1], {"axes": (1,)}),
    "Flipud": lambda op: op.node("Flip", op.sources("x")[:1], {"axes": (0,)}),
    "Moveaxis": _move,
    "OneHot": _one_hot,
    "OnesLike": _filled_like(1.0),
    "Ravel": _flat,
    "Repeat": _repeat,
    "Reshape": _reshape,
    "Roll": _roll,
    "SaturateCast": _cast,
    "Shape": lambda op: op.node("Shape", op.sources("input")[:1]),
    "Squeeze": _on_axes("Squeeze", every=True),
    "Swapaxes": _swap,
    "Tile": _listed("Tile", "repeats", "repeats", "multiples"),
    "Transpose": _transpose,
    "Tril": _triangle(0),
    "Triu": _triangle(1),
    "ZerosLike": _filled_like(0.0),
}
"""Class of ``keras.ops`` → translator."""
