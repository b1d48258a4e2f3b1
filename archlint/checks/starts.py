"""Layers that learn badly from where they start: constant kernels, stacks of sigmoids, heavy dropout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check, maps
from archlint.graph import Node
from archlint.ops import attr, has_trait
from archlint.ops.base import number

if TYPE_CHECKING:
    from archlint.facts import Facts

_LAYERS = ("Dense", "Conv", "ConvTranspose")
_CONSTANT = ("zeros", "ones", "constant")
_NORMS = (
    "BatchNormalization",
    "LayerNormalization",
    "GroupNormalization",
    "InstanceNormalization",
    "RMSNormalization",
)
_SQUASHES = ("Sigmoid", "HardSigmoid")


def follow(facts: Facts, node: Node) -> tuple[Node | None, list[Node]]:
    """The layer that a layer feeds along single readers, and what stands between; None when it feeds none."""
    crossed: list[Node] = []
    value = node.outputs[0]
    while True:
        reader = facts.single_user(value)
        if reader is None or not reader.outputs or not reader.inputs:
            return None, crossed
        if reader.op in _LAYERS:
            return reader, crossed
        plain = any(has_trait(reader, trait) for trait in ("activation", "norm", "pool"))
        if not (plain or reader.op == "Flatten" or maps.keeps_values(reader)):
            return None, crossed
        crossed.append(reader)
        value = reader.outputs[0]


@check(
    nodes={"layer": "the layer whose kernel starts constant", "next": "the layer that it feeds"},
    values={
        "start": "name of its initialiser",
        "dead": "whether it starts at zero before a relu, so that no gradient passes",
        "units": "how many units stay equal",
    },
)
def constant_kernels(facts: Facts) -> Iterator[Match | Unsure]:
    """Hidden layers that a constant start keeps from learning: all units equal for good, or no gradient."""
    for layer in facts.graph.nodes:
        if layer.op not in _LAYERS or attr(layer, "kernel_init") not in _CONSTANT or not layer.outputs:
            continue
        kernel = layer.param("kernel")
        following, crossed = follow(facts, layer)
        units = maps.out_channels(facts, layer)
        if following is None or kernel is None or not kernel.trainable or units is None or units < 2:
            continue
        if layer.op != "Dense" and attr(layer, "groups") != 1:
            continue
        rectified = next((node for node in crossed if has_trait(node, "activation")), None)
        dead = attr(layer, "kernel_init") == "zeros" and rectified is not None and rectified.op == "Relu"
        dropped = any(has_trait(node, "random") for node in crossed)
        equal = attr(following, "kernel_init") in _CONSTANT and not dropped and not _mixes(crossed)
        if dead or equal:
            values = {"start": attr(layer, "kernel_init"), "dead": dead, "units": units}
            yield Match({"layer": layer, "next": following}, values)


def _mixes(crossed: list[Node]) -> bool:
    """Whether what stands between two layers treats equal units differently: flattened positions do."""
    return any(node.op == "Flatten" for node in crossed)


@check(
    nodes={"first": "the first layer of the stack", "last": "the last of its layers"},
    values={"count": "layers with a sigmoid that follow each other", "inputs": "features the first reads"},
)
def sigmoid_stacks(facts: Facts) -> Iterator[Match | Unsure]:
    """Rows of hidden layers with a sigmoid each, with no normalization and no way around them."""
    row: dict[str, tuple[Node, int]] = {}
    ended: list[tuple[Node, Node, int]] = []
    for layer in facts.graph.nodes:
        if layer.op not in _LAYERS or not layer.outputs:
            continue
        first, count = row.pop(layer.name, (layer, 0))
        following, crossed = follow(facts, layer)
        squashed = [node for node in crossed if has_trait(node, "activation")]
        normed = any(has_trait(node, "norm") for node in crossed)
        if following is None or normed or [node.op in _SQUASHES for node in squashed] != [True]:
            ended.append((first, layer, count))
        else:
            row[following.name] = (first, count + 1)
    for first, last, count in ended:
        if count >= 2:
            inputs = maps.in_channels(facts, first)
            yield Match({"first": first, "last": last}, {"count": count, "inputs": inputs})


@check(
    nodes={"drop": "the dropout"},
    values={"rate": "its rate", "on_words": "whether it drops parts of word embeddings"},
)
def dropouts(facts: Facts) -> Iterator[Match | Unsure]:
    """Dropouts of single elements or channels; those of whole samples are left out."""
    for drop in facts.graph.nodes:
        if drop.op not in ("Dropout", "SpatialDropout", "AlphaDropout") or not drop.inputs:
            continue
        rate = number(drop, "rate")
        if rate is None or (drop.op == "Dropout" and attr(drop, "noise_shape")):
            continue
        maker = facts.maker(drop.inputs[0])
        yield Match({"drop": drop}, {"rate": rate, "on_words": maker is not None and maker.op == "Embedding"})


@check(nodes={"act": "the activation", "drop": "the dropout that reads it"})
def dropped_selu(facts: Facts) -> Iterator[Match | Unsure]:
    """Plain dropouts that read selu, in models that no normalization layer keeps in range."""
    if any(node.op in _NORMS for node in facts.graph.nodes):
        return
    for drop in facts.graph.nodes:
        if drop.op not in ("Dropout", "SpatialDropout", "GaussianDropout") or not drop.inputs:
            continue
        act = facts.maker(drop.inputs[0]) if attr(drop, "rate") != 0 else None
        if act is not None and act.op == "Selu":
            yield Match({"act": act, "drop": drop})
