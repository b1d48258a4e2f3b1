"""What the outputs of a model end in, next to the loss and the metrics that judge them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check, maps
from archlint.graph import Attr, Node, Setting

if TYPE_CHECKING:
    from archlint.facts import Ending, Facts

_OVERLAPS = ("mean_io_u", "io_u")

_NODES = {
    "out": "the activation of an output, or without one its layer",
    "layer": "the learned layer behind it",
}
_VALUES = {
    "kind": "what it ends in: softmax, log_softmax, sigmoid, tanh, relu, positive, real or linear",
    "width": "length of the last axis of the output",
    "scores": "units of the layer, along its channel axis",
    "rank": "axes of the output, batch included",
    "loss": "name of its loss",
    "from_logits": "whether the loss applies the last activation itself",
    "last_axis": "whether the loss looks for the classes on the last axis",
    "smoothing": "the label_smoothing of the loss, 0 when it states none",
}


@check(nodes=_NODES, values=_VALUES)
def judged(facts: Facts) -> Iterator[Match | Unsure]:
    """Outputs whose loss is one that the framework ships, with how they end."""
    for ending in facts.endings:
        loss = ending.loss
        if loss is None or loss.custom:
            continue
        if ending.kind == "unknown":
            yield Unsure(None, f"what makes '{ending.value}' is unknown")
        elif ending.node is not None:
            yield _match(facts, ending, ending.node, loss, {})


@check(
    nodes=_NODES,
    values={
        **_VALUES,
        "metric": "name of the metric",
        "threshold": "its threshold; unknown when it states none or several",
        "ranks": "whether only the order of the scores counts for it (top_k)",
        "knows_logits": "whether it is told that it gets logits",
        "k": "among how many best scores it looks for the class; 5 when it does not say",
        "takes_classes": "whether it wants the number of the class from the model, as overlaps may",
        "discriminates": "whether it looks like the discriminator of a GAN: leaky rectifiers on maps",
    },
)
def measured(facts: Facts) -> Iterator[Match | Unsure]:
    """Outputs with a shipped loss, once for each shipped metric of theirs."""
    leaky = any(node.op == "LeakyRelu" and facts.conv_upstream(node) for node in facts.graph.nodes)
    for ending in facts.endings:
        loss = ending.loss
        if loss is None or loss.custom or ending.node is None:
            continue
        for metric in ending.metrics:
            if metric.custom:
                continue
            limit = metric.attrs.get("threshold", metric.attrs.get("thresholds"))
            extra: dict[str, Attr] = {
                "metric": metric.name,
                "threshold": limit
                if isinstance(limit, int | float) and not isinstance(limit, bool)
                else None,
                "ranks": "top_k" in metric.attrs,
                "knows_logits": metric.attrs.get("from_logits") is True,
                "k": metric.attrs.get("k", 5),
                "takes_classes": metric.name in _OVERLAPS and metric.attrs.get("sparse_y_pred") is not False,
                "discriminates": leaky,
            }
            yield _match(facts, ending, ending.node, loss, extra)


def _match(facts: Facts, ending: Ending, out: Node, loss: Setting, extra: dict[str, Attr]) -> Match:
    layer = ending.layer or out
    values: dict[str, Attr] = {
        "kind": ending.kind,
        "width": ending.width,
        "scores": maps.out_channels(facts, layer),
        "rank": None if ending.shape is None else len(ending.shape),
        "loss": loss.name,
        "from_logits": loss.attrs.get("from_logits") is True,
        "last_axis": loss.attrs.get("axis", -1) == -1,
        "smoothing": loss.attrs.get("label_smoothing", 0.0),
    }
    return Match({"out": out, "layer": layer}, {**values, **extra})
