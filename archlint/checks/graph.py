"""Parts of a graph that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check
from archlint.ops import has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts


@check(
    nodes={"node": "the last node of a part that reaches no output"},
    values={"count": "nodes in that part, with all that lead only to it", "params": "parameters in it"},
)
def dead_ends(facts: Facts) -> Iterator[Match | Unsure]:
    """Nodes whose outputs nothing reads, one per dead part, with the size of what hangs on them."""
    dead = {node.name: node for node in facts.dead_nodes}
    counted: set[str] = set()
    for node in reversed(tuple(dead.values())):
        if node.name in counted or has_trait(node, "constant"):
            continue
        part, waiting = [node], [node]
        counted.add(node.name)
        for one in waiting:
            for value in one.inputs:
                source = facts.graph.producers.get(value)
                if source is not None and source.name in dead and source.name not in counted:
                    counted.add(source.name)
                    part.append(source)
                    waiting.append(source)
        held = {param.name: param.size for one in part for param in one.params if param.role != "value"}
        params = None if None in held.values() else sum(size or 0 for size in held.values())
        yield Match({"node": node}, {"count": len(part), "params": params})


@check(values={"input": "name of the input", "inputs": "how many inputs the model has"})
def unused_inputs(facts: Facts) -> Iterator[Match | Unsure]:
    """Inputs of the model that no output depends on."""
    for name in facts.unused_inputs:
        yield Match({}, {"input": name, "inputs": len(facts.graph.inputs)})
