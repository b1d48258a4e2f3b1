"""Linear layers that follow each other with nothing nonlinear between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from archlint.checks import Match, Unsure, check, maps
from archlint.facts.linear import is_affine
from archlint.graph import Node
from archlint.ops import attr, has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts

_LINEAR = ("Dense", "Conv")


@check(
    nodes={"first": "the linear layer in front", "second": "the linear layer that reads only it"},
    values={
        "inner": "channels between the two",
        "inputs": "channels, or features, that the first reads",
        "outputs": "channels, or features, that the second makes",
        "now": "parameters of both",
        "merged": "parameters of the one layer that does the same",
        "dropout": "whether dropout stands between them",
        "expands": "whether both are 1×1 convolutions and the second at least doubles the width",
        "row": "how many such layers follow each other, these two among them",
    },
)
def mergeable_pairs(facts: Facts) -> Iterator[Match | Unsure]:
    """Pairs whose product is one layer of the same sort, exactly (see RULES: linear-linear merge).

    A convolution merges with a 1×1 convolution after it whatever its stride and padding; a 1×1 convolution
    merges with any convolution after it that pads nothing. Of a row of such layers the first pair stands for
    all, and a model that is linear as a whole is left to ``nonlinearity.all_linear``.
    """
    whole = {node.name for node in whole_model(facts)}
    pairs: list[tuple[Node, Node, bool]] = []
    for second in facts.graph.nodes:
        if second.op not in _LINEAR or maps.is_shared(facts, second) or not second.inputs:
            continue
        first, dropout = _before(facts, second.inputs[0])
        if first is None or first.op not in _LINEAR or maps.is_shared(facts, first) or first.name in whole:
            continue
        merges = folds(facts, first, second)
        if merges is None:
            yield Unsure(second, "the windows or groups of the pair are unknown")
        elif merges:
            pairs.append((first, second, dropout))
    after = {first.name: second for first, second, _ in pairs}
    inside = {second.name for _, second, _ in pairs}
    for first, second, dropout in pairs:
        if first.name not in inside:
            yield from _pair(facts, first, second, dropout, _row(after, first))


def _row(after: Mapping[str, Node], first: Node) -> int:
    """How many layers follow each other from the first on."""
    count, node = 1, after.get(first.name)
    while node is not None:
        count, node = count + 1, after.get(node.name)
    return count


_whole: WeakKeyDictionary[Facts, tuple[Node, ...]] = WeakKeyDictionary()


def whole_model(facts: Facts) -> tuple[Node, ...]:
    """The learned layers of a model that is linear up to its last activation, two deep or more; else none."""
    if facts not in _whole:
        _whole[facts] = _learned_if_linear(facts)
    return _whole[facts]


def _learned_if_linear(facts: Facts) -> tuple[Node, ...]:
    region = next(iter(facts.linear_regions), ()) if len(facts.linear_regions) == 1 else ()
    members = {node.name for node in region}
    behind: dict[str, bool] = {}  # value made from a learned layer's output → whether an activation did
    deep = False
    for node in facts.graph.nodes:
        seen = [behind[value] for value in node.inputs if value in behind]
        if has_trait(node, "learned") and node.op != "BatchNormalization":
            if node.name not in members or any(seen):
                return ()
            deep = deep or bool(seen)
            seen = [False]
        elif seen and not has_trait(node, "activation") and not is_affine(facts.graph, node):
            return ()
        if seen:
            bent = any(seen) or has_trait(node, "activation")
            behind.update(dict.fromkeys(node.outputs, bent))
    return region if deep else ()


def _before(facts: Facts, value: str) -> tuple[Node | None, bool]:
    """The node behind what is the identity at inference, each step read by one node only; dropout seen."""
    dropout = False
    while True:
        node = facts.graph.producers.get(value)
        if node is None or value in facts.graph.outputs or len(facts.graph.consumers[value]) != 1:
            return None, dropout
        if node.op == "Transpose" or not maps.keeps_values(node):
            return node, dropout
        dropout = dropout or has_trait(node, "random")
        value = node.inputs[0]


def folds(facts: Facts, first: Node, second: Node) -> bool | None:
    """Whether one layer computes exactly what a pair does; None when it is not known."""
    if first.op == "Dense" and second.op == "Dense":
        return _last_axis(facts, first) and _last_axis(facts, second)
    points = [_is_pointwise(facts, node) for node in (first, second)]
    if None in points:
        return None
    if maps.channel_axis(first, facts.out_shape(first)) != maps.channel_axis(second, facts.in_shape(second)):
        return False
    if points[1]:
        return True
    return bool(points[0]) and attr(second, "padding") == "valid"


def _last_axis(facts: Facts, node: Node) -> bool:
    shape = facts.in_shape(node)
    return attr(node, "axis") in (-1, None if shape is None else len(shape) - 1)


def _is_pointwise(facts: Facts, node: Node) -> bool | None:
    """Whether a node maps every position by itself; None when its window or groups are unknown."""
    if node.op == "Dense":
        return _last_axis(facts, node)
    window, steps = maps.reach(facts, node), maps.steps(facts, node)
    if window is None or steps is None:
        return None
    if attr(node, "groups") != 1:
        return False
    return prod(length or 0 for length in window) == 1 and prod(step or 0 for step in steps) == 1


def _pair(facts: Facts, first: Node, second: Node, dropout: bool, row: int) -> Iterator[Match | Unsure]:
    if any(node.op == "Conv" and attr(node, "groups") != 1 for node in (first, second)):
        return
    inner, inputs, outputs = (
        maps.out_channels(facts, first),
        maps.in_channels(facts, first),
        maps.out_channels(facts, second),
    )
    parts = (facts.params_of(first), facts.params_of(second))
    if inner is None or inputs is None or outputs is None or parts[0] is None or parts[1] is None:
        yield Unsure(second, "the widths of the pair are unknown")
        return
    window = _window_size(facts, first) * _window_size(facts, second)
    bias = any(node.param("bias") is not None for node in (first, second))
    merged = window * inputs * outputs + (outputs if bias else 0)
    values = {
        "inner": inner,
        "inputs": inputs,
        "outputs": outputs,
        "now": parts[0] + parts[1],
        "merged": merged,
    }
    expands = expands_again(facts, first, second)
    more = {"dropout": dropout, "expands": expands, "row": row}
    yield Match({"first": first, "second": second}, {**values, **more})


def expands_again(facts: Facts, first: Node, second: Node) -> bool:
    """Whether two 1×1 convolutions end one inverted residual block and start the next (MobileNetV2, 3)."""
    inner, outputs = maps.out_channels(facts, first), maps.out_channels(facts, second)
    if inner is None or outputs is None or first.op != "Conv" or second.op != "Conv":
        return False
    return outputs >= 2 * inner and all(_is_pointwise(facts, node) for node in (first, second))


def _window_size(facts: Facts, node: Node) -> int:
    return prod(length or 1 for length in maps.reach(facts, node) or ()) if node.op == "Conv" else 1
