"""What exporters leave behind: spelled-out operators, training switches, tensors that nothing reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check
from archlint.graph import Node
from archlint.ops import has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts

_SINCE: Mapping[str, int] = {"LayerNormalization": 17, "Gelu": 20, "HardSwish": 14, "Mish": 18}
"""Op → the opset that has it. Source: ONNX changelog of operators."""

_SCALES: Mapping[str, tuple[int, ...]] = {
    "QuantizeLinear": (1,),
    "DequantizeLinear": (1,),
    "QLinearConv": (1, 4, 6),
    "QLinearMatMul": (1, 4, 6),
}
"""Op → which inputs are scales. Source: ONNX operators."""

_BYTES: Mapping[str, int] = {
    "float64": 8,
    "int64": 8,
    "uint64": 8,
    "float16": 2,
    "bfloat16": 2,
    "int16": 2,
    "uint16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}


@check(
    nodes={"node": "the largest of them"},
    values={
        "count": "stored tensors that nothing reads",
        "names": "the first three",
        "bytes": "bytes that they hold",
    },
)
def unread_tensors(facts: Facts) -> Iterator[Match | Unsure]:
    """All stored tensors that no node reads and that are no output, as one match."""
    used = facts.graph.consumers
    found = [
        node
        for node in facts.graph.nodes
        if node.op == "Constant"
        and node.params
        and not any(used.get(value) or value in facts.graph.outputs for value in node.outputs)
    ]
    if found:
        sizes = {node.name: _bytes(node) for node in found}
        largest = max(found, key=lambda node: sizes[node.name])
        names = tuple(node.name for node in found[:3])
        yield Match({"node": largest}, {"count": len(found), "names": names, "bytes": sum(sizes.values())})


def _bytes(node: Node) -> int:
    param = node.params[0]
    return (param.size or 0) * _BYTES.get(param.dtype or "", 4)


@check(nodes={"node": "the node that acts as in training"})
def in_training(facts: Facts) -> Iterator[Match | Unsure]:
    """Nodes that are switched to training for good and read what an input decides.

    None in a file that states how it is trained. Augmentation is left out, since a pipeline that is saved as
    a model of its own is meant to change images. A norm over stored weights alone sees no batch: NFNets
    standardise their kernels that way (arXiv:2102.06171 §3, as timm writes it).
    """
    if facts.graph.metadata.get("training_info"):
        return
    for node in facts.graph.nodes:
        if node.attrs.get("training") is not True or has_trait(node, "augmentation"):
            continue
        if not facts.is_dead(node) and facts.reads_input(node):
            yield Match({"node": node})


@check(values={"count": "weights that are inputs as well"})
def overridable(facts: Facts) -> Iterator[Match | Unsure]:
    """Stored weights that a caller may override, as one match."""
    count = facts.graph.metadata.get("overridable_weights")
    if isinstance(count, int) and count > 0:
        yield Match({}, {"count": count})


@check()
def unnamed(facts: Facts) -> Iterator[Match | Unsure]:
    """A graph without a name, in a format that asks for one."""
    if facts.graph.format == "onnx" and not facts.graph.name:
        yield Match()


@check(
    nodes={"node": "the first of them"},
    values={
        "count": "operators that are spelled out",
        "ops": "which, with how many",
        "opset": "the opset that has all",
    },
)
def spelled_out(facts: Facts) -> Iterator[Match | Unsure]:
    """Operators that ONNX has, written as several smaller ones, as one match."""
    found = [node for node in facts.graph.nodes if node.op in _SINCE and _is_spelled_out(node)]
    if found:
        counts = Counter(node.op for node in found)
        ops = tuple(f"{count} {op}" for op, count in counts.items())
        opset = max(_SINCE[op] for op in counts)
        yield Match({"node": found[0]}, {"count": len(found), "ops": ops, "opset": opset})


def _is_spelled_out(node: Node) -> bool:
    native = node.origin.native
    return native not in ("", node.op) and not native.startswith(("com.", "ai.", "Skip", "Embed"))


@check(
    nodes={"second": "the node that quantizes again", "first": "the node that has just undone it"},
)
def requantized(facts: Facts) -> Iterator[Match | Unsure]:
    """A dequantization and a quantization in a row with the same scale and zero point."""
    for second in facts.graph.nodes:
        if second.op != "QuantizeLinear" or not second.inputs:
            continue
        first = facts.graph.producers.get(second.inputs[0])
        if first is None or first.op != "DequantizeLinear" or not first.inputs:
            continue
        theirs, ours = (
            tuple(_constant(facts, value) for value in node.inputs[1:]) for node in (first, second)
        )
        same_axis = first.attrs.get("axis") == second.attrs.get("axis")
        dtypes = (facts.tensor(first.inputs[0]).dtype, facts.tensor(second.outputs[0]).dtype)
        same_type = dtypes[0] is not None and dtypes[0] == dtypes[1]
        if theirs and theirs == ours and same_axis and None not in ours and same_type:
            yield Match({"second": second, "first": first})


def _constant(facts: Facts, value: str) -> object:
    """What tells a constant from others: its contents if known, else its name."""
    maker = facts.graph.producers.get(value)
    if maker is None or maker.op != "Constant" or not maker.params:
        return None
    param = maker.params[0]
    return value if param.value is None else (param.dtype, param.shape, param.value)


@check(
    nodes={"node": "the node with that scale"},
    values={"scale": "the scale"},
)
def impossible_scales(facts: Facts) -> Iterator[Match | Unsure]:
    """Quantized work with a scale that is zero or no finite number."""
    for node in facts.graph.nodes:
        for at in _SCALES.get(node.op, ()):
            value = facts.tensor(node.inputs[at]).value if at < len(node.inputs) else None
            bad = [item for item in value or () if isinstance(item, int | float) and not _is_scale(item)]
            if bad:
                yield Match({"node": node}, {"scale": bad[0]})
                break


def _is_scale(number: float) -> bool:
    return isfinite(number) and number != 0
