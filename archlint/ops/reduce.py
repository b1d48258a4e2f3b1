"""Reductions over axes, and ordering."""

from __future__ import annotations

from collections.abc import Sequence

from archlint.graph import Node, Shape
from archlint.ops.base import Op, Settings, Tensor, at, flag, given, given_integers, integer, table
from archlint.ops.dims import axes_of, axis_of
from archlint.ops.norm import keep


def reduced(shape: Shape, axes: Sequence[int] | None, keepdims: bool) -> Shape:
    """Shape after a reduction over these axes."""
    if shape is None:
        return None
    gone = axes_of(axes, len(shape))
    if gone is None:
        return (None,) * len(shape) if keepdims else None
    if keepdims:
        return tuple(1 if axis in gone else dim for axis, dim in enumerate(shape))
    return tuple(dim for axis, dim in enumerate(shape) if axis not in gone)


def _reduce(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source = at(ins, 0)
    axes = given_integers(node, ins, "axes", 1)
    if axes is not None and not axes:
        if flag(node, "noop_with_empty_axes"):
            return (Tensor(source.dtype, source.shape),)
        if len(node.inputs) > 1:
            # Computed and empty: whether that means all or none depends on a setting of the file's op.
            return (Tensor(source.dtype),)
        axes = tuple(range(len(source.shape or ())))
    return (Tensor(source.dtype, reduced(source.shape, axes, flag(node, "keepdims"))),)


def _arg(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    axis = integer(node, "axis")
    axes = tuple(range(len(at(ins, 0).shape or ()))) if axis is None else (axis,)
    return (Tensor("int64", reduced(at(ins, 0).shape, axes, flag(node, "keepdims"))),)


def _top_k(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source, count = at(ins, 0), given(node, ins, "k", 1)
    axis = None if source.shape is None else axis_of(integer(node, "axis"), len(source.shape))
    if source.shape is None or axis is None:
        return (Tensor(source.dtype), Tensor("int64"))
    shape = (*source.shape[:axis], count[0] if count else None, *source.shape[axis + 1 :])
    return (Tensor(source.dtype, shape), Tensor("int64", shape))


def _non_max_suppression(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return (Tensor("int64", (None, 3)),)


def _positions(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return (Tensor("int64", at(ins, 0).shape),)


def _determinant(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    shape = at(ins, 0).shape
    return (Tensor(at(ins, 0).dtype, None if shape is None else shape[:-2]),)


_AXES: Settings = {"axes": (), "keepdims": True, "noop_with_empty_axes": False}
_NONLINEAR = "ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare"
_FOLD = frozenset({"reduction", "nonlinear"})

OPS = table(
    Op("ReduceMean", _reduce, _AXES, traits=frozenset({"reduction", "linear_map"})),
    Op("ReduceSum", _reduce, _AXES, traits=frozenset({"reduction", "linear_map"})),
    *(Op(name, _reduce, _AXES, traits=_FOLD) for name in (*_NONLINEAR.split(), "ReduceVar", "ReduceStd")),
    *(
        Op(name, _arg, {"axis": 0, "keepdims": True, "select_last_index": 0}, traits=_FOLD)
        for name in ("ArgMax", "ArgMin")
    ),
    Op("TopK", _top_k, {"k": None, "axis": -1, "largest": 1, "sorted": 1}, traits=frozenset({"nonlinear"})),
    Op("Sort", keep, {"axis": -1}, traits=frozenset({"nonlinear"})),
    Op("ArgSort", _positions, {"axis": -1}, traits=frozenset({"nonlinear"})),
    Op("NonMaxSuppression", _non_max_suppression, {"center_point_box": 0}, traits=frozenset({"nonlinear"})),
    Op("Det", _determinant, traits=frozenset({"nonlinear"})),
)
