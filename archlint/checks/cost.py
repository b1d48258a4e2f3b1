"""What a model costs: the parts of it that hold most, the number formats, the sizes that hardware likes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check
from archlint.checks.maps import in_channels, out_channels
from archlint.graph import Attr, Node
from archlint.ops import attr, has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts


@check(nodes={"node": "the layer with the most parameters"}, values={"layers": "layers with parameters"})
def heaviest_layer(facts: Facts) -> Iterator[Match | Unsure]:
    """The layer that holds the most parameters; the first of equals."""
    sizes = [(facts.params_of(node) or 0, node) for node in facts.graph.nodes if node.params]
    layers = [row for row in sizes if row[1].op != "Constant"]
    if layers:
        most = max(size for size, _ in layers)
        heaviest = next(node for size, node in layers if size == most)
        yield Match({"node": heaviest}, {"layers": len(layers)})


@check(
    nodes={"node": "the first layer that computes in float64"},
    values={
        "count": "layers that do",
        "params": "their parameters",
        "throughout": "whether the inputs and outputs of the model are float64 as well",
    },
)
def float64_layers(facts: Facts) -> Iterator[Match | Unsure]:
    """Layers whose weights are float64 or that multiply float64 tensors."""
    found = [node for node in facts.graph.nodes if _is_float64(facts, node)]
    if not found:
        return
    ports = (*(name for name, _ in facts.graph.inputs), *facts.graph.outputs)
    held = {param.name: param.size or 0 for node in found for param in node.params}
    values: dict[str, Attr] = {"count": len(found), "params": sum(held.values())}
    values["throughout"] = all(facts.tensor(name).dtype == "float64" for name in ports)
    yield Match({"node": found[0]}, values)


def _is_float64(facts: Facts, node: Node) -> bool:
    if has_trait(node, "constant") or not node.outputs:
        return False
    held = {param.dtype for param in node.params if param.size != 1}
    if held:
        return "float64" in held
    return facts.tensor(node.outputs[0]).dtype == "float64" and bool(facts.macs_of(node))


@check(
    nodes={"node": "the node that runs at the peak"},
    values={"weights": "bytes of the weights", "attends": "whether the node is part of attention"},
)
def activation_peak(facts: Facts) -> Iterator[Match | Unsure]:
    """Where the most activations are alive at once."""
    node = facts.activation_peak_at
    if node is None:
        yield Unsure(None, "the size of some activation is unknown")
    else:
        attends = has_trait(node, "attention") or node.op in ("Softmax", "MatMul", "Einsum")
        weights = 4 * facts.params if facts.params_exact else None
        yield Match({"node": node}, {"weights": weights, "attends": attends})


@check(
    nodes={"node": "the layer"},
    values={
        "channels": "the number that does not fit",
        "side": "whether it is read or made",
        "share": "its part of all MACs",
    },
)
def misaligned(facts: Facts, step: Attr) -> Iterator[Match | Unsure]:
    """Convolutions and dense layers inside the model whose channels are no multiple of ``step``.

    Left out: the first layer (its channels are the image's), the last ones (theirs are the classes), and
    grouped convolutions, which matrix units do not run.
    """
    total = facts.macs
    if not isinstance(step, int) or step < 1 or not total:
        return
    for node in facts.graph.nodes:
        if node.op not in ("Conv", "Dense") or _is_grouped(node):
            continue
        share = (facts.macs_of(node) or 0) / total
        read, made = in_channels(facts, node), out_channels(facts, node)
        if made is not None and made % step and facts.learners_after(node.outputs[0]):
            yield Match({"node": node}, {"channels": made, "side": "makes", "share": share})
        elif read is not None and read % step and read > step and _after_learner(facts, node):
            yield Match({"node": node}, {"channels": read, "side": "reads", "share": share})


def _is_grouped(node: Node) -> bool:
    """Whether a convolution works on groups of channels apart."""
    return node.op == "Conv" and attr(node, "groups") != 1


def _after_learner(facts: Facts, node: Node) -> bool:
    """Whether a layer with weights stands right before a node, norms and activations between left out."""
    value = node.inputs[0]
    while (maker := facts.graph.producers.get(value)) is not None:
        if (
            has_trait(maker, "learned")
            and not has_trait(maker, "norm")
            and not has_trait(maker, "activation")
        ):
            return True
        if not maker.inputs or not (has_trait(maker, "norm") or has_trait(maker, "activation")):
            return False
        value = maker.inputs[0]
    return False


@check(
    nodes={"table": "the embedding", "dense": "the layer that scores its vocabulary"},
    values={"rows": "entries of the vocabulary"},
)
def vocabulary_pairs(facts: Facts) -> Iterator[Match | Unsure]:
    """Output layers over the vocabulary of an embedding: as many units as the table has rows."""
    tables = {attr(node, "input_dim"): node for node in facts.graph.nodes if node.op == "Embedding"}
    for node in facts.graph.nodes if tables else ():
        table = (
            tables.get(out_channels(facts, node)) if node.op in ("Dense", "EinsumDense", "MatMul") else None
        )
        if table is not None and not facts.learners_after(node.outputs[0]):
            yield Match({"table": table, "dense": node}, {"rows": attr(table, "input_dim")})


@check(
    values={
        "input": "name of the input",
        "size": "its fixed spatial lengths",
        "smallest": "the smallest of them",
        "largest": "the largest of them",
    }
)
def input_sizes(facts: Facts) -> Iterator[Match | Unsure]:
    """Image inputs with the lengths that their spatial axes are fixed to."""
    shapes = {name: type_.shape for name, type_ in facts.graph.inputs}
    for name, axes in facts.spatial_inputs:
        sizes = tuple(size for axis in axes if isinstance(size := (shapes[name] or ())[axis], int))
        if sizes:
            yield Match({}, {"input": name, "size": sizes, "smallest": min(sizes), "largest": max(sizes)})
