"""Op nodes that make one number of many along axes."""

from __future__ import annotations

from collections.abc import Mapping

from archlint.formats.keras.builder import Val
from archlint.formats.keras.nodes.operands import OpCall, OpTranslator, whole, wholes
from archlint.graph import Attr

REDUCTIONS: Mapping[str, str] = {
    "All": "ReduceMin",
    "Amax": "ReduceMax",
    "Amin": "ReduceMin",
    "Any": "ReduceMax",
    "Logsumexp": "ReduceLogSumExp",
    "Max": "ReduceMax",
    "Mean": "ReduceMean",
    "Min": "ReduceMin",
    "Prod": "ReduceProd",
    "Std": "ReduceStd",
    "Sum": "ReduceSum",
    "Var": "ReduceVar",
}


def _reduction(kind: str) -> OpTranslator:
    def translator(op: OpCall) -> list[Val] | None:
        stated = op.setting(1, "axis")
        axes = () if stated is None else wholes(stated)
        if axes is None:
            return None
        attrs: dict[str, Attr] = {"axes": axes, "keepdims": op.setting(2, "keepdims") is True}
        rank, keep = op.rank(), attrs["keepdims"]
        if kind in _GLOBAL and rank is not None and rank > 3 and all(-rank <= axis < rank for axis in axes):
            over = sorted(axis % rank for axis in axes)
            for channel_axis, spatial in ((-1, range(1, rank - 1)), (1, range(2, rank))):
                if over == list(spatial):
                    return op.node(
                        _GLOBAL[kind], op.sources("x"), {"channel_axis": channel_axis, "keepdims": keep}
                    )
        return op.node(kind, op.sources("x", "input_tensor")[:1], attrs)

    return translator


_GLOBAL = {"ReduceMean": "GlobalAveragePool", "ReduceMax": "GlobalMaxPool"}
"""A mean over all spatial axes of a map is global pooling."""


def _arg(kind: str) -> OpTranslator:
    def translator(op: OpCall) -> list[Val] | None:
        axis = whole(op.setting(1, "axis"))
        if axis is None:
            return None
        return op.node(kind, op.sources("x"), {"axis": axis, "keepdims": op.setting(2, "keepdims") is True})

    return translator


def _average(op: OpCall) -> list[Val] | None:
    """Average without weights is a mean."""
    return None if op.operand(1, "weights") is not None else _reduction("ReduceMean")(op)


def _norm(op: OpCall) -> list[Val] | None:
    """Norm of vectors: the root of the sum of squares, or the sum of magnitudes."""
    order, axes = op.setting(1, "ord"), wholes(op.setting(2, "axis"))
    kinds = {None: "ReduceL2", 2: "ReduceL2", "euclidean": "ReduceL2", 1: "ReduceL1"}
    kind = kinds.get(order) if isinstance(order, int | str | None) else None
    if kind is None or axes is None or len(axes) != 1:
        return None
    return op.node(kind, op.sources("x")[:1], {"axes": axes, "keepdims": op.setting(3, "keepdims") is True})


REDUCED: Mapping[str, OpTranslator] = {
    **{name: _reduction(op) for name, op in REDUCTIONS.items()},
    "Argmax": _arg("ArgMax"),
    "Argmin": _arg("ArgMin"),
    "Average": _average,
    "Norm": _norm,
}
"""Class of ``keras.ops`` → translator."""
