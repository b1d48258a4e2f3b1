"""What keeps a model from running elsewhere: versions, operators, domains, batch sizes, number formats."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check
from archlint.checks.maps import keeps_values
from archlint.graph import Attr, Graph, Node, Shape
from archlint.ops import attr, has_trait
from archlint.targets import Target, target

if TYPE_CHECKING:
    from archlint.facts import Facts


def _targets(names: Attr) -> list[Target]:
    return [target(str(name)) for name in names] if isinstance(names, tuple) else []


@check(
    values={
        "version": "the version that the file states",
        "low": "lowest version that all of these targets load",
        "high": "highest version that all of these targets load",
        "where": "the targets that do not load it",
    }
)
def version_outside(facts: Facts, names: Attr, what: Attr) -> Iterator[Match | Unsure]:
    """The ``opset`` or ``ir_version`` of an ONNX model that some named target does not load."""
    version = facts.graph.metadata.get(str(what))
    if not isinstance(version, int) or version < 1:
        return
    bounds = [(one.title, one.opset if what == "opset" else one.ir_version) for one in _targets(names)]
    missed = [(title, row) for title, row in bounds if row and not row[0] <= version <= row[1]]
    if missed:
        low, high = max(row[0] for _, row in missed), min(row[1] for _, row in missed)
        titles = tuple(title for title, _ in missed)
        yield Match({}, {"version": version, "low": low, "high": high, "where": titles})


def _natives(graph: Graph) -> Iterator[tuple[Node, str, tuple[str, ...]]]:
    """Node of the outer graph, native name and address; what stands in bodies counts for its outer node."""
    for node in graph.nodes:
        waiting = [node]
        while waiting:
            one = waiting.pop()
            yield node, one.origin.native, one.origin.address
            waiting.extend(inner for _, body in one.bodies for inner in body.nodes)


@check(
    nodes={"node": "the first node of that kind"},
    values={
        "native": "what the file calls it",
        "count": "how many there are",
        "where": "the targets that cannot run it",
        "because": "what the first of them says of it",
        "refuses": "whether one of them refuses the whole model",
        "open_batch": "whether that is so only because the batch is open",
    },
)
def unsupported(facts: Facts, names: Attr) -> Iterator[Match | Unsure]:
    """Operators and layers that a named target cannot run, a match per kind at its first node."""
    tables = [(one, one.unsupported.get(_family(facts.graph), {})) for one in _targets(names)]
    if not any(table for _, table in tables):
        return
    batches = {type_.shape[0] for _, type_ in facts.graph.inputs if type_.shape}
    is_open = not all(isinstance(batch, int) for batch in batches)
    first: dict[str, Node] = {}
    places: dict[str, set[tuple[str, ...]]] = {}
    for node, native, address in _natives(facts.graph):
        first.setdefault(native, node)
        places.setdefault(native, set()).add(address)
    for native, node in first.items():
        limits = [(one, table[native]) for one, table in tables if native in table]
        found = [(one, limit) for one, limit in limits if is_open or not limit.open_batch]
        if found:
            values: dict[str, Attr] = {"native": native, "count": len(places[native])}
            values["because"] = found[0][1].because
            values["open_batch"] = all(limit.open_batch for _, limit in found)
            values["where"] = tuple(one.title for one, _ in found)
            values["refuses"] = any(one.refuses for one, _ in found)
            yield Match({"node": node}, values)


def _family(graph: Graph) -> str:
    return "onnx" if graph.format.startswith("onnx") else "keras"


_STANDARD = frozenset({"ai.onnx", "ai.onnx.ml", "ai.onnx.preview.training", "ai.onnx.training"})


@check(
    nodes={"node": "the first operator of that domain"},
    values={"domain": "the domain", "ops": "its operators", "count": "how many nodes use them"},
)
def foreign_domains(facts: Facts) -> Iterator[Match | Unsure]:
    """Domains of operators that are neither ONNX's nor defined in the file, a match per domain."""
    found: dict[str, list[tuple[Node, str]]] = {}
    for node, native, _ in _natives(facts.graph):
        domain, dot, op = native.rpartition(".")
        if dot and domain not in _STANDARD and has_trait(node, "unknown"):
            found.setdefault(domain, []).append((node, op))
    for domain, rows in found.items():
        ops = tuple(sorted({op for _, op in rows}))
        yield Match({"node": rows[0][0]}, {"domain": domain, "ops": ops, "count": len(rows)})


@check(
    nodes={"node": "the reshape"},
    values={"batch": "the only batch size that it takes", "shape": "the shape that it asks for"},
)
def batch_in_reshape(facts: Facts) -> Iterator[Match | Unsure]:
    """Reshapes to a constant size of what has an open batch axis: they work for one batch size only."""
    batches = {type_.shape[0] for _, type_ in facts.graph.inputs if type_.shape}
    for node in facts.graph.nodes:
        wanted = attr(node, "shape") if node.op == "Reshape" else None
        shape = facts.in_shape(node)
        if not isinstance(wanted, tuple) or not shape or shape[0] not in batches or isinstance(shape[0], int):
            continue
        sizes = [size for size in wanted if isinstance(size, int) and size > 0]
        rest = [size for size in shape[1:] if isinstance(size, int)]
        if shape[0] is None or len(sizes) != len(wanted) or len(rest) != len(shape) - 1 or 0 in rest:
            continue
        batch, left = divmod(prod(sizes), prod(rest))
        if batch >= 1 and left == 0:
            yield Match({"node": node}, {"batch": batch, "shape": tuple(sizes)})


_SMALLEST = 2.0**-24
"""Smallest positive number of IEEE 754 binary16; half of it and less rounds to zero."""


@check(
    nodes={"node": "the layer"},
    values={"epsilon": "its epsilon", "count": "how many layers have one that small"},
)
def epsilon_lost(facts: Facts) -> Iterator[Match | Unsure]:
    """Normalisations whose epsilon becomes zero in half precision, one match at the first."""
    found = []
    for node in facts.graph.nodes:
        epsilon = node.attrs.get("epsilon")
        if has_trait(node, "norm") and isinstance(epsilon, int | float) and 0 < epsilon <= _SMALLEST / 2:
            found.append((node, epsilon))
    if found:
        yield Match({"node": found[0][0]}, {"epsilon": found[0][1], "count": len(found)})


@check(
    nodes={"conv": "the first convolution"}, values={"input": "name of the input", "channels": "its channels"}
)
def raw_image(facts: Facts) -> Iterator[Match | Unsure]:
    """Images of floats that go into a convolution with nothing that scales or normalises them."""
    for name, type_ in facts.graph.inputs:
        channels = _image_channels(type_.shape)
        if channels is None or not (type_.dtype or "").startswith("float"):
            continue
        readers = list(facts.users(name))
        for node in readers:
            if _keeps_scale(node):
                readers.extend(user for value in node.outputs for user in facts.users(value))
        if readers and all(node.op == "Conv" or _keeps_scale(node) for node in readers):
            first = next((node for node in readers if node.op == "Conv"), None)
            if first is not None:
                yield Match({"conv": first}, {"input": name, "channels": channels})


def _keeps_scale(node: Node) -> bool:
    """Whether pixels leave a node in the range in which they came: padding, dropout, augmentation."""
    return keeps_values(node) or node.op == "Pad" or has_trait(node, "augmentation")


def _image_channels(shape: Shape) -> int | None:
    """1 or 3 when a shape is that of images in either layout."""
    if shape is None or len(shape) != 4:
        return None
    sizes = {axis: shape[axis] for axis in (1, 3)}
    return next((size for size in (sizes[3], sizes[1]) if isinstance(size, int) and size in (1, 3)), None)


_OPAQUE = re.compile(r"\d+|(onnx::|/).*|(input|output|args|keras_tensor|Identity)([._:]?\d+)*")


@check(values={"names": "names that say nothing", "count": "how many inputs and outputs there are"})
def opaque_names(facts: Facts) -> Iterator[Match | Unsure]:
    """Inputs and outputs that are called what a converter called them."""
    ports = [name for name, _ in facts.graph.inputs] + list(facts.graph.outputs)
    opaque = tuple(dict.fromkeys(name for name in ports if _OPAQUE.fullmatch(name)))
    if opaque:
        yield Match({}, {"names": opaque, "count": len(ports)})


@check(
    values={
        "name": "name of the first input",
        "batch": "its fixed batch",
        "stateful": "whether a recurrent layer keeps its state between batches",
    }
)
def fixed_batches(facts: Facts) -> Iterator[Match | Unsure]:
    """The batch that all inputs are fixed to; nothing when they differ, one is open, or it is time."""
    if any(_is_time_first(facts, name) for name, _ in facts.graph.inputs):
        return
    shapes = [(name, type_.shape) for name, type_ in facts.graph.inputs]
    sizes = {shape[0] if shape else None for _, shape in shapes}
    batch = sizes.pop() if len(sizes) == 1 else None
    if isinstance(batch, int):
        stateful = any(node.attrs.get("stateful") is True for node in facts.graph.nodes)
        yield Match({}, {"name": shapes[0][0], "batch": batch, "stateful": stateful})


def _is_time_first(facts: Facts, name: str) -> bool:
    """Whether a recurrent layer takes the first axis of an input for the steps, as ONNX and PyTorch do."""
    readers = facts.graph.consumers.get(name, ())
    return any(node.op in ("LSTM", "GRU", "RNN") and attr(node, "time_axis") == 0 for node in readers)
