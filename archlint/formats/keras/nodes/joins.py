"""Op nodes that join tensors or split one into several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

from archlint.formats.keras.builder import Val
from archlint.formats.keras.call import values_of
from archlint.formats.keras.nodes.operands import OpCall, OpTranslator, whole, wholes


def _join(kind: str) -> OpTranslator:
    def translator(op: OpCall) -> list[Val] | None:
        axis = whole(op.setting(1, "axis"))
        rank = op.rank()
        given = op.operand(0, "xs", "values", "x")
        items = given if isinstance(given, list) else [given]
        made = [op.value(item, f"x{index + 1}") for index, item in enumerate(items)]
        found = [value for value in made if value is not None]
        if len(found) != len(items):
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


def _split_unevenly(op: OpCall) -> list[Val] | None:
    """ArraySplit: the first parts are longer by one when the length does not divide."""
    parts, axis, shape = (
        whole(op.setting(1, "indices_or_sections")),
        whole(op.setting(2, "axis")) or 0,
        op.shape(),
    )
    if parts is None:
        return _split(op)
    length = shape[axis] if shape is not None and -len(shape) <= axis < len(shape) else None
    if not isinstance(length, int) or not 0 < parts <= 1000:
        return None
    sizes = tuple(length // parts + (index < length % parts) for index in range(parts))
    return op.node("Split", op.sources("x")[:1], {"axis": axis, "split": sizes}, outputs=parts)


def _unstack(op: OpCall) -> list[Val] | None:
    axis, shape, stated = whole(op.setting(2, "axis")) or 0, op.shape(), whole(op.setting(1, "num"))
    count = shape[axis] if stated is None and shape and -len(shape) <= axis < len(shape) else stated
    if not isinstance(count, int) or not 0 < count <= 1000:
        return None
    return op.node("Unstack", op.sources("x", "value")[:1], {"axis": axis}, outputs=count)


def _parts_along(axis: int) -> OpTranslator:
    """Hsplit and its like: Split along an axis that the name says; of a vector, the first."""

    def translator(op: OpCall) -> list[Val] | None:
        along = 0 if op.rank() == 1 else axis
        return _split(replace(op, settings={**op.settings, "axis": along}))

    return translator


def _stack_along(axis: int) -> OpTranslator:
    """Hstack and its like: Concat along an axis that the name says, when the values have it."""

    def translator(op: OpCall) -> list[Val] | None:
        values = values_of(op.operand(0, "xs"))
        ranks = {len(shape) for value in values if (shape := op.call.tensor(value).shape) is not None}
        if len(ranks) != 1 or min(ranks) <= max(axis, 1):
            return None
        return op.node("Concat", values, {"axis": -1 if axis == min(ranks) - 1 else axis})

    return translator


def _append(op: OpCall) -> list[Val] | None:
    axis = whole(op.setting(2, "axis"))
    values = [op.value(op.operand(index, f"x{index + 1}"), f"x{index + 1}") for index in range(2)]
    known = [value for value in values if value is not None]
    return None if axis is None or len(known) != 2 else op.node("Concat", known, {"axis": axis})


JOINS: Mapping[str, OpTranslator] = {
    "Append": _append,
    "ArraySplit": _split_unevenly,
    "Concatenate": _join("Concat"),
    "Dsplit": _parts_along(2),
    "Dstack": _stack_along(2),
    "Hsplit": _parts_along(1),
    "Hstack": _stack_along(1),
    "Split": _split,
    "Stack": _join("Stack"),
    "Unstack": _unstack,
    "Vsplit": _parts_along(0),
    "Vstack": _stack_along(0),
}
"""Class of ``keras.ops`` → translator."""
