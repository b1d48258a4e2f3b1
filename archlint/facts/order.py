"""Whether a value knows the order of the words that it was made from.

A lookup of each word, maps of each position and attention treat all positions alike: what they make of a
permuted sentence is the permuted result. Anything else may tell positions apart and counts as knowing them.
"""

from __future__ import annotations

from archlint.graph import Graph, Node
from archlint.ops import Inference, attr, has_trait
from archlint.ops.base import UNKNOWN

_ALIKE = ("norm", "activation", "elementwise", "random", "cast", "transparent", "join", "attention")
_ALIKE_OPS = frozenset({"Dense", "EinsumDense", "Transpose", "Squeeze", "Unsqueeze", "Reshape", "Split"})
_WAVES = frozenset({"Sin", "Cos"})

Order = str
""""words": the ids themselves; "blind": made of words, whatever their order; "knows": anything else."""


def orders(graph: Graph, types: Inference) -> dict[str, Order | None]:
    """What each value knows of the order of words; None for what is no function of positions."""
    known: dict[str, Order | None] = {}
    for name, type_ in graph.inputs:
        known[name] = "words" if len(type_.shape or ()) == 2 else "knows"
    for node in graph.nodes:
        made = _after(node, [known.get(value) for value in node.inputs if value], types)
        known.update(dict.fromkeys(node.outputs, made))
    return known


def _after(node: Node, seen: list[Order | None], types: Inference) -> Order | None:
    if has_trait(node, "constant"):
        return _constant(node, types)
    if "knows" in seen or node.op in _WAVES or node.attrs.get("causal"):
        return "knows"
    if node.op == "Embedding":
        return "blind" if seen == ["words"] else "knows"
    if seen == ["words"]:
        return "words" if has_trait(node, "elementwise") or has_trait(node, "cast") else "knows"
    if node.op not in _ALIKE_OPS and not any(has_trait(node, trait) for trait in _ALIKE):
        return "knows"
    return "blind" if "blind" in seen else None if set(seen) <= {None} else "knows"


def _constant(node: Node, types: Inference) -> Order | None:
    """A stored table with an axis of several rows may hold one row per position."""
    shape = types.tensors.get(node.outputs[0], UNKNOWN).shape if node.outputs else None
    if shape is None:
        return "knows"
    return None if all(length == 1 for length in shape[:-1]) else "knows"


def reads_order(node: Node) -> bool:
    """Whether a node treats positions differently: windows of several taps, recurrence, flattening."""
    if has_trait(node, "recurrent") or node.op == "Flatten":
        return True
    kernel = node.attrs.get("kernel")
    return has_trait(node, "windowed") and isinstance(kernel, tuple) and any(length != 1 for length in kernel)


def blind_attentions(graph: Graph, types: Inference) -> tuple[Node, ...]:
    """The attention nodes over words of unknown order, in a model that never looks at the order elsewhere.

    A second input may hold the positions (BERT's position ids), so only models with one are judged.
    """
    if len(graph.inputs) != 1 or any(reads_order(node) for node in graph.nodes):
        return ()
    attention = [node for node in graph.nodes if has_trait(node, "attention") and len(node.inputs) < 4]
    if not attention or any(attr(node, "causal") for node in attention if "causal" in node.attrs):
        return ()
    known = orders(graph, types)
    return tuple(
        node for node in attention if {known.get(value) for value in node.inputs if value} == {"blind"}
    )
