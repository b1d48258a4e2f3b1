"""Where two nodes of one trunk do not agree which axis holds the channels, or never mix them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check, maps
from archlint.graph import Node
from archlint.ops import TABLE, has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts

_MAX_STEPS = 32
"""Nodes that are looked through behind a convolution; real networks have up to four."""


@check(
    nodes={"layer": "the convolution that made the map", "node": "the node that reads it otherwise"},
    values={"made": "axis of the channels as made", "read": "axis of the channels as read"},
)
def disagreeing_axes(facts: Facts) -> Iterator[Match | Unsure]:
    """Nodes that take another axis for the channels than the convolution whose map they read."""
    for node in facts.graph.nodes:
        if "channel_axis" not in getattr(TABLE.get(node.op), "attrs", {}) or not node.inputs:
            continue
        layer = _made_by(facts, node.inputs[0])
        if layer is None:
            continue
        made = maps.channel_axis(layer, facts.out_shape(layer))
        read = maps.channel_axis(node, facts.in_shape(node))
        if made is not None and read is not None and made != read:
            yield Match({"layer": layer, "node": node}, {"made": made, "read": read})


def _made_by(facts: Facts, value: str) -> Node | None:
    """The convolution behind activations, norms, sums, pools and identities; None behind anything else."""
    for _ in range(_MAX_STEPS):
        node = facts.graph.producers.get(value)
        if node is None or node.op in ("Conv", "ConvTranspose"):
            return node
        kept = any(has_trait(node, trait) for trait in ("activation", "norm", "addition"))
        keeps = kept or maps.keeps_values(node)
        in_place = keeps or node.op.endswith("Pool")
        if node.op == "Transpose" or has_trait(node, "global_pool") or not in_place or not node.inputs:
            return None
        value = node.inputs[0]
    return None
