"""Recurrent layers, attention and padding masks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check, maps
from archlint.graph import Graph, Node
from archlint.ops import attr, has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts


@check(
    nodes={"layer": "the recurrent layer", "pick": "the node that picks the last step"},
    values={"both_ways": "whether the layer reads both ways", "steps": "steps of the sequence"},
)
def last_steps(facts: Facts) -> Iterator[Match | Unsure]:
    """Recurrent layers that put out every step, of which only the last is read."""
    for layer in facts.graph.nodes:
        if layer.op not in ("LSTM", "GRU", "RNN") or not attr(layer, "return_sequences"):
            continue
        if attr(layer, "merge_mode") is None:
            continue
        picks = facts.last_step_picks(layer)
        if picks:
            shape, axis = facts.in_shape(layer), attr(layer, "time_axis")
            steps = shape[axis] if shape is not None and isinstance(axis, int) and len(shape) > axis else None
            both = attr(layer, "direction") == "bidirectional"
            known = steps if isinstance(steps, int) else 0
            yield Match({"layer": layer, "pick": picks[0]}, {"both_ways": both, "steps": known})


@check(
    nodes={"maker": "makes the mask", "dropper": "drops it", "user": "needs it, or mixes all steps"},
    values={"merged": "whether it is dropped where a value without a mask is merged in"},
)
def dropped_masks(facts: Facts) -> Iterator[Match | Unsure]:
    """Padding masks that do not reach what needs them, one match per node that drops one."""
    seen: set[str] = set()
    for lost in facts.lost_masks:
        if lost.dropper.name not in seen:
            seen.add(lost.dropper.name)
            nodes = {"maker": lost.maker, "dropper": lost.dropper, "user": lost.user}
            yield Match(nodes, {"merged": len(lost.dropper.inputs) > 1})


@check(nodes={"attention": "the attention layer", "embedding": "the table that its words are looked up in"})
def orderless_attention(facts: Facts) -> Iterator[Match | Unsure]:
    """Attention layers over embedded words in a model that nowhere learns their order."""
    table = next((node for node in facts.graph.nodes if node.op == "Embedding"), None)
    for attention in facts.blind_attentions:
        if table is not None:
            yield Match({"attention": attention, "embedding": table})


@check(
    nodes={"attention": "the attention layer", "embedding": "the table of words"},
    values={"words": "how many words the model tells apart, at its input and at its output"},
)
def unmasked_language_model(facts: Facts) -> Iterator[Match | Unsure]:
    """Self-attention without a mask in a model that puts out, per position, one of the words it reads."""
    graph = facts.graph
    tables = [node for node in graph.nodes if node.op == "Embedding" and attr(node, "input_dim")]
    shape = facts.shape(graph.outputs[0]) if len(graph.outputs) == 1 and len(graph.inputs) == 1 else None
    table = next((node for node in tables if shape and attr(node, "input_dim") == shape[-1]), None)
    if table is None or shape is None or len(shape) != 3 or _is_masked(graph):
        return
    for node in graph.nodes:
        if has_trait(node, "attention") and len(node.inputs) > 1 and node.inputs[0] == node.inputs[1]:
            yield Match({"attention": node, "embedding": table}, {"words": shape[-1]})


def _is_masked(graph: Graph) -> bool:
    """Whether some attention is causal or reads a mask, or the names speak of masked words."""
    names = " ".join((graph.name, *(node.name for node in graph.nodes), *graph.outputs)).lower()
    if any(word in names for word in ("mlm", "bert", "masked", "encoder")):
        return True
    attention = [node for node in graph.nodes if has_trait(node, "attention")]
    return any(node.attrs.get("causal") or len(node.inputs) > 3 for node in attention)


@check(
    nodes={"attention": "the attention layer"},
    values={
        "heads": "its heads",
        "head": "width of a head",
        "width": "features of its input",
        "now": "parameters that it holds",
        "usual": "parameters with heads that share the width",
    },
)
def head_sizes(facts: Facts) -> Iterator[Match | Unsure]:
    """Multi-head attention layers with the width of their heads and of what they read."""
    for node in facts.graph.nodes:
        if node.op != "MultiHeadAttention" or not node.inputs:
            continue
        heads, head = attr(node, "num_heads"), attr(node, "key_dim")
        width, now = maps.in_channels(facts, node), facts.params_of(node)
        if not isinstance(heads, int) or not isinstance(head, int) or width is None or now is None:
            yield Unsure(node, "its heads or its input are unknown")
            continue
        values = {"heads": heads, "head": head, "width": width, "now": now}
        yield Match({"attention": node}, {**values, "usual": 4 * width * width + 4 * width})


@check(
    nodes={"loop": "the loop"}, values={"gates": "gates of the cell that its body computes", "op": "its op"}
)
def lowered_cells(facts: Facts) -> Iterator[Match | Unsure]:
    """Loops whose body is the cell of a recurrent layer: matrix products, sigmoid gates and a tanh."""
    for loop in facts.graph.nodes:
        for _, body in loop.bodies if loop.op in ("Loop", "Scan") else ():
            gates = [node for node in body.nodes if node.op in ("Sigmoid", "HardSigmoid")]
            products = any(node.op in ("MatMul", "Gemm", "Dense") for node in body.nodes)
            if products and len(gates) >= 2 and any(node.op == "Tanh" for node in body.nodes):
                yield Match({"loop": loop}, {"gates": len(gates), "op": loop.op})


@check(nodes={"table": "the table of words at the input", "out": "the dense layer with another such table"})
def untied_tables(facts: Facts) -> Iterator[Match | Unsure]:
    """Dense layers whose kernel has the size of an embedding, neither of them shared."""
    tables: dict[object, Node] = {}
    for node in facts.graph.nodes:
        if node.op == "Embedding" and not maps.is_shared(facts, node):
            tables.setdefault((attr(node, "input_dim"), attr(node, "output_dim")), node)
    for out in facts.graph.nodes if tables else ():
        size = (attr(out, "units"), maps.in_channels(facts, out)) if out.op == "Dense" else (None, None)
        table = tables.get(size)
        if table is not None and None not in size and not maps.is_shared(facts, out):
            yield Match({"table": table, "out": out})
