"""Nodes that are taken out since what they do is nothing, undone, or never looked at.

Nothing is computed: the readers of a value read another one that holds the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from archlint.checks import Match
from archlint.checks.graph_layout import separate_pads
from archlint.checks.graph_noops import no_ops
from archlint.checks.graph_repeats import repeated_work
from archlint.fixes import PatchError, rewrite
from archlint.fixes.maps import acts_on_each, only_reader
from archlint.fixes.stored import is_onnx
from archlint.graph import Attr, Edit, Graph, Node, Splice
from archlint.ops import attr

if TYPE_CHECKING:
    from archlint.checks import Check
    from archlint.facts import Facts


def instead(graph: Graph, gone: Iterable[Node], moved: Mapping[str, str]) -> Splice:
    """The edit that takes out nodes, and constants that only they read; ``moved`` is where readers look.

    Raises: PatchError: a value that would go is an output of the model, or somebody still reads it.
    """
    names = {node.name for node in gone}
    found = [graph.by_name[name] for name in sorted(names)]
    for node in found:
        for value in filter(None, node.outputs):
            if value in graph.outputs:
                raise PatchError(f"'{node.name}' makes an output of the model, and its name has to stay")
            readers = [one.name for one in graph.consumers.get(value, ()) if one.name not in names]
            if value not in moved and readers:
                raise PatchError(f"'{readers[0]}' reads '{value}' of '{node.name}' as well")
    for value in (value for node in found for value in node.inputs if value):
        maker = graph.producers.get(value)
        alone = value not in graph.outputs and all(one.name in names for one in graph.consumers[value])
        if maker is not None and maker.op == "Constant" and alone:
            names.add(maker.name)
    moved = {old: new for old, new in moved.items() if graph.consumers.get(old)}
    return Splice(frozenset(names), moved=moved)


def _confirmed(facts: Facts, find: Check, role: str, node: Node, **others: Node) -> None:
    wanted = {role: node.name, **{name: one.name for name, one in others.items()}}
    for match in find(facts):
        if isinstance(match, Match) and wanted == {name: one.name for name, one in match.nodes.items()}:
            return
    raise PatchError(f"what '{node.name}' does is not known to change nothing")


@rewrite(nodes={"node": "a node that hands on what it gets"})
def no_op(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """Takes out a node that the check ``graph_noops.no_ops`` proves to be the identity."""
    node = nodes["node"]
    _confirmed(facts, no_ops, "node", node)
    source = node.inputs[0]
    if len(node.inputs) == 2 and node.op in ("Add", "Mul"):
        maker = facts.graph.producers.get(source)
        source = node.inputs[1] if maker is not None and maker.op == "Constant" else source
    return (instead(facts.graph, [node], {node.outputs[0]: source}),)


@rewrite(nodes={"soft": "the softmax", "best": "the ArgMax that alone reads it"})
def softmax(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """ArgMax(softmax(z)) = ArgMax(z), as exp and division by a positive number keep the order.

    Where scores are so far apart that softmax rounds two of them to the same number, the order of the
    scores themselves decides, which is what was meant.
    """
    soft, best = nodes["soft"], nodes["best"]
    if soft.attrs.get("flatten_from") is not None:
        raise PatchError(f"'{soft.name}' works on several axes at once")
    if only_reader(facts.graph, soft.outputs[0]) is not best or best.op != "ArgMax":
        raise PatchError(f"'{soft.name}' is read for more than the place of its maximum")
    return (instead(facts.graph, [soft], {soft.outputs[0]: soft.inputs[0]}),)


@rewrite(nodes={"first": "the transpose that is undone", "second": "the one that undoes it"})
def transposes(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """Takes out two transposes with perm₁[perm₂] = id; elementwise nodes may stand between."""
    graph, first, second = facts.graph, nodes["first"], nodes["second"]
    one, two = attr(first, "perm"), attr(second, "perm")
    if not isinstance(one, tuple) or not isinstance(two, tuple) or len(one) != len(two):
        raise PatchError(f"the orders of '{first.name}' and '{second.name}' are not known")
    if [one[axis] for axis in two if isinstance(axis, int)] != list(range(len(one))):
        raise PatchError(f"'{second.name}' does not undo '{first.name}'")
    if second.inputs[0] == first.outputs[0]:
        alone = only_reader(graph, first.outputs[0]) is not None
        gone = [first, second] if alone else [second]
        return (instead(graph, gone, {second.outputs[0]: first.inputs[0]}),)
    value = first.outputs[0]
    while (node := only_reader(graph, value)) is not None and node is not second:
        if not acts_on_each(node):
            raise PatchError(f"'{node.name}' does not work on each element by itself")
        value = node.outputs[0]
    if node is None:
        raise PatchError(f"what '{first.name}' makes is read elsewhere as well")
    moved = {first.outputs[0]: first.inputs[0], second.outputs[0]: second.inputs[0]}
    return (instead(graph, [first, second], moved),)


@rewrite(nodes={"pad": "zeros around a map", "window": "the convolution or pool that could add them"})
def padding(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """Adds what a Pad adds per spatial axis to the padding of the window behind it.

    A convolution reads zeros in either case. The check behind the finding asks that a maximum sees no
    negative numbers and that an average counts its padding.
    """
    pad, window = nodes["pad"], nodes["window"]
    if not is_onnx(facts.graph):
        raise PatchError("Keras pads both sides of a window alike, so the zeros need a layer of their own")
    found = [one for one in separate_pads(facts) if isinstance(one, Match) and one.nodes["window"] is window]
    if not found or found[0].nodes["pad"] is not pad or window.attrs.get("ceil_mode"):
        raise PatchError(f"'{window.name}' is not known to give the same with padding of its own")
    pads = _pairs(found[0].values["pads"])
    old = _pairs(attr(window, "padding")) or ((0, 0),) * len(pads)
    total = tuple((a + c, b + d) for (a, b), (c, d) in zip(pads, old, strict=True))
    edit = instead(facts.graph, [pad], {pad.outputs[0]: pad.inputs[0]})
    source = edit.moved.get(window.inputs[0], window.inputs[0])
    added = replace(window, inputs=(source, *window.inputs[1:]), attrs={**window.attrs, "padding": total})
    return (replace(edit, removed=edit.removed | {window.name}, added=(added,)),)


def _pairs(stated: Attr) -> tuple[tuple[int, int], ...]:
    """(before, after) per axis; empty for a padding that is a word."""
    rows = [row for row in stated if isinstance(row, tuple)] if isinstance(stated, tuple) else []
    return tuple((a, b) for a, b in rows if isinstance(a, int) and isinstance(b, int))


@rewrite(nodes={"node": "the largest stored tensor that nothing reads"})
def unread(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """Takes out all stored tensors that no node reads and that are no output."""
    graph = facts.graph
    gone = [
        node.name
        for node in graph.nodes
        if node.op == "Constant"
        and node.params
        and not any(graph.consumers.get(value) or value in graph.outputs for value in node.outputs)
    ]
    return (Splice(frozenset(gone)),)


@rewrite(nodes={"node": "a node that no output needs"})
def dead(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """Takes out a node that no output needs, with what leads only to it and what reads it."""
    graph, gone = facts.graph, {nodes["node"].name}
    if not facts.is_dead(nodes["node"]):
        raise PatchError(f"an output needs '{nodes['node'].name}'")
    for node in graph.nodes:  # readers stand behind what they read
        if any(graph.producers[value].name in gone for value in node.inputs if value in graph.producers):
            gone.add(node.name)
    for node in reversed(graph.nodes):
        readers = [one for value in node.outputs if value for one in graph.consumers.get(value, ())]
        if readers and all(one.name in gone for one in readers) and facts.is_dead(node):
            gone.add(node.name)
    return (Splice(frozenset(gone)),)


@rewrite(nodes={"node": "the node that repeats", "first": "the node that has done it already"})
def repeated(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """The readers of a node that does again what another did read the other's values."""
    node, first = nodes["node"], nodes["first"]
    _confirmed(facts, repeated_work, "node", node, first=first)
    return (instead(facts.graph, [node], dict(zip(node.outputs, first.outputs, strict=True))),)


@rewrite(nodes={"first": "a node that is undone", "second": "the node that undoes it"})
def pair(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """The readers of the second of a pair that together change nothing read what the first reads."""
    graph, first, second = facts.graph, nodes["first"], nodes["second"]
    if second.inputs[0] != first.outputs[0]:
        raise PatchError(f"something stands between '{first.name}' and '{second.name}'")
    same = facts.tensor(first.inputs[0]).dtype
    if same is None or facts.tensor(second.outputs[0]).dtype != same:
        raise PatchError(f"'{second.name}' is not known to give back the type that '{first.name}' reads")
    gone = [first, second] if only_reader(graph, first.outputs[0]) is not None else [second]
    return (instead(graph, gone, {second.outputs[0]: first.inputs[0]}),)


@rewrite(nodes={"first": "a cast that loses nothing", "second": "the cast that reads it"})
def cast(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """The second cast reads what the first reads; the first goes if nobody else reads it."""
    graph, first, second = facts.graph, nodes["first"], nodes["second"]
    if (first.op, second.op) != ("Cast", "Cast") or second.inputs[0] != first.outputs[0]:
        raise PatchError(f"'{second.name}' does not cast what '{first.name}' has cast")
    added = (replace(second, inputs=first.inputs),)
    alone = only_reader(graph, first.outputs[0]) is second
    return (Splice(frozenset({second.name} | ({first.name} if alone else set())), added),)


@rewrite(nodes={"node": "a reshape to a stated batch"})
def free_batch(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """The first number of a reshape's target becomes -1, which is worked out from the other numbers.

    At the batch that was stated it is the same number; where -1 stands already, 0 copies the batch, if the
    first axis holds nothing else. One row per sample is a Flatten.
    """
    node = nodes["node"]
    target, shape = attr(node, "shape"), facts.in_shape(node)
    if node.op != "Reshape" or not isinstance(target, tuple) or len(node.inputs) != 1 or not target:
        raise PatchError(f"'{node.name}' does not state its target")
    rest = target[1:]
    inner = [dim for dim in shape[1:] if isinstance(dim, int)] if shape is not None else []
    whole = shape is not None and len(inner) == len(shape) - 1
    if whole and len(rest) == 1 and rest[0] in (-1, _product(inner)):
        return (Splice(frozenset({node.name}), (replace(node, op="Flatten", attrs={}),)),)
    if all(isinstance(item, int) and item > 0 for item in rest):
        first = -1
    elif -1 in rest and shape is not None and not attr(node, "allowzero") and rest[:1] != (0,):
        stated = [item for item in rest if isinstance(item, int) and item > 0]
        if not whole or _product(inner) % _product(stated):
            raise PatchError(f"'{node.name}' spreads its samples over several axes")
        first = 0
    else:
        raise PatchError(f"the other lengths of '{node.name}' are not known")
    added = replace(node, attrs={**node.attrs, "shape": (first, *rest)})
    return (Splice(frozenset({node.name}), (added,)),)


def _product(lengths: list[int]) -> int:
    total = 1
    for length in lengths:
        total *= length
    return total
