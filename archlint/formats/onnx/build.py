"""Records as a Graph in the normal form: names and order are checked, then the idioms are lifted."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence

from archlint.formats.onnx.lift import run_all
from archlint.formats.onnx.lift.bench import Bench
from archlint.formats.onnx.normal import op_and_attrs
from archlint.formats.onnx.records import RawGraph, RawNode, Stored
from archlint.formats.onnx.scope import Known, UniqueNames, label, ordered, reads
from archlint.formats.onnx.spelling import LEAST_INPUTS
from archlint.formats.onnx.wire import MalformedError
from archlint.graph import Graph, Node, Origin, Param

_FLOATS = ("float", "bfloat")


class Builder:
    """Builds the graph of one model.

    ``reordered`` counts graphs whose nodes stood in the wrong order; ``stored`` is every tensor met;
    ``constant_nodes`` are names of nodes that only turned a stored tensor around, and stand no more.
    """

    def __init__(self, opsets: Mapping[str, int]) -> None:
        self._opset = opsets.get("", 0) or max(opsets.values(), default=0)
        self.reordered = 0
        self.stored: list[Stored] = []
        self.constant_nodes: tuple[str, ...] = ()

    def build(
        self,
        raw: RawGraph,
        outer: Known | None = None,
        outer_constants: ChainMap[str, Node] | None = None,
        where: str = "",
    ) -> Graph:
        """The graph of a RawGraph; ``outer`` are the values around a body.

        Raises:
            MalformedError: dangling or cyclic values, or names that stand twice.
        """
        known = Known(outer)
        in_order, is_new = ordered(raw, known, where)
        self.reordered += is_new
        names = UniqueNames()
        node_names = [names.take(label(node)) for node in in_order]
        constants = {
            item.name: _constant(item, names.take(item.name), "initializer") for item in raw.initializers
        }
        self.stored.extend(raw.initializers)
        known.update(constants)
        known.update(name for name, _ in raw.inputs)
        nodes = []
        around: ChainMap[str, Node] = ChainMap() if outer_constants is None else outer_constants
        scope = around.new_child(constants)
        for node, name in zip(in_order, node_names, strict=True):
            held = _stored_in(node)
            if held is not None:
                self.stored.append(held)
                value = node.outputs[0]
                constants[value] = _constant(held, name, node.op, value, node.path)
            else:
                _check_inputs(node, where)
                bodies = self._bodies(node, known, scope, where)
                nodes.append(self._node(node, name, bodies))
            known.update(node.outputs)
        inputs = tuple((name, type_) for name, type_ in raw.inputs if name not in constants)
        outputs = tuple(value for value, _ in raw.outputs)
        bench = Bench(nodes, constants, inputs, outputs, around, _unread(in_order, constants, outputs))
        declared = {**raw.value_info, **dict(raw.outputs)}
        self.constant_nodes += run_all(bench, declared)
        return bench.graph(raw.name, declared)

    def _bodies(
        self, node: RawNode, known: Known, scope: ChainMap[str, Node], where: str
    ) -> tuple[tuple[str, Graph], ...]:
        found = []
        for key, value in node.attrs.items():
            if isinstance(value, RawGraph):
                place = f"{where}node '{label(node)}', body '{key}': "
                found.append((key, self.build(value, known, scope, place)))
        return tuple(found)

    def _node(self, raw: RawNode, name: str, bodies: tuple[tuple[str, Graph], ...]) -> Node:
        op, attrs = op_and_attrs(raw, self._opset)
        native = f"{raw.domain}.{raw.op}" if raw.domain else raw.op
        address = (*raw.path, raw.name or name)
        inputs, outputs = _trimmed(raw.inputs), _trimmed(raw.outputs)
        return Node(name, op, inputs, outputs, attrs, (), bodies, Origin(native, address))


def _unread(nodes: Sequence[RawNode], constants: Iterable[str], outputs: Iterable[str]) -> frozenset[str]:
    """The constants that no node reads, nor a body of one, and that are no output."""
    return frozenset(constants) - {value for node in nodes for value in reads(node)} - set(outputs)


def _check_inputs(node: RawNode, where: str) -> None:
    least = 0 if node.domain else LEAST_INPUTS.get(node.op, 0)
    given = sum(value != "" for value in node.inputs[:least])
    if given < least:
        place = f"{where}node '{label(node)}'"
        raise MalformedError(place, f"{node.op} needs its first {least} inputs, it has {given} of them")


def _trimmed(values: Sequence[str]) -> tuple[str, ...]:
    end = len(values)
    while end and not values[end - 1]:
        end -= 1
    return tuple(values[:end])


def _stored_in(node: RawNode) -> Stored | None:
    """The tensor of a Constant node; None for other nodes and for constants of another kind."""
    if node.op != "Constant" or node.domain or len(node.outputs) != 1:
        return None
    for key, value in node.attrs.items():
        if isinstance(value, Stored):
            return value
        if key in ("value_int", "value_float") and isinstance(value, int | float):
            return Stored("", "int64" if key == "value_int" else "float32", (), (value,))
        if key in ("value_ints", "value_floats") and isinstance(value, tuple):
            items = tuple(item for item in value if isinstance(item, int | float))
            kept = items if len(items) <= 64 else None
            return Stored("", "int64" if key == "value_ints" else "float32", (len(items),), kept)
        if key in ("value_string", "value_strings"):
            return Stored("", "string", (len(value),) if isinstance(value, tuple) else ())
    return None


def _constant(item: Stored, name: str, native: str, value: str = "", path: tuple[str, ...] = ()) -> Node:
    """The Constant node of a stored tensor; the param has the name of the value."""
    value = value or item.name
    trainable = (item.dtype or "").startswith(_FLOATS) and any(dim != 1 for dim in item.shape)
    kept = item.value if item.value is not None and all(number == number for number in item.value) else None
    param = Param(value, "value", item.shape, item.dtype, trainable, kept)
    return Node(name, "Constant", (), (value,), {}, (param,), (), Origin(native, (*path, name)))
