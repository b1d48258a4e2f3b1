"""Selection: joining, splitting, slicing, padding, gathering and scattering."""

from __future__ import annotations

from collections.abc import Sequence

from archlint.graph import Dim, Node, Shape
from archlint.ops.base import (
    Op,
    Tensor,
    at,
    given,
    given_integers,
    integer,
    integers,
    table,
)
from archlint.ops.dims import agree, axes_of, axis_of, broadcast, plus, product, times
from archlint.ops.norm import keep


def _replaced(shape: Sequence[Dim], axis: int, dim: Dim) -> Shape:
    return (*shape[:axis], dim, *shape[axis + 1 :])


def _concat(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    dtype = at(ins, 0).dtype
    shapes = [tensor.shape for tensor in ins]
    first = shapes[0] if shapes else None
    axis = None if first is None else axis_of(integer(node, "axis"), len(first))
    if first is None or axis is None:
        return (Tensor(dtype),)
    joined: list[Dim] = list(first)
    for shape in shapes[1:]:
        if shape is None or len(shape) != len(first):
            return (Tensor(dtype),)
        for index, dim in enumerate(shape):
            joined[index] = plus(joined[index], dim) if index == axis else agree(joined[index], dim)
    return (Tensor(dtype, tuple(joined)),)


def _stack(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    first = at(ins, 0)
    axis = None if first.shape is None else axis_of(integer(node, "axis"), len(first.shape) + 1)
    if first.shape is None or axis is None:
        return (Tensor(first.dtype),)
    return (Tensor(first.dtype, (*first.shape[:axis], len(ins), *first.shape[axis:])),)


def _unstack(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source = at(ins, 0)
    axis = None if source.shape is None else axis_of(integer(node, "axis"), len(source.shape))
    shape = None if source.shape is None or axis is None else source.shape[:axis] + source.shape[axis + 1 :]
    return [Tensor(source.dtype, shape)] * len(node.outputs)


def _split(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source, count = at(ins, 0), len(node.outputs)
    axis = None if source.shape is None else axis_of(integer(node, "axis"), len(source.shape))
    if source.shape is None or axis is None or not count:
        return [Tensor(source.dtype)] * count
    parts: Sequence[Dim] | None = given(node, ins, "split", 1)
    if parts is not None and not parts:
        parts = _even(source.shape[axis], count)
    if parts is None or len(parts) != count:
        parts = (None,) * count
    return [Tensor(source.dtype, _replaced(source.shape, axis, part)) for part in parts]


def _even(length: Dim, count: int) -> Sequence[Dim]:
    """Equal parts, the last one smaller when they do not fit. Source: ONNX Split, ``num_outputs``."""
    if not isinstance(length, int):
        return (length,) if count == 1 else (None,) * count
    part = -(-length // count)
    return (*(part,) * (count - 1), length - part * (count - 1))


def slice_length(length: Dim, start: Dim, end: Dim, step: Dim) -> Dim:
    """Elements that a slice keeps, as Python and ONNX Slice count them; unknown when a bound is."""
    if not isinstance(step, int) or step == 0 or not isinstance(start, int) or not isinstance(end, int):
        return None
    if not isinstance(length, int):
        whole = (step == 1 and start == 0 and end >= 2**31 - 1) or (
            step == -1 and start in (-1, 2**31 - 1, 2**63 - 1) and end <= 1 - 2**31
        )
        return length if whole else None
    return len(range(*slice(start, _end(end, step), step).indices(length)))


def _end(end: int, step: int) -> int | None:
    # ONNX clamps a very negative end of a backward slice to "before the first element".
    return None if step < 0 and end <= 1 - 2**31 else end


def _slice(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source = at(ins, 0)
    if source.shape is None:
        return (Tensor(source.dtype),)
    rank = len(source.shape)
    starts, ends = given(node, ins, "starts", 1), given(node, ins, "ends", 2)
    stated, steps = given_integers(node, ins, "axes", 3), given(node, ins, "steps", 4)
    bounds = starts if starts is not None else ends
    if stated is not None and not stated:
        stated = None if bounds is None else tuple(range(len(bounds)))
    axes = axes_of(stated, rank)
    if axes is None:
        return (Tensor(source.dtype, (None,) * rank),)
    count = len(axes)
    unknown: tuple[Dim, ...] = (None,) * count
    strides = (1,) * count if steps is not None and not steps else steps
    shape: list[Dim] = list(source.shape)
    rows = [
        bound if bound is not None and len(bound) == count else unknown for bound in (starts, ends, strides)
    ]
    for axis, start, end, step in zip(axes, *rows, strict=True):
        shape[axis] = slice_length(source.shape[axis], start, end, step)
    return (Tensor(source.dtype, tuple(shape)),)


def _pad(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source = at(ins, 0)
    if source.shape is None:
        return (Tensor(source.dtype),)
    rank = len(source.shape)
    pairs, stated = _pad_pairs(node, ins), given_integers(node, ins, "axes", 3)
    axes = axes_of(stated, rank) if stated else tuple(range(rank))
    if pairs is None or axes is None or len(pairs) != len(axes):
        return (Tensor(source.dtype, (None,) * rank),)
    shape: list[Dim] = list(source.shape)
    for axis, (before, after) in zip(axes, pairs, strict=True):
        shape[axis] = plus(plus(shape[axis], before), after)
    return (Tensor(source.dtype, tuple(shape)),)


def _pad_pairs(node: Node, ins: Sequence[Tensor]) -> list[tuple[Dim, Dim]] | None:
    """(before, after) per axis, from the attribute or from ONNX's flat befores and afters."""
    if len(node.inputs) > 1 and node.inputs[1]:
        flat = given(node, ins, "pads", 1)
        if flat is None or len(flat) % 2:
            return None
        half = len(flat) // 2
        return list(zip(flat[:half], flat[half:], strict=True))
    stated = node.attrs.get("pads")
    if not isinstance(stated, tuple):
        return None
    pairs: list[tuple[Dim, Dim]] = []
    for pair in stated:
        if not isinstance(pair, tuple) or len(pair) != 2:
            return None
        before, after = pair
        pairs.append((before if isinstance(before, int) else None, after if isinstance(after, int) else None))
    return pairs


def _gather(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source, picked = at(ins, 0), at(ins, 1)
    axis = None if source.shape is None else axis_of(integer(node, "axis"), len(source.shape))
    if source.shape is None or axis is None or picked.shape is None:
        return (Tensor(source.dtype),)
    return (Tensor(source.dtype, source.shape[:axis] + picked.shape + source.shape[axis + 1 :]),)


def _gather_elements(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return (Tensor(at(ins, 0).dtype, at(ins, 1).shape),)


def _gather_nd(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """indices.shape[:-1] + data.shape[batch_dims + indices.shape[-1]:]."""
    source, picked, batch = at(ins, 0), at(ins, 1), integer(node, "batch_dims") or 0
    if source.shape is None or not picked.shape or not isinstance(picked.shape[-1], int):
        return (Tensor(source.dtype),)
    return (Tensor(source.dtype, picked.shape[:-1] + source.shape[batch + picked.shape[-1] :]),)


def _compress(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """As many entries of the axis as the condition has true ones; flat when there is no axis."""
    source = at(ins, 0)
    if integer(node, "axis") is None:
        return (Tensor(source.dtype, (None,)),)
    axis = None if source.shape is None else axis_of(integer(node, "axis"), len(source.shape))
    if source.shape is None or axis is None:
        return (Tensor(source.dtype),)
    return (Tensor(source.dtype, _replaced(source.shape, axis, None)),)


def _one_hot(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    indices, depth = at(ins, 0).shape, given(node, ins, "depth", 1)
    axis = None if indices is None else axis_of(integer(node, "axis"), len(indices) + 1)
    dtype = at(ins, 2).dtype
    if indices is None or axis is None:
        return (Tensor(dtype),)
    length: Dim = depth[0] if depth else None
    return (Tensor(dtype, (*indices[:axis], length, *indices[axis:])),)


def _where(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return (Tensor(at(ins, 1).dtype, broadcast([at(ins, index).shape for index in range(3)])),)


def _non_zero(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    shape = at(ins, 0).shape
    return (Tensor("int64", (None if shape is None else len(shape), None)),)


def _unique(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """Unique entries, first indices, inverse indices, counts."""
    source = at(ins, 0)
    shape: Shape = (None,)
    if integer(node, "axis") is not None:
        axis = None if source.shape is None else axis_of(integer(node, "axis"), len(source.shape))
        shape = None if source.shape is None or axis is None else _replaced(source.shape, axis, None)
    return (Tensor(source.dtype, shape), *[Tensor("int64", (None,))] * max(len(node.outputs) - 1, 0))


def _grid_sample(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """(N, C, output lengths of the grid…)."""
    source, grid = at(ins, 0), at(ins, 1)
    if source.shape is None or grid.shape is None or len(source.shape) < 2 or not grid.shape:
        return (Tensor(source.dtype),)
    return (Tensor(source.dtype, (*source.shape[:2], *grid.shape[1:-1])),)


def _affine_grid(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """(N, lengths…, number of spatial axes)."""
    lengths = given(node, ins, "size", 1)
    if lengths is None or len(lengths) < 3:
        return (Tensor(at(ins, 0).dtype),)
    return (Tensor(at(ins, 0).dtype, (lengths[0], *lengths[2:], len(lengths) - 2)),)


def _center_crop_pad(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source, lengths, stated = at(ins, 0), given(node, ins, "shape", 1), integers(node, "axes")
    if source.shape is None:
        return (Tensor(source.dtype),)
    rank = len(source.shape)
    axes = axes_of(stated, rank) if stated else tuple(range(rank))
    shape: list[Dim] = list(source.shape)
    for index, axis in enumerate(axes or ()):
        shape[axis] = lengths[index] if lengths is not None and len(lengths) > index else None
    return (Tensor(source.dtype, tuple(shape)),)


def _col2im(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """(N, C, image lengths…) of an input (N, C · prod(block), L)."""
    source, image = at(ins, 0), given(node, ins, "image_shape", 1)
    block = given_integers(node, ins, "block_shape", 2)
    if source.shape is None or len(source.shape) != 3 or image is None:
        return (Tensor(source.dtype),)
    channels, area = source.shape[1], product(block) if block else None
    split = isinstance(channels, int) and isinstance(area, int) and area > 0
    inner: Dim = channels // area if split and isinstance(channels, int) and isinstance(area, int) else None
    return (Tensor(source.dtype, (source.shape[0], inner, *image)),)


def _spread_rows(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """Keras ``repeat``: an axis grows by the number of repeats."""
    source, repeats = at(ins, 0), integer(node, "repeats")
    axis = None if source.shape is None else axis_of(integer(node, "axis"), len(source.shape))
    if source.shape is None or axis is None:
        return (Tensor(source.dtype),)
    return (Tensor(source.dtype, _replaced(source.shape, axis, times(source.shape[axis], repeats))),)


OPS = table(
    Op("Concat", _concat, {"axis": None}, traits=frozenset({"join"})),
    Op("Stack", _stack, {"axis": 0}, traits=frozenset({"join"})),
    Op("Unstack", _unstack, {"axis": 0}),
    Op("Split", _split, {"axis": 0, "split": (), "num_outputs": 0}),
    Op("Slice", _slice, {"starts": None, "ends": None, "axes": (), "steps": ()}),
    Op("Pad", _pad, {"pads": None, "mode": "constant", "value": 0.0, "axes": ()}),
    Op("Gather", _gather, {"axis": 0}),
    Op("GatherElements", _gather_elements, {"axis": 0}),
    Op("GatherND", _gather_nd, {"batch_dims": 0}),
    Op("Scatter", keep, {"axis": 0}),
    Op("ScatterElements", keep, {"axis": 0, "reduction": "none"}),
    Op("ScatterND", keep, {"reduction": "none"}),
    Op("TensorScatter", keep, {"axis": -2, "mode": "linear"}),
    Op("Compress", _compress, {"axis": None}),
    Op("OneHot", _one_hot, {"axis": -1, "depth": None}),
    Op("Where", _where),
    Op("NonZero", _non_zero),
    Op("Unique", _unique, {"axis": None, "sorted": 1}),
    Op("GridSample", _grid_sample, {"mode": "linear", "padding_mode": "zeros", "align_corners": 0}),
    Op("AffineGrid", _affine_grid, {"size": None, "align_corners": 0}),
    Op("CenterCropPad", _center_crop_pad, {"shape": None, "axes": ()}),
    Op(
        "Col2Im",
        _col2im,
        {"image_shape": None, "block_shape": None, "dilations": (), "pads": (), "strides": ()},
    ),
    Op("Trilu", keep, {"upper": 1}),
    Op("ReverseSequence", keep, {"batch_axis": 1, "time_axis": 0}),
    Op("Flip", keep, {"axes": ()}),
    Op("Roll", keep, {"axes": (), "shift": ()}),
    Op("Repeat", _spread_rows, {"repeats": None, "axis": None}),
)
