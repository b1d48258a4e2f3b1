"""Layout: ops that rename, reorder or rescale axes, and constants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from archlint.graph import Attr, Dim, Node, Shape
from archlint.ops.base import (
    Op,
    Settings,
    Tensor,
    at,
    flag,
    given,
    given_integers,
    integer,
    integers,
    table,
    word,
)
from archlint.ops.conv import spatial_axes
from archlint.ops.dims import axes_of, axis_of, broadcast, product, times
from archlint.ops.norm import keep


def _flatten(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source, axis = at(ins, 0), integer(node, "axis")
    if source.shape is None or axis is None:
        return (Tensor(source.dtype, (None, None)),)
    rank = len(source.shape)
    if not -rank <= axis <= max(rank, 1):
        return (Tensor(source.dtype),)
    axis = axis + rank if axis < 0 else axis
    return (Tensor(source.dtype, (product(source.shape[:axis]), product(source.shape[axis:]))),)


def reshaped(source: Shape, target: Sequence[Dim], allow_zero: bool = False) -> Shape:
    """Shape after Reshape: 0 copies the axis, −1 or one unknown takes what is left.

    Source: ONNX Reshape, https://onnx.ai/onnx/operators/onnx__Reshape.html. A symbol that stands on both
    sides cancels; what does not divide evenly is unknown.
    """
    shape: list[Dim] = []
    copied: set[int] = set()
    for axis, dim in enumerate(target):
        if dim == 0 and not allow_zero:
            inside = source is not None and axis < len(source)
            shape.append(source[axis] if source is not None and inside else None)
            copied.add(axis)
        else:
            shape.append(dim)
    holes = [axis for axis, dim in enumerate(target) if dim == -1]
    unknown = [axis for axis, dim in enumerate(shape) if dim is None and axis not in copied]
    if len(holes) + len(unknown) != 1 or source is None:
        return tuple(None if dim == -1 else dim for dim in shape)
    hole = (holes or unknown)[0]
    rest = [dim for axis, dim in enumerate(shape) if axis != hole and axis not in copied]
    left = [dim for axis, dim in enumerate(source) if axis not in copied]
    shape[hole] = _quotient(left, rest)
    return tuple(shape)


def _quotient(dividend: Sequence[Dim], divisor: Sequence[Dim]) -> Dim:
    if any(dim is None for dim in (*dividend, *divisor)):
        return None
    above = Counter(dim for dim in dividend if isinstance(dim, str))
    below = Counter(dim for dim in divisor if isinstance(dim, str))
    if below - above:
        return None
    total = product(dim for dim in dividend if isinstance(dim, int))
    share = product(dim for dim in divisor if isinstance(dim, int))
    if not isinstance(total, int) or not isinstance(share, int) or share < 1 or total % share:
        return None
    return product((total // share, *(above - below).elements()))


def _reshape(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source, target = at(ins, 0), given(node, ins, "shape", 1)
    if target is None:
        return (Tensor(source.dtype),)
    return (Tensor(source.dtype, reshaped(source.shape, target, flag(node, "allowzero"))),)


def _transpose(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source, perm = at(ins, 0), integers(node, "perm")
    if source.shape is None:
        return (Tensor(source.dtype),)
    rank = len(source.shape)
    order = axes_of(perm, rank) if perm else tuple(reversed(range(rank)))
    if order is None or sorted(order) != list(range(rank)):
        return (Tensor(source.dtype),)
    return (Tensor(source.dtype, tuple(source.shape[axis] for axis in order)),)


def _squeeze(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source, axes = at(ins, 0), given_integers(node, ins, "axes", 1)
    if source.shape is None or axes is None:
        return (Tensor(source.dtype),)
    dropped = axes_of(axes, len(source.shape))
    if not axes:
        if any(not isinstance(dim, int) for dim in source.shape):
            return (Tensor(source.dtype),)
        dropped = tuple(axis for axis, dim in enumerate(source.shape) if dim == 1)
    if dropped is None:
        return (Tensor(source.dtype),)
    shape = tuple(dim for axis, dim in enumerate(source.shape) if axis not in dropped)
    return (Tensor(source.dtype, shape),)


def _unsqueeze(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source, axes = at(ins, 0), given_integers(node, ins, "axes", 1)
    if source.shape is None or axes is None or len(axes) > 64:
        return (Tensor(source.dtype),)
    rank = len(source.shape) + len(axes)
    added = axes_of(axes, rank)
    if added is None or len(set(added)) != len(added):
        return (Tensor(source.dtype),)
    rest = iter(source.shape)
    return (Tensor(source.dtype, tuple(1 if axis in added else next(rest) for axis in range(rank))),)


def _expand(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source, target = at(ins, 0), given(node, ins, "shape", 1)
    if target is None:
        return (Tensor(source.dtype),)
    return (Tensor(source.dtype, broadcast((source.shape, target))),)


def _tile(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source, repeats = at(ins, 0), given(node, ins, "repeats", 1)
    if source.shape is None:
        return (Tensor(source.dtype),)
    if repeats is None or len(repeats) != len(source.shape):
        return (Tensor(source.dtype, (None,) * len(source.shape)),)
    pairs = zip(source.shape, repeats, strict=True)
    return (Tensor(source.dtype, tuple(times(dim, count) for dim, count in pairs)),)


def _repeat_vector(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source = at(ins, 0)
    if source.shape is None or len(source.shape) != 2:
        return (Tensor(source.dtype),)
    return (Tensor(source.dtype, (source.shape[0], integer(node, "n"), source.shape[1])),)


def _resize(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source = at(ins, 0)
    if source.shape is None:
        return (Tensor(source.dtype),)
    return (Tensor(source.dtype, _resized(node, ins, source.shape)),)


def _resized(node: Node, ins: Sequence[Tensor], source: tuple[Dim, ...]) -> Shape:
    rank = len(source)
    axes = _resized_axes(node, rank)
    sizes = _per_axis(node, ins, "sizes", 3)
    scales = _per_axis(node, ins, "scales", 1 if node.op == "Upsample" else 2)
    setting = sizes or scales
    if len(setting) == rank:
        axes = tuple(range(rank))
    shape: list[Dim] = [None if axis in axes else dim for axis, dim in enumerate(source)]
    if len(setting) != len(axes) or (
        sizes and word(node, "keep_aspect_ratio_policy") not in (None, "stretch")
    ):
        return tuple(shape)
    for axis, item in zip(axes, setting, strict=True):
        if sizes:
            shape[axis] = item if isinstance(item, int | str) else None
        else:
            shape[axis] = _scaled(source[axis], item)
    return tuple(shape)


def _resized_axes(node: Node, rank: int) -> tuple[int, ...]:
    """The stated axes; all of them when the sizes are computed; else the spatial ones."""
    stated = integers(node, "axes")
    if stated:
        return axes_of(stated, rank) or tuple(range(rank))
    if len(node.inputs) > 1:
        return tuple(range(rank))
    return spatial_axes(rank, integer(node, "channel_axis")) or tuple(range(rank))


def _per_axis(node: Node, ins: Sequence[Tensor], name: str, index: int) -> tuple[Attr, ...]:
    if index < len(node.inputs) and node.inputs[index]:
        return at(ins, index).value or ()
    stated = node.attrs.get(name)
    return stated if isinstance(stated, tuple) else ()


def _scaled(dim: Dim, scale: Attr) -> Dim:
    """floor(dim · scale). Source: ONNX Resize, output size from scales."""
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < 1e9:
        return None
    if isinstance(dim, int):
        return int(dim * scale)
    return dim if scale == 1 else None


def _blocks(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """Channels against space. Source: ONNX DepthToSpace and SpaceToDepth."""
    source, block = at(ins, 0), integer(node, "blocksize")
    channels = None if source.shape is None else axis_of(integer(node, "channel_axis"), len(source.shape))
    if source.shape is None or channels is None or not block or block < 1:
        return (Tensor(source.dtype),)
    to_space = node.op == "DepthToSpace"
    square = block ** (len(source.shape) - 2) if len(source.shape) < 6 else None
    shape: list[Dim] = list(source.shape)
    for axis in range(1, len(shape)):
        if axis == channels:
            shape[axis] = _ratio(shape[axis], square, down=to_space)
        else:
            shape[axis] = _ratio(shape[axis], block, down=not to_space)
    return (Tensor(source.dtype, tuple(shape)),)


def _ratio(dim: Dim, factor: int | None, down: bool) -> Dim:
    if factor is None or not isinstance(dim, int):
        return dim if factor == 1 else None
    return dim // factor if down else dim * factor


def _shape_of(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    shape = at(ins, 0).shape
    if shape is None:
        return (Tensor("int64", (None,)),)
    return (Tensor("int64", (len(shape[integer(node, "start") : integer(node, "end")]),)),)


def _size_of(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return (Tensor("int64", ()),)


def _constant(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    if not node.params:
        return (Tensor(),)
    param = node.params[0]
    return (Tensor(param.dtype, param.shape, param.value),)


def _identity(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """Every input passes to the output in its place."""
    return [at(ins, index) for index in range(max(len(node.outputs), 1))]


def _cast(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return (Tensor(word(node, "to"), at(ins, 0).shape),)


def _cast_like(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return (Tensor(at(ins, 1).dtype, at(ins, 0).shape),)


def _unknown(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return [Tensor() for _ in node.outputs]


_RESHAPING = frozenset({"reshaping"})
_TRANSPARENT = frozenset({"transparent"})
_RESIZE: Settings = {
    "scales": (),
    "sizes": (),
    "axes": (),
    "mode": "nearest",
    "channel_axis": -1,
    "keep_aspect_ratio_policy": "stretch",
    "coordinate_transformation_mode": "half_pixel",
}
_BLOCKS: Settings = {"blocksize": None, "mode": "DCR", "channel_axis": 1}
_RESAMPLING = frozenset({"resampling"})

OPS = table(
    Op("Flatten", _flatten, {"axis": 1, "channels_first": False}, traits=_RESHAPING),
    Op("Reshape", _reshape, {"shape": None, "allowzero": False}, traits=_RESHAPING),
    Op("Transpose", _transpose, {"perm": ()}, traits=_RESHAPING),
    Op("Squeeze", _squeeze, {"axes": ()}, traits=_RESHAPING),
    Op("Unsqueeze", _unsqueeze, {"axes": ()}, traits=_RESHAPING),
    Op("Expand", _expand, {"shape": None}, traits=_RESHAPING),
    Op("Tile", _tile, {"repeats": None}),
    Op("RepeatVector", _repeat_vector, {"n": None}),
    Op("Resize", _resize, _RESIZE, traits=_RESAMPLING),
    Op("Upsample", _resize, _RESIZE, traits=_RESAMPLING),
    Op("DepthToSpace", _blocks, _BLOCKS, traits=_RESAMPLING),
    Op("SpaceToDepth", _blocks, _BLOCKS, traits=_RESAMPLING),
    Op("Shape", _shape_of, {"start": 0, "end": None}),
    Op("Size", _size_of),
    Op("Constant", _constant, traits=frozenset({"constant"})),
    Op("Identity", _identity, traits=_TRANSPARENT),
    Op("Cast", _cast, {"to": None}, traits=frozenset({"cast"})),
    Op("CastLike", _cast_like, traits=frozenset({"cast"})),
    Op("BitCast", _cast, {"to": None}),
    Op("ActivityRegularization", keep, {"l1": 0.0, "l2": 0.0}, traits=_TRANSPARENT),
    Op("Unknown", _unknown, traits=frozenset({"unknown"})),
)
