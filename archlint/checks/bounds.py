"""Between which numbers a value lies for every input, where the ops before it say so."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from archlint.checks import maps
from archlint.graph import Node
from archlint.ops import attr, has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts

Bounds = tuple[float, float]

_FIXED: dict[str, Bounds] = {
    "Sigmoid": (0.0, 1.0),
    "HardSigmoid": (0.0, 1.0),
    "Softmax": (0.0, 1.0),
    "Tanh": (-1.0, 1.0),
    "HardTanh": (-1.0, 1.0),
    "Softsign": (-1.0, 1.0),
    "Softplus": (0.0, inf),
    "OneHot": (0.0, 1.0),
}

_KEEPING = frozenset(
    {"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Flatten", "Reshape", "Transpose"}
    | {"Squeeze", "Unsqueeze", "Dropout", "SpatialDropout", "Identity", "Concat", "Slice", "Split", "Gather"}
)
"""Ops that pick, average or move elements; pads of pooling windows are zeros or left out."""


def bounds_of(facts: Facts, value: str, depth: int = 32) -> Bounds | None:
    """The least and the greatest that an element can be, 0 included; None when not known."""
    node = facts.graph.producers.get(value)
    if node is None or not depth:
        return None
    if node.op == "Relu":
        return _relu(node)
    if node.op in _FIXED:
        return _FIXED[node.op]
    if node.op not in _KEEPING and not maps.keeps_values(node):
        return None
    data = node.inputs if node.op == "Concat" else node.inputs[:1]
    found = [bounds_of(facts, one, depth - 1) for one in data]
    known = [one for one in found if one is not None]
    if len(known) < len(found) or not known:
        return None
    return min(0.0, *(low for low, _ in known)), max(0.0, *(high for _, high in known))


def _relu(node: Node) -> Bounds | None:
    top, slope, threshold = (attr(node, name) for name in ("max_value", "negative_slope", "threshold"))
    if slope != 0 or has_trait(node, "unknown") or not isinstance(threshold, int | float):
        return None
    return 0.0, float(top) if isinstance(top, int | float) else inf
