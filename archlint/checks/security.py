"""What a file holds that reaches beyond the model, as its reader saw it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check
from archlint.graph import Attr

if TYPE_CHECKING:
    from archlint.facts import Facts

_ABSENT: Mapping[str, Attr] = {"subject": "", "how": "", "legacy": False, "stated": None, "stored": None}
"""Values of a hazard → what they are when the reader did not say."""


@check(
    nodes={"node": "the node of the layer that the hazard lies in, when the graph has it"},
    values={
        "where": "place inside the file",
        "subject": "what the file names there",
        "how": "what makes it one",
        "legacy": "whether the file is a legacy .h5",
        "stated": "bytes that the file claims",
        "stored": "bytes that it holds for them",
    },
)
def hazards(facts: Facts, kind: Attr) -> Iterator[Match | Unsure]:
    """The hazards of one kind, in the order of the file; at the node of their layer where there is one."""
    found = [hazard for hazard in facts.graph.hazards if hazard.kind == kind]
    if not found:
        return
    layers = {node.origin.address[-1]: node for node in reversed(facts.graph.nodes) if node.origin.address}
    for hazard in found:
        node = layers.get(str(hazard.attrs.get("layer", "")))
        values = {name: hazard.attrs.get(name, default) for name, default in _ABSENT.items()}
        yield Match({} if node is None else {"node": node}, {**values, "where": hazard.where})
