"""Where Keras's padding masks go: who makes one, who hands it on, who drops it.

A mask is no value of the graph; Keras hands it from layer to layer while the model runs, and a layer without
``supports_masking`` drops it. Source: ``supports_masking`` and ``compute_mask`` of the layers of Keras 3.15
(asked of every layer class; see tests/facts) and keras/src/layers/merging/base_merge.py.
"""

from __future__ import annotations

from collections.abc import Iterable

from archlint.dataclass import dataclass
from archlint.graph import Graph, Node
from archlint.ops import attr, has_trait

DROPS = frozenset(
    {"Conv", "ConvTranspose", "MaxPool", "AveragePool", "Flatten", "Reshape", "Transpose", "GlobalMaxPool"}
    | {"Pad", "RepeatVector", "Resize", "EinsumDense", "RMSNormalization"}
)
"""Ops of the layers that take a mask away."""

_KEEPS = ("activation", "norm", "random", "transparent", "attention")
_KEEP_OPS = frozenset({"Dense", "Concat", "Rescaling", "Normalization", "Masking", "Embedding"})
_MERGES = frozenset({"Add", "Sub", "Mul", "Max", "Min", "Mean"})


@dataclass(frozen=True, slots=True)
class Mask:
    """A mask that a value carries, or that it lost on the way: who made it, and who dropped it if anyone."""

    maker: Node
    dropper: Node | None = None


@dataclass(frozen=True, slots=True)
class LostMask:
    """A mask that ``maker`` made, ``dropper`` dropped and ``user`` would have needed."""

    maker: Node
    dropper: Node
    user: Node


def lost_masks(graph: Graph) -> tuple[LostMask, ...]:
    """The masks that are dropped before a node that would use them, or that mixes the steps without them."""
    carried: dict[str, Mask] = {}
    found: list[LostMask] = []
    strict = str(graph.metadata.get("producer", "")).startswith("keras 3")
    for node in graph.nodes:
        masks = [carried[value] for value in node.inputs if value in carried]
        held = _after(graph, node, masks, strict)
        lost = held if held is not None and held.dropper is not None else None
        if lost is not None and lost.dropper is not None and (_uses(node) or _mixes(node)):
            found.append(LostMask(lost.maker, lost.dropper, node))
        if held is not None and node.outputs and not _ends(node):
            carried[node.outputs[0]] = held
    return tuple(found)


def _after(graph: Graph, node: Node, masks: list[Mask], strict: bool) -> Mask | None:
    """The mask after a node, before the node itself ends the steps."""
    if node.op == "Masking" or (node.op == "Embedding" and attr(node, "mask_zero")):
        return Mask(node)
    if not masks:
        return None
    lost = next((mask for mask in masks if mask.dropper is not None), None)
    if lost is not None:
        return lost if _is_known(node) else None
    if node.op in DROPS and not node.attrs.get("time_distributed"):
        return Mask(masks[0].maker, node)
    if node.op in _MERGES and strict and len(masks) < len(_layers(graph, node.inputs)):
        return Mask(masks[0].maker, node)
    return masks[0] if _is_known(node) else None


def _layers(graph: Graph, values: Iterable[str]) -> list[str]:
    """The inputs that layers make; a constant is part of an expression, where no layer merges anything."""
    makers = ((value, graph.producers.get(value)) for value in values)
    return [value for value, maker in makers if maker is None or not has_trait(maker, "constant")]


def _is_known(node: Node) -> bool:
    known = node.op in _KEEP_OPS or node.op in _MERGES or node.op in DROPS or has_trait(node, "recurrent")
    return known or node.op == "GlobalAveragePool" or any(has_trait(node, trait) for trait in _KEEPS)


def _uses(node: Node) -> bool:
    return has_trait(node, "recurrent") or has_trait(node, "attention") or node.op == "GlobalAveragePool"


def _mixes(node: Node) -> bool:
    return node.op in ("Flatten", "GlobalMaxPool")


def _ends(node: Node) -> bool:
    """Whether no steps are left after a node."""
    if has_trait(node, "recurrent"):
        return not attr(node, "return_sequences")
    return _mixes(node) or node.op == "GlobalAveragePool"
