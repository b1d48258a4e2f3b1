"""Local functions inlined: every call becomes the function's nodes, under the call's name.

before: ``y = my.Block(x) @b`` with ``my.Block(a) { t = Relu(a); r = Neg(t) }``
after: ``b/t = Relu(x) @b/…``, ``y = Neg(b/t) @b/…``
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from archlint.formats.onnx.records import RawAttr, RawFunction, RawGraph, RawModel, RawNode, Reference
from archlint.formats.onnx.wire import MalformedError

MAX_INLINED = 200_000
"""Most nodes that inlining may make; torch's largest exports make some 20,000."""

MAX_CALLS = 100
"""Longest chain of functions that call each other."""

_Key = tuple[str, str, str]


def inlined(model: RawModel) -> RawGraph:
    """The model's graph without calls of its local functions.

    Raises:
        MalformedError: functions call themselves, or inlining would make too many nodes.
    """
    functions = {(item.domain, item.name, item.overload): item for item in model.functions}
    if not functions:
        return model.graph
    total = _Sizes(functions).of(model.graph.nodes, ())
    if total > MAX_INLINED + sum(1 for _ in _walk(model.graph.nodes)):
        raise MalformedError("", f"its functions call each other so often that {total} nodes come of it")
    return _Inliner(functions, model.opsets).graph(model.graph, {}, (), {})


def _key(node: RawNode) -> _Key:
    return node.domain, node.op, node.overload


def _walk(nodes: Iterable[RawNode]) -> Iterator[RawNode]:
    for node in nodes:
        yield node
        for value in node.attrs.values():
            if isinstance(value, RawGraph):
                yield from _walk(value.nodes)


class _Sizes:
    """How many nodes come of a call of each function; each is worked out once."""

    def __init__(self, functions: Mapping[_Key, RawFunction]) -> None:
        self._functions = functions
        self._known: dict[_Key, int] = {}

    def of(self, nodes: Iterable[RawNode], chain: tuple[_Key, ...]) -> int:
        return sum(self._call(node, chain) for node in _walk(nodes))

    def _call(self, node: RawNode, chain: tuple[_Key, ...]) -> int:
        key = _key(node)
        if key not in self._functions:
            return 1
        if key in chain:
            raise MalformedError(f"function '{node.op}'", "it calls itself, in a circle")
        if len(chain) >= MAX_CALLS:
            raise MalformedError(
                f"function '{node.op}'", f"functions call each other more than {MAX_CALLS} deep"
            )
        if key not in self._known:
            self._known[key] = self.of(self._functions[key].nodes, (*chain, key))
        return self._known[key]


class _Inliner:
    def __init__(self, functions: Mapping[_Key, RawFunction], opsets: Mapping[str, int]) -> None:
        self._functions = functions
        self._opsets = opsets
        self._calls: dict[str, int] = {}

    def graph(
        self, graph: RawGraph, names: Mapping[str, str], path: tuple[str, ...], given: Mapping[str, RawAttr]
    ) -> RawGraph:
        """A graph with its own calls inlined; ``names`` are the outer values that it captures, renamed."""
        if path:
            names = {**names, **_own_names(graph)}
        nodes = tuple(self._nodes(graph.nodes, names, path, given))
        outputs = [(names.get(value, value), type_) for value, type_ in graph.outputs]
        return replace(graph, nodes=nodes, outputs=outputs)

    def _nodes(
        self,
        nodes: Sequence[RawNode],
        names: Mapping[str, str],
        path: tuple[str, ...],
        given: Mapping[str, RawAttr],
    ) -> Iterator[RawNode]:
        for node in nodes:
            attrs = {}
            for key, value in node.attrs.items():
                if isinstance(value, Reference):
                    if value.name in given:
                        attrs[key] = given[value.name]
                elif isinstance(value, RawGraph):
                    attrs[key] = self.graph(value, names, path, given)
                else:
                    attrs[key] = value
            inputs = [names.get(value, value) for value in node.inputs]
            outputs = [names.get(value, value) for value in node.outputs]
            own = replace(node, inputs=inputs, outputs=outputs, attrs=attrs, path=path)
            function = self._functions.get(_key(node))
            if function is None:
                yield own
            else:
                yield from self._call(own, function)

    def _call(self, node: RawNode, function: RawFunction) -> Iterator[RawNode]:
        label = self._label(node)
        names = dict.fromkeys(function.inputs, "")
        names.update(zip(function.inputs, node.inputs, strict=False))
        results = dict(zip(function.outputs, node.outputs, strict=False))
        for inner in function.nodes:
            for value in inner.outputs:
                if value:
                    names[value] = results.get(value) or f"{label}/{value}"
        for output, value in results.items():
            if value and names.get(output) != value:
                yield RawNode(
                    value, "Identity", "", [names.get(output, output)], [value], path=(*node.path, label)
                )
        yield from self._nodes(
            function.nodes, names, (*node.path, label), {**function.defaults, **node.attrs}
        )

    def _label(self, node: RawNode) -> str:
        name = node.name or next((value for value in node.outputs if value), node.op)
        count = self._calls.get(name, 0)
        self._calls[name] = count + 1
        return f"{name}:{count}" if count else name


def _own_names(graph: RawGraph) -> dict[str, str]:
    """Values that a body makes itself keep their names: they hide outer ones."""
    own = [name for name, _ in graph.inputs] + [item.name for item in graph.initializers]
    own += [value for node in graph.nodes for value in node.outputs]
    return {name: name for name in own}
