"""Where a nonlinearity is missing: in a whole model, or between two layers that cannot be folded exactly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check, linear, maps
from archlint.graph import Node
from archlint.ops import attr

if TYPE_CHECKING:
    from archlint.facts import Facts

_LAYERS = ("Dense", "Conv", "ConvTranspose")
_BETWEEN = frozenset({"BatchNormalization", "AveragePool", "GlobalAveragePool", "MaxPool", "Flatten", "Pad"})


@check(
    nodes={"first": "the first learned layer", "last": "the last learned layer"},
    values={
        "count": "how many learned layers there are",
        "inputs": "channels, or features, that the first reads",
        "outputs": "channels, or features, that the last makes",
        "inner": "the narrowest width between them",
    },
)
def all_linear(facts: Facts) -> Iterator[Match | Unsure]:
    """The one place of a model whose learned layers, two or more deep, have nothing nonlinear among them."""
    layers = linear.whole_model(facts)
    if not layers:
        return
    widths = [maps.out_channels(facts, node) for node in layers[:-1]]
    known = [width for width in widths if width is not None]
    ends = maps.in_channels(facts, layers[0]), maps.out_channels(facts, layers[-1])
    if len(known) < len(widths) or None in ends:
        yield Unsure(layers[0], "the widths of its layers are unknown")
        return
    values = {"count": len(layers), "inputs": ends[0], "outputs": ends[1], "inner": min(known)}
    yield Match({"first": layers[0], "last": layers[-1]}, values)


@check(
    nodes={"first": "the layer in front", "second": "the layer that reads it"},
    values={
        "between": "ops that stand between the two, in order",
        "pooled": "whether max pooling is one of them",
        "inner": "channels between the two",
        "inputs": "channels, or features, that the first reads",
        "outputs": "channels, or features, that the second makes",
    },
)
def missing_between(facts: Facts) -> Iterator[Match | Unsure]:
    """Pairs of layers with no activation between them that are no bottleneck and cannot be folded exactly."""
    whole = {node.name for node in linear.whole_model(facts)}
    for second in facts.graph.nodes:
        if second.op not in _LAYERS or not second.inputs or second.name in whole:
            continue
        first, between = _before(facts, second.inputs[0])
        if first is None or not _is_judged(facts, first, second, between):
            continue
        inner, inputs = maps.out_channels(facts, first), maps.in_channels(facts, first)
        outputs = maps.out_channels(facts, second)
        if inner is None or inputs is None or outputs is None:
            yield Unsure(second, "the widths of the pair are unknown")
        elif inner >= min(inputs, outputs):
            ops = tuple(node.op for node in reversed(between))
            values = {"inner": inner, "inputs": inputs, "outputs": outputs}
            nodes = {"first": first, "second": second}
            yield Match(nodes, {**values, "between": ops, "pooled": "MaxPool" in ops})


def _before(facts: Facts, value: str) -> tuple[Node | None, list[Node]]:
    """The layer behind what adds no nonlinearity of its own, each step read by one node; what was crossed."""
    crossed: list[Node] = []
    while True:
        node = facts.graph.producers.get(value)
        if node is None or value in facts.graph.outputs or len(facts.graph.consumers[value]) != 1:
            return None, crossed
        if node.op in _LAYERS:
            return node, crossed
        if not node.inputs or not (node.op in _BETWEEN or maps.keeps_values(node)):
            return None, crossed
        if node.op in _BETWEEN:
            crossed.append(node)
        value = node.inputs[0]


def _is_judged(facts: Facts, first: Node, second: Node, between: list[Node]) -> bool:
    """Whether a missing activation would be a fault here: see ``why`` of the rule for what is deliberate."""
    if maps.is_shared(facts, first) or maps.is_shared(facts, second):
        return False
    if any(node.op != "Dense" and attr(node, "groups") != 1 for node in (first, second)):
        return False
    if first.op == "ConvTranspose" and second.op != "ConvTranspose":
        return False
    if (first.op == "Conv" and _is_patchify(facts, first)) or linear.expands_again(facts, first, second):
        return False
    if _is_factorized(facts, first, second):
        return False
    return bool(between) or not linear.folds(facts, first, second)


def _is_patchify(facts: Facts, node: Node) -> bool:
    """Whether a convolution cuts its input into patches that do not overlap, as vision transformers do."""
    reach, steps = maps.reach(facts, node), maps.steps(facts, node)
    return reach is not None and reach == steps and max(length or 0 for length in reach) > 1


def _is_factorized(facts: Facts, first: Node, second: Node) -> bool:
    """Whether each window reaches along axes on which the other is one wide: a large kernel in two parts.

    Source: Tran et al. 2018, https://arxiv.org/abs/1711.11248, section 3.5, (2+1)D convolutions; written
    without the activation in between in TensorFlow's tutorial on video classification.
    """
    one, two = maps.reach(facts, first), maps.reach(facts, second)
    if one is None or two is None or len(one) != len(two):
        return False
    wide, other = ({axis for axis, length in enumerate(reach) if length != 1} for reach in (one, two))
    return bool(wide) and bool(other) and not wide & other
