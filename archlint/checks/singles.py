"""Layers that compare a number with others and get only that one, or get the same tensor twice."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check, maps
from archlint.graph import Attr, Node, Shape
from archlint.ops import attr, has_trait
from archlint.ops.dims import axis_of

if TYPE_CHECKING:
    from archlint.facts import Facts

_MERGES = {
    "Add": "twice it", "Concat": "each feature twice", "Mean": "the same", "Max": "the same",
    "Min": "the same", "Sub": "0", "Div": "1",
}  # fmt: skip
"""Op → what it gives for two inputs that are one tensor. Mul is left out: it squares."""


@check(nodes={"norm": "the normalization"}, values={"numbers": "how many numbers it normalizes together"})
def norms(facts: Facts) -> Iterator[Match | Unsure]:
    """Normalizations within a sample whose numbers can be counted."""
    for node in facts.graph.nodes:
        numbers = _normalized(node, facts.in_shape(node)) if node.inputs else None
        if numbers is not None:
            yield Match({"norm": node}, {"numbers": numbers})


def _normalized(node: Node, shape: Shape) -> int | None:
    if shape is None:
        return None
    if node.op == "LayerNormalization":
        axes = attr(node, "axes")
        named = (
            [axis_of(one, len(shape)) for one in axes if isinstance(one, int)]
            if isinstance(axes, tuple)
            else []
        )
        lengths = [shape[axis] for axis in named if axis]
        groups: Attr = 1
    elif node.op in ("InstanceNormalization", "GroupNormalization"):
        channel = maps.channel_axis(node, shape)
        groups = attr(node, "groups") if node.op == "GroupNormalization" else 0
        lengths = [dim for axis, dim in enumerate(shape[1:], 1) if axis != channel or groups]
    else:
        return None
    whole = [dim for dim in lengths if isinstance(dim, int)]
    if not isinstance(groups, int) or len(whole) < len(lengths):
        return None
    return prod(whole) // max(groups, 1)


@check(
    nodes={"attend": "the attention"},
    values={"idle": "parameters of queries and keys; unknown when the layer holds none"},
)
def lone_keys(facts: Facts) -> Iterator[Match | Unsure]:
    """Attention layers with a single step to attend to; past keys (ONNX's input 4) are further steps."""
    for node in facts.graph.nodes:
        if not has_trait(node, "attention") or len(node.inputs) < 2 or any(node.inputs[4:6]):
            continue
        shape = facts.shape(node.inputs[1])
        axis = 2 if node.op == "Attention" and attr(node, "layout") == "bhtd" else 1
        along = attr(node, "attention_axes") if node.op == "MultiHeadAttention" else None
        if shape is None or len(shape) <= axis or along not in (None, (1,)) or shape[axis] != 1:
            continue
        idle = sum(param.size or 0 for param in node.params if param.role.startswith(("query", "key")))
        yield Match({"attend": node}, {"idle": idle or None})


@check(
    nodes={"merge": "the node that merges", "source": "what makes the tensor"},
    values={"copies": "how often it reads it", "gives": "what comes of it"},
)
def merged_with_itself(facts: Facts) -> Iterator[Match | Unsure]:
    """Merges all of whose inputs are one tensor that the model has made.

    Left out: grey images made colour; tiling along an axis that is not the features'; what no layer, norm or
    activation has made, such as the angles of rotary positions, or the pools that NASNet adds to themselves.
    """
    learned: set[str] = set()
    for node in facts.graph.nodes:
        if has_trait(node, "learned") or any(value in learned for value in node.inputs):
            learned.update(node.outputs)
        if node.op not in _MERGES or len(node.inputs) < 2 or len(set(node.inputs)) > 1:
            continue
        source, shape = facts.maker(node.inputs[0]), facts.in_shape(node)
        if source is None or shape is None or len(shape) < 2 or node.inputs[0] not in learned:
            continue
        if not any(has_trait(source, trait) for trait in ("learned", "activation", "random")):
            continue
        if node.op == "Concat" and not _joins_features(facts, node, shape):
            continue
        values: dict[str, Attr] = {"copies": len(node.inputs), "gives": _MERGES[node.op]}
        yield Match({"merge": node, "source": source}, values)


def _joins_features(facts: Facts, node: Node, shape: tuple[object, ...]) -> bool:
    axis = attr(node, "axis")
    at = axis_of(axis, len(shape)) if isinstance(axis, int) else None
    layout = maps.layout(facts, node.inputs[0])
    features = layout[1] if layout is not None else len(shape) - 1
    return at is not None and at == features and shape[at] != 1
