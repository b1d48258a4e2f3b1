"""Outputs that no loss judges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check
from archlint.graph import Node, Training
from archlint.ops import has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts


@check(
    nodes={"node": "the node that makes the output", "first": "the first layer that only this output needs"},
    values={
        "output": "number of the output, from 1",
        "outputs": "how many outputs the model has",
        "params": "trainable parameters that only this output needs",
    },
)
def unjudged_outputs(facts: Facts) -> Iterator[Match | Unsure]:
    """Outputs without a loss, or with one of weight 0, and the trainable layers that lead only to them."""
    training, graph = facts.graph.training, facts.graph
    if training is None or len(graph.outputs) < 2:
        return
    judged = _judged(training)
    if not judged or None in judged:
        return
    taught = _upstream(facts, [value for at, value in enumerate(graph.outputs) if at in judged])
    measured = {metric.output for metric in training.metrics}
    for at, value in enumerate(graph.outputs):
        maker = facts.maker(value)
        if at in judged or at in measured or None in measured or maker is None:
            continue
        alone = _upstream(facts, [value]) - taught
        own = [node for node in graph.nodes if node.name in alone]
        learners = [node for node in own if facts.trainable_of(node) != 0]
        held = [facts.trainable_of(node) for node in learners]
        if any(has_trait(node, "unknown") or node.op == "ActivityRegularization" for node in own):
            yield Unsure(maker, "a layer in front of it may bring a loss of its own")
        elif learners and None not in held:
            yield Match(
                {"node": maker, "first": learners[0]},
                {"output": at + 1, "outputs": len(graph.outputs), "params": sum(n or 0 for n in held)},
            )


def _judged(training: Training) -> set[int | None]:
    """Numbers of the outputs with a loss that counts; None among them when a loss names no output."""
    return {loss.output for loss in training.losses if loss.attrs.get("weight") != 0}


def _upstream(facts: Facts, values: list[str]) -> frozenset[str]:
    found: set[str] = set()
    waiting = list(values)
    while waiting:
        node: Node | None = facts.graph.producers.get(waiting.pop())
        if node is not None and node.name not in found:
            found.add(node.name)
            waiting.extend(node.inputs)
    return frozenset(found)
