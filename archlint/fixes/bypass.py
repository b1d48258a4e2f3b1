"""Nodes that are taken out, their readers reading what they read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from archlint.fixes import PatchError, rewrite
from archlint.graph import Attr, Edit, Node, Splice

if TYPE_CHECKING:
    from archlint.facts import Facts


def without(facts: Facts, node: Node) -> Splice:
    """The edit that takes out a node that hands on its first input; readers then read that input.

    Raises: PatchError: the node makes an output of the model, whose name has to stay, or several values.
    """
    values = [value for value in node.outputs if value]
    if len(values) != 1 or not node.inputs or not node.inputs[0]:
        raise PatchError(f"'{node.name}' has {len(values)} outputs; only a node of one is taken out")
    if values[0] in facts.graph.outputs:
        raise PatchError(f"'{node.name}' makes an output of the model, and its name has to stay")
    return Splice(frozenset({node.name}), moved={values[0]: node.inputs[0]})


@rewrite(nodes={"flatten": "a Flatten of what is flat already"})
def flatten(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """Takes out a Flatten that is handed one vector per sample: (N, C) → (N, C)."""
    node = nodes["flatten"]
    shape = facts.in_shape(node)
    if shape is None or len(shape) != 2 or node.attrs.get("axis", 1) != 1:
        raise PatchError(f"'{node.name}' is not known to get one flat vector per sample")
    return (without(facts, node),)
