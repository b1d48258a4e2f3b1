"""Work that is done twice, or at every run although it could be done once."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from math import prod
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check
from archlint.graph import Node
from archlint.ops import has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts

_NOT_REPEATABLE = ("random", "constant", "control", "unknown", "augmentation", "preprocessing", "transparent")
_VIEWS = frozenset(
    {"Slice", "Gather", "Embedding", "Split", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Expand"}
)
"""What only hands numbers on: PyTorch's exporters cut the same zeros twice, for both states of an LSTM, and
look up the rows of a stored position table in all encoders of transformers."""
_GROWS = frozenset({"ConstantOfShape", "Expand", "Tile", "Range", "EyeLike", "OneHot", "Cast"})
"""What may make a small stored tensor large on purpose; weights are kept in half precision and cast, too."""


@check(
    nodes={"node": "the node that repeats", "first": "the node that has done it already"},
    values={"macs": "multiply-accumulates that are done again, none known as 0"},
)
def repeated_work(facts: Facts) -> Iterator[Match | Unsure]:
    """Nodes of the same op, settings, weights and inputs as one before them; their readers count on."""
    same: dict[str, str] = {}
    seen: dict[Hashable, Node] = {}
    for node in facts.graph.nodes:
        if node.op == "Constant":
            param = node.params[0] if node.params else None
            if param is not None and param.value is not None and node.outputs:
                key: Hashable = (param.dtype, param.shape, param.value)
                same[node.outputs[0]] = seen.setdefault(key, node).outputs[0]
            continue
        if not _is_repeatable(node):
            continue
        inputs = tuple(same.get(value, value) for value in node.inputs)
        weights = tuple((param.role, param.name) for param in node.params)
        first = seen.setdefault((node.op, inputs, weights, _settings(node)), node)
        if first is node:
            continue
        same.update(zip(node.outputs, first.outputs, strict=False))
        told = node.op not in _VIEWS and _is_float(facts, node) and not facts.is_dead(node)
        told = told and facts.reads_input(node)
        if told and len(node.outputs) == len(first.outputs):
            yield Match({"node": node, "first": first}, {"macs": facts.macs_of(node) or 0})


def _is_repeatable(node: Node) -> bool:
    if has_trait(node, "learned") and not node.params:
        return False
    drops = node.attrs.get("dropout") or node.attrs.get("recurrent_dropout") or node.attrs.get("stateful")
    return (
        bool(node.inputs and node.outputs)
        and not node.bodies
        and not drops
        and not any(has_trait(node, trait) for trait in _NOT_REPEATABLE)
    )


def _settings(node: Node) -> Hashable:
    """The settings; 1 and 1.0 and True are not the same setting."""
    return tuple((name, repr(value)) for name, value in sorted(node.attrs.items()))


def _is_float(facts: Facts, node: Node) -> bool:
    """Whether it makes floats: repeated arithmetic on shapes and indices costs nothing."""
    tensor = facts.tensor(node.outputs[0])
    return tensor.dtype is not None and "float" in tensor.dtype and tensor.shape not in (None, ())


@check(
    nodes={"node": "the last of the first such chain"},
    values={"count": "nodes that only depend on stored tensors", "names": "the first three of them"},
)
def constant_work(facts: Facts) -> Iterator[Match | Unsure]:
    """All nodes that compute the same floats at every run, as one match; no single or larger ones."""
    known = {node.outputs[0] for node in facts.graph.nodes if node.op == "Constant" and node.outputs}
    found = []
    for node in facts.graph.nodes:
        if node.op != "Constant" and _is_constant_work(facts, node, known):
            known.update(node.outputs)
            told = node.op not in _VIEWS and not any(map(facts.holds_whole_numbers, node.outputs[:1]))
            found += [node] if told else []
    stated = facts.graph.metadata.get("constant_nodes")
    lifted = [name for name in stated if isinstance(name, str)] if isinstance(stated, tuple) else []
    names = list(dict.fromkeys((*lifted, *(node.name for node in found))))
    if names:
        yield Match({"node": found[0]} if found else {}, {"count": len(names), "names": tuple(names[:3])})


def _is_constant_work(facts: Facts, node: Node, known: set[str]) -> bool:
    if not node.inputs or node.bodies or node.op in _GROWS or facts.is_dead(node):
        return False
    if any(value and value not in known for value in node.inputs):
        return False
    if any(
        has_trait(node, trait) for trait in ("random", "quantization", "unknown", "control", "transparent")
    ):
        return False
    before = [_elements(facts, value) for value in node.inputs if value]
    after = [_elements(facts, value) for value in node.outputs if value]
    if None in before or None in after:
        return False
    held = sum(param.size or 0 for param in node.params)
    return 1 < sum(size or 0 for size in after) <= 2 * (sum(size or 0 for size in before) + held)


def _elements(facts: Facts, value: str) -> int | None:
    shape = facts.shape(value)
    if shape is None or not all(isinstance(dim, int) for dim in shape):
        return None
    return prod(dim for dim in shape if isinstance(dim, int))
