"""Which ONNX nodes and tensors stay, which go and which are new, for edits of the normal form.

A native node is found by the values that it makes, which the normal form calls as the file does: where a node
of the normal form is taken out, the makers of its values are; what only served them (constants of axes, the
product in front of a bias) serves nothing any more and goes too. What served nothing before the edits stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace

from archlint.dataclass import dataclass
from archlint.errors import PatchError
from archlint.formats.onnx.records import RawGraph, RawModel, RawNode
from archlint.formats.onnx.scope import UniqueNames, label, reads
from archlint.formats.onnx.write.forms import emit
from archlint.formats.onnx.write.native import Names, Native, Proto
from archlint.graph import Edit, Graph, Made, Node, Param, Splice, apply
from archlint.ops.base import Tensor


@dataclass(frozen=True, slots=True)
class Item:
    """One ONNX node of the patched file: the ``at``-th of the original, or a new one.

    ``renamed`` are inputs that read another value now; ``name`` is set where the file's name would lead the
    reader to another one than before.
    """

    outputs: tuple[str, ...]
    reads: tuple[str, ...]
    at: int = -1
    proto: Proto = None
    renamed: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None


@dataclass(slots=True)
class Plan:
    """The patched file in records: nodes in order, indices of initializers that stay, and new tensors.

    ``made`` are new tensors by name, whose contents come of stored ones; ``constants`` are small new ones.
    ``touched`` are the values that may have another type than before.
    """

    items: list[Item]
    initializers: list[int]
    made: dict[str, tuple[Node, Made]]
    constants: list[Proto]
    touched: set[str]


def plan(raw: RawModel, graph: Graph, edits: Sequence[Edit], tensors: Mapping[str, Tensor]) -> Plan:
    """The plan for a file that was read as ``graph``; ``tensors`` is what is known of the patched values.

    Raises:
        PatchError: a node to take out lies in a function, or a new one has no form in ONNX.
    """
    return _Planner(raw, graph, tensors).plan(edits)


class _Planner:
    def __init__(self, raw: RawModel, graph: Graph, tensors: Mapping[str, Tensor]) -> None:
        self._raw = raw.graph
        self._opset = raw.opsets.get("", 0) or max(raw.opsets.values(), default=0)
        self._calls = {(item.domain, item.name, item.overload) for item in raw.functions}
        self._graph = graph
        self._tensors = tensors
        self._names = Names(set(_all_names(raw.graph)) | set(graph.by_name) | set(graph.producers))
        self._items = [
            Item(tuple(node.outputs), tuple(reads(node)), at) for at, node in enumerate(raw.graph.nodes)
        ]
        self._stored = {item.name: at for at, item in enumerate(raw.graph.initializers)}
        recasts = [node for node in raw.graph.nodes if node.op in ("Cast", "DequantizeLinear")]
        self._recast = {value for node in recasts for value in node.inputs}
        self._made: dict[str, tuple[Node, Made]] = {}
        self._constants: list[Proto] = []
        self._touched: set[str] = set()

    def plan(self, edits: Sequence[Edit]) -> Plan:
        graph = self._graph
        for edit in edits:
            if isinstance(edit, Splice):
                self._splice(graph, edit)
            graph = apply(graph, [edit])
        items = self._named(self._needed(_in_order(self._items), graph))
        read = {value for item in items for value in item.reads}
        read |= set(graph.outputs) | {value for node in graph.nodes for value in node.outputs}
        stored = [at for name, at in sorted(self._stored.items(), key=lambda pair: pair[1]) if name in read]
        kept = {self._raw.initializers[at].name for at in stored}
        made = {name: value for name, value in self._made.items() if name in read}
        both = sorted(kept & made.keys())
        if both:
            raise PatchError(f"ONNX: the file holds a tensor '{both[0]}' already, which other nodes read")
        constants = [proto for proto in self._constants if proto.name in read]
        return Plan(items, stored, made, constants, self._touched)

    def _splice(self, graph: Graph, edit: Splice) -> None:
        gone = self._gone(graph, edit.removed)
        first = next(
            (at for at, item in enumerate(self._items) if gone & set(item.outputs)), len(self._items)
        )
        known = self._known() | {value for node in edit.added for value in node.outputs}
        new = [item for node in edit.added for item in self._added(node, edit, known)]
        kept = [item for item in self._items if not gone & set(item.outputs)]
        moved = [self._moved(item, edit.moved) for item in kept]
        first = sum(not gone & set(item.outputs) for item in self._items[:first])
        self._items = [*moved[:first], *new, *moved[first:]]
        self._stored = {name: at for name, at in self._stored.items() if name not in gone}

    def _gone(self, graph: Graph, removed: Iterable[str]) -> set[str]:
        """The values that the removed nodes make; each is made by a node or tensor of the main graph."""
        makers = {value: item for item in self._items for value in item.outputs if value}
        known, gone = self._known(), set[str]()
        for name in removed:
            node = graph.by_name.get(name)
            if node is None:
                raise PatchError(f"there is no node '{name}' to take out")
            for value in filter(None, node.outputs):
                item = makers.get(value)
                if item is None and value not in known:
                    raise PatchError(
                        f"ONNX: '{name}' lies inside a function or body; only the main graph can change"
                    )
                if item is not None and item.at >= 0 and self._is_call(self._raw.nodes[item.at]):
                    raise PatchError(f"ONNX: '{name}' lies inside a function, which other calls may share")
                gone.add(value)
        return gone

    def _is_call(self, node: RawNode) -> bool:
        return (node.domain, node.op, node.overload) in self._calls

    def _added(self, node: Node, edit: Splice, known: set[str]) -> Iterator[Item]:
        for param in node.params:
            if param.name in edit.tensors:
                self._made[param.name] = (node, edit.tensors[param.name])
            elif node.op != "Constant" or param.value is None:
                self._check_stored(node, param.name, known)
            elif param.name not in self._stored:
                self._constants.append(_small(param))
        self._touched.update(filter(None, node.outputs))
        odd = next((value for value in node.inputs if value and value not in known), None)
        if odd is not None:
            # A value that only the reader knows, such as one between the nodes of an idiom.
            raise PatchError(f"ONNX: '{node.name}' would read '{odd}', which the file itself does not have")
        if node.op == "Constant" and {node.name, _held_name(node)} == set(node.outputs):
            return
        native = Native(node, self._opset, self._names, self._tensors)
        emit(native)
        self._constants.extend(native.constants)
        for proto in native.nodes:
            yield Item(tuple(proto.output), tuple(filter(None, proto.input)), proto=proto)

    def _known(self) -> set[str]:
        """The values of the main graph as it stands."""
        known = {value for item in self._items for value in item.outputs} | self._stored.keys()
        known |= {proto.name for proto in self._constants} | self._made.keys()
        return known | {name for name, _ in self._raw.inputs}

    def _check_stored(self, node: Node, name: str, known: set[str]) -> None:
        """Refuses a param that is not there, or that its readers see through a change of type."""
        if name not in known:
            raise PatchError(f"ONNX: '{node.name}' needs a tensor '{name}', which nothing gives")
        if name in self._recast:
            raise PatchError(f"ONNX: '{name}' is stored in another type than '{node.name}' reads")

    def _moved(self, item: Item, moved: Mapping[str, str]) -> Item:
        if not moved.keys() & set(item.reads):
            return item
        self._touched.update(filter(None, item.outputs))
        inputs = tuple(moved.get(value, value) for value in item.reads)
        if item.proto is not None:
            for at, value in enumerate(item.proto.input):
                item.proto.input[at] = moved.get(value, value)
            return replace(item, reads=inputs)
        before = {value: item.renamed.get(value, value) for value in self._raw.nodes[item.at].inputs}
        renamed = {old: moved.get(now, now) for old, now in before.items() if moved.get(now, now) != old}
        return replace(item, reads=inputs, renamed=renamed)

    def _needed(self, items: Sequence[Item], graph: Graph) -> list[Item]:
        """The nodes that make what the patched graph shows, or serve those that do."""
        wanted = {value for node in graph.nodes for value in node.outputs if value} | set(graph.outputs)
        found = []
        for item in reversed(items):
            if wanted & set(item.outputs) or not any(item.outputs):
                wanted.update(item.reads)
                found.append(item)
        return found[::-1]

    def _named(self, items: list[Item]) -> list[Item]:
        """The nodes with a name of their own where the reader would call them otherwise than before."""
        if self._calls:
            return items
        before, after = UniqueNames(), UniqueNames()
        old = [before.take(label(node)) for node in self._raw.nodes]
        found = []
        for item in items:
            wanted = item.proto.name if item.at < 0 else old[item.at]
            now = after.take(wanted if item.at < 0 else label(self._raw.nodes[item.at]))
            found.append(item if now == wanted else replace(item, name=wanted))
        return found


def _small(param: Param) -> Proto:
    """The stored tensor of a Constant whose contents are in the graph."""
    import numpy as np
    from onnx import numpy_helper

    if param.size is None:
        raise PatchError(f"ONNX: the shape of '{param.name}' is not known")
    dims = [dim for dim in param.shape or () if isinstance(dim, int)]
    return numpy_helper.from_array(np.array(param.value, param.dtype).reshape(dims), param.name)


def _held_name(node: Node) -> str:
    """The name of the only param of a Constant; as an initializer it is the name of all."""
    return node.params[0].name if node.params else ""


def _in_order(items: Sequence[Item]) -> list[Item]:
    """The nodes so that each stands after what it reads, and otherwise where it stood.

    A node that waits for itself stays; the reader will say so.
    """
    makers = {value: at for at, item in enumerate(items) for value in item.outputs if value}
    done: dict[int, None] = {}
    for start in range(len(items)):
        path, waiting = [start], {start}
        while path:
            needs = (makers[value] for value in items[path[-1]].reads if value in makers)
            ahead = next((at for at in needs if at not in done and at not in waiting), None)
            if ahead is None:
                done.setdefault(path.pop())
            else:
                path.append(ahead)
                waiting.add(ahead)
    return [items[at] for at in done]


def _all_names(graph: RawGraph) -> Iterator[str]:
    """Every name of a node or value, in bodies too."""
    yield from (name for name, _ in (*graph.inputs, *graph.outputs))
    yield from (item.name for item in graph.initializers)
    yield from graph.value_info
    for node in graph.nodes:
        yield node.name
        yield from (*node.inputs, *node.outputs)
        for value in node.attrs.values():
            if isinstance(value, RawGraph):
                yield from _all_names(value)
