"""Where the patterns of a rule match a graph. Backwards from the last node, along unique producers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from archlint.checks.maps import passes
from archlint.dataclass import dataclass
from archlint.engine.rule import Edge, Pattern
from archlint.graph import Graph, Node
from archlint.ops import TABLE

Bound = dict[str, Node]
"""Pattern name → the node that it is."""


@dataclass(frozen=True)
class Index:
    """A graph prepared for matching."""

    graph: Graph

    @cached_property
    def by_op(self) -> Mapping[str, tuple[tuple[int, Node], ...]]:
        """Op → its nodes with their positions, in the graph's order."""
        found: dict[str, list[tuple[int, Node]]] = {}
        for position, node in enumerate(self.graph.nodes):
            found.setdefault(node.op, []).append((position, node))
        return {op: tuple(nodes) for op, nodes in found.items()}

    @cached_property
    def outputs(self) -> frozenset[str]:
        """The values that are outputs of the model."""
        return frozenset(self.graph.outputs)

    def nodes(self, pattern: Pattern) -> list[Node]:
        """The nodes that fit a pattern by themselves, in the graph's order."""
        rows = [row for op in pattern.ops for row in self.by_op.get(op, ())]
        if len(pattern.ops) > 1:
            rows.sort(key=lambda row: row[0])
        return [node for _, node in rows if not pattern.attrs or fits(node, pattern)]

    def only_reader(self, value: str) -> bool:
        """Whether exactly one node reads the value, and it is no output of the model."""
        return value not in self.outputs and len(self.graph.consumers.get(value, ())) == 1


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a search: bind a pattern from the index or from a bound source, then follow its inputs."""

    pattern: Pattern
    how: str
    edge: Edge | None = None


def matches(index: Index, patterns: tuple[Pattern, ...], bound: Bound | None = None) -> Iterator[Bound]:
    """Every way to bind the patterns, names in ``bound`` kept; in the order of the last pattern's nodes."""
    start = dict(bound or {})
    steps = plan(patterns, frozenset(start))
    yield from _solve(index, steps, 0, start, {pattern.name: pattern for pattern in patterns})


def plan(patterns: tuple[Pattern, ...], bound: frozenset[str]) -> tuple[Step, ...]:
    """The order of the search: from the last pattern back along its inputs, then on to what is left."""
    left = {pattern.name: pattern for pattern in patterns if pattern.name not in bound}
    known, steps = set(bound), list[Step]()

    def follow(pattern: Pattern) -> None:
        steps.append(Step(pattern, "inputs"))
        for edge in pattern.edges:
            if edge.source and edge.source not in known:
                known.add(edge.source)
                follow(left.pop(edge.source))

    while left:
        linked = [(p, edge) for p in left.values() for edge in p.edges if edge.source in known]
        pattern, edge = linked[0] if linked else (list(left.values())[-1], None)
        del left[pattern.name]
        known.add(pattern.name)
        steps.append(Step(pattern, "readers" if edge else "index", edge))
        follow(pattern)
    return tuple(steps)


def _solve(
    index: Index, steps: tuple[Step, ...], at: int, bound: Bound, patterns: Mapping[str, Pattern]
) -> Iterator[Bound]:
    if at == len(steps):
        yield {name: bound[name] for name in (*patterns, *bound)}
        return
    step = steps[at]
    if step.how == "inputs":
        for more in _inputs(
            index, step.pattern.edges, bound[step.pattern.name], bound, patterns, frozenset()
        ):
            yield from _solve(index, steps, at + 1, more, patterns)
        return
    assert step.how == "index" or step.edge is not None
    candidates = (
        index.nodes(step.pattern)
        if step.edge is None
        else [
            node
            for node in readers(index, bound[step.edge.source or ""], step.edge)
            if fits(node, step.pattern)
        ]
    )
    for node in candidates:
        yield from _solve(index, steps, at + 1, {**bound, step.pattern.name: node}, patterns)


def _inputs(
    index: Index,
    edges: tuple[Edge, ...],
    node: Node,
    bound: Bound,
    patterns: Mapping[str, Pattern],
    used: frozenset[int],
) -> Iterator[Bound]:
    if not edges:
        yield bound
        return
    edge = edges[0]
    slots = range(len(node.inputs)) if edge.slot is None else (edge.slot,)
    for slot in slots:
        if slot in used or slot >= len(node.inputs) or not node.inputs[slot]:
            continue
        for more in _sources(index, edge, node.inputs[slot], bound, patterns):
            yield from _inputs(index, edges[1:], node, more, patterns, used | {slot})


def _sources(
    index: Index, edge: Edge, value: str, bound: Bound, patterns: Mapping[str, Pattern]
) -> Iterator[Bound]:
    if edge.source is None:
        yield bound
        return
    wanted = bound.get(edge.source)
    pattern = patterns.get(edge.source)
    for node in upstream(index, edge, value):
        if wanted is not None:
            if node is wanted:
                yield bound
                return
        elif pattern is not None and fits(node, pattern):
            yield {**bound, edge.source: node}
            return


def upstream(index: Index, edge: Edge, value: str) -> Iterator[Node]:
    """The nodes that an edge may mean, nearest first: back along first inputs through what may be crossed."""
    while True:
        node = index.graph.producers.get(value)
        if node is None or (edge.only and not index.only_reader(value)):
            return
        yield node
        if not node.inputs or not (node.op in edge.through or passes(node)):
            return
        value = node.inputs[0]


def readers(index: Index, node: Node, edge: Edge) -> list[Node]:
    """The nodes that an edge from ``node`` may lead to, in the order found."""
    found: dict[str, Node] = {}
    waiting = [value for value in node.outputs if value]
    for value in waiting:
        for reader in index.graph.consumers.get(value, ()):
            if reader.name in found:
                continue
            found[reader.name] = reader
            if reader.inputs[:1] == (value,) and (reader.op in edge.through or passes(reader)):
                waiting.extend(reader.outputs)
    return list(found.values())


def fits(node: Node, pattern: Pattern) -> bool:
    """Whether a node has the op and the settings of a pattern."""
    if node.op not in pattern.ops:
        return False
    defaults = TABLE[node.op].attrs if pattern.attrs else {}
    return all(
        _same(node.attrs.get(name, defaults.get(name)), value) for name, value in pattern.attrs.items()
    )


def _same(left: object, right: object) -> bool:
    return left == right and isinstance(left, bool) == isinstance(right, bool)
