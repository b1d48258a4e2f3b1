"""Numbers that by their name have both signs, behind an activation that lets only one through."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check
from archlint.graph import Node

if TYPE_CHECKING:
    from archlint.facts import Facts

_LOGARITHM = re.compile(r"(?<![a-z])log_?(var(iance)?|sigma|std)(?![a-z])")
_CENTRE = re.compile(r"(?<![a-z])(z|latent)_?(mean|mu)(?![a-z])")
_CHANGE = re.compile(r"(?<![a-z])(deltas?|residuals?|displacements?|advantages?|steering)(?![a-z])")
_POSITIVE = ("Relu", "Sigmoid", "HardSigmoid", "Softplus", "Abs", "Exp", "Square")


@check(
    nodes={"activation": "the activation", "layer": "the layer that it follows"},
    values={"quantity": "what the layer is named after"},
)
def signed_quantities(facts: Facts) -> Iterator[Match | Unsure]:
    """Layers named after a logarithm, a latent mean or a change whose activation gives no negative number."""
    for node in facts.graph.nodes:
        if (
            node.op not in _POSITIVE
            or node.attrs.get("negative_slope")
            or not node.inputs
            or not node.outputs
        ):
            continue
        layer = facts.graph.producers.get(node.inputs[0])
        if (
            layer is None
            or layer.op not in ("Dense", "Conv")
            or facts.single_user(layer.outputs[0]) is not node
        ):
            continue
        quantity = _quantity(facts, node, layer)
        if quantity:
            yield Match({"activation": node, "layer": layer}, {"quantity": quantity})


def _quantity(facts: Facts, node: Node, layer: Node) -> str:
    """What the two are named after; a change counts at an output only ("residual" also names branches)."""
    name = (layer.origin.address or (layer.name,))[-1].lower()
    if _LOGARITHM.search(name):
        return "the logarithm of a variance"
    if node.op == "Relu" and _CENTRE.search(name):
        return "the mean of a latent normal distribution"
    if node.op == "Relu" and facts.reaches_output(node.outputs[0]) and _CHANGE.search(name):
        return "a difference"
    return ""
