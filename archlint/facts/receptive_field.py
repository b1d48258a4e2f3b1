"""Receptive fields: how many input elements an element can see, along each axis.

The size grows by (kernel − 1) · dilation · jump at every window, and the jump by the stride.
Source: Araujo, Norris & Sim 2019, "Computing receptive fields of convolutional neural networks", eq. 2,
https://distill.pub/2019/computing-receptive-fields/. Where paths meet, the smallest and the largest are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from archlint.dataclass import dataclass
from archlint.facts.axes import NONE, Origin, Trace
from archlint.facts.basis import Basis
from archlint.graph import Node
from archlint.ops import attr, has_trait, window_of
from archlint.ops.conv import spatial_axes

Field = tuple[float, float, float]
"""(smallest, largest, jump) along one input axis, in elements of the input."""

Fields = Mapping[Origin, Field] | None


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """What an element of a value sees of one model input, per spatial axis of that input, in its elements.

    ``smallest`` and ``largest`` are over all ways from the input; infinite once a global pool, an attention,
    a recurrent layer or a dense layer over positions has mixed the axis. ``jump`` is the distance between
    what neighbours see. Padding is not taken off: a field may be larger than the input.
    """

    input: str
    axes: tuple[int, ...]
    smallest: tuple[float, ...]
    largest: tuple[float, ...]
    jump: tuple[float, ...]


def spread_fields(basis: Basis, found: Trace) -> dict[str, Fields]:
    """Fields of every value along the axes that windows slide over; None where they are not known."""
    fields: dict[str, Fields] = {}
    for name, type_ in basis.graph.inputs:
        axes = range(len(type_.shape or ()))
        fields[name] = {(name, axis): (1.0, 1.0, 1.0) for axis in axes if (name, axis) in found.slid}
    for node in basis.graph.nodes:
        made = _after(node, found, _met(basis, node, found, fields))
        for value in node.outputs:
            fields[value] = made
    return fields


def _met(basis: Basis, node: Node, found: Trace, fields: Mapping[str, Fields]) -> Fields:
    """What the inputs of a node see together."""
    if has_trait(node, "unknown") or has_trait(node, "control"):
        return None
    values = [value for value in node.inputs if value]
    if has_trait(node, "multiplication"):
        values = _without_gates(basis, values, found)
    merged: dict[Origin, Field] = {}
    first: Fields = {}
    for place, value in enumerate(values):
        seen = fields.get(value, {})
        if seen is None:
            return None
        first = seen if place == 0 else first
        for origin, (low, high, jump) in seen.items():
            known = merged.get(origin)
            merged[origin] = (
                (low, high, jump)
                if known is None
                else (min(known[0], low), max(known[1], high), max(known[2], jump))
            )
    return first if merged == first else merged


def _without_gates(basis: Basis, values: list[str], found: Trace) -> list[str]:
    """Operands that hold positions, when some do: a gate that was pooled over all of them adds no reach.

    Source: squeeze-and-excitation, Hu et al. 2018, arXiv:1709.01507; without it every network that has such
    gates would see everything. A gate with as many numbers as its partner was not pooled: it was mixed over
    the positions (gMLP, Liu et al. 2021, arXiv:2105.08050), and gives its sight to every one of them.
    """
    placed = [value for value in values if any(found.axes.get(value) or ())]
    shapes = {basis.tensor(value).shape for value in placed}
    rest = [value for value in values if value not in placed]
    mixed = [value for value in rest if basis.tensor(value).shape in shapes - {None}]
    return placed + mixed if placed else values


def _after(node: Node, found: Trace, seen: Fields) -> Fields:
    if seen is None or not seen or not node.inputs:
        return seen
    mixed = found.mixed.get(node.name, NONE)
    moved = _windows(node, found)
    if moved is None or _mixes_unseen(node, found):
        return None
    if not moved and not (mixed & seen.keys()):
        return seen
    made = dict(seen)
    for origin, (grow, step) in moved.items():
        if origin in made:
            low, high, jump = made[origin]
            made[origin] = (low + grow * jump, high + grow * jump, jump * step)
    for origin in mixed & made.keys():
        made[origin] = (inf, inf, made[origin][2])
    return made


_MIXES = ("attention", "product", "recurrent", "linear", "reduction")


def _mixes_unseen(node: Node, found: Trace) -> bool:
    """Whether a node may mix positions along axes that were lost sight of, before it or in it."""
    axes = (found.axes.get(value) for value in (node.inputs[0], *node.outputs[:1]))
    return any(known is None for known in axes) and any(has_trait(node, trait) for trait in _MIXES)


def _windows(node: Node, found: Trace) -> dict[Origin, tuple[float, float]] | None:
    """Per input axis: by how many jumps the field grows, and the factor of the jump; None if unknown."""
    axes = found.axes.get(node.inputs[0])
    if not has_trait(node, "windowed") and not has_trait(node, "resampling"):
        return {}
    offset = 1 if node.attrs.get("time_distributed") else 0
    channel = attr(node, "channel_axis")
    places = (
        spatial_axes(len(axes) - offset, channel) if axes is not None and isinstance(channel, int) else None
    )
    if axes is None or places is None:
        return None
    rows = _growth(node, len(places))
    if rows is None:
        return None
    return {origin: row for place, row in zip(places, rows, strict=True) for origin in axes[place + offset]}


def _growth(node: Node, rank: int) -> list[tuple[float, float]] | None:
    if has_trait(node, "resampling"):
        return _resampled(node, rank)
    window = window_of(node, rank)
    if window is None:
        return None
    rows = zip(window.kernel, window.strides, window.dilations, strict=True)
    if node.op == "ConvTranspose":
        # An output meets the inputs whose window covers it: ceil(reach / stride) neighbours.
        return [
            (float(-(-((kernel - 1) * dilation + 1) // stride) - 1), 1 / stride)
            for kernel, stride, dilation in rows
        ]
    return [(float((kernel - 1) * dilation), float(stride)) for kernel, stride, dilation in rows]


def _resampled(node: Node, rank: int) -> list[tuple[float, float]] | None:
    if node.op in ("DepthToSpace", "SpaceToDepth"):
        block = attr(node, "blocksize")
        if not isinstance(block, int) or block < 1:
            return None
        return [(0.0, 1 / block) if node.op == "DepthToSpace" else (block - 1.0, float(block))] * rank
    scales = node.attrs.get("scales")
    if not isinstance(scales, tuple) or len(scales) != rank:
        return None
    # Interpolation reads one neighbour more (linear), or three (cubic).
    extra = {"nearest": 0.0, "bilinear": 1.0, "linear": 1.0}.get(str(attr(node, "mode")), 3.0)
    return [(extra, 1 / scale) for scale in scales if isinstance(scale, int | float) and scale > 0] or None


def receptive_fields(fields: Fields) -> tuple[ReceptiveField, ...]:
    """Fields gathered by model input, in order of name and axis."""
    by_input: dict[str, list[tuple[int, Field]]] = {}
    for (name, axis), one in sorted((fields or {}).items()):
        by_input.setdefault(name, []).append((axis, one))
    return tuple(
        ReceptiveField(
            name,
            tuple(axis for axis, _ in rows),
            tuple(one[0] for _, one in rows),
            tuple(one[1] for _, one in rows),
            tuple(one[2] for _, one in rows),
        )
        for name, rows in by_input.items()
    )
