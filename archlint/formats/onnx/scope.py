"""Names and order in a graph as the file gives it: every value made once, every node after what it reads."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from archlint.formats.onnx.records import RawGraph, RawNode
from archlint.formats.onnx.wire import MalformedError


class Known:
    """The values that exist so far, those around a body included; grows while a graph is walked."""

    __slots__ = ("_outer", "_own")

    def __init__(self, outer: Known | None = None) -> None:
        self._own: set[str] = set()
        self._outer = outer

    def __contains__(self, value: str) -> bool:
        return value in self._own or (self._outer is not None and value in self._outer)

    def update(self, values: Iterable[str]) -> None:
        """Adds values."""
        self._own.update(values)


class UniqueNames:
    """Gives each node a name of its own: its name, else its first output, else its op; then ":1", ":2", …"""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}

    def take(self, wanted: str) -> str:
        """``wanted``, or ``wanted`` with the next free number."""
        name = wanted
        while name in self._taken:
            self._counts[wanted] = self._counts.get(wanted, 0) + 1
            name = f"{wanted}:{self._counts[wanted]}"
        self._taken.add(name)
        return name


def label(node: RawNode) -> str:
    """What to call a node in a message."""
    return node.name or next((value for value in node.outputs if value), "") or node.op or "without a name"


def ordered(graph: RawGraph, outer: Known, where: str) -> tuple[Sequence[RawNode], bool]:
    """The nodes in an order in which each reads only what is made before it, and whether that is a new order.

    Raises:
        MalformedError: a value is made twice or by nothing, or nodes wait for each other in a circle.
    """
    known = Known(outer)
    own = _stored_names(graph, where)
    known.update(own)
    makers = _makers(graph.nodes, own, where)
    in_order = True
    for node in graph.nodes:
        for value in reads(node):
            if value not in known:
                if value not in makers:
                    raise MalformedError(
                        f"{where}node '{label(node)}'",
                        f"it reads '{value}', which nothing in the file makes; the export is incomplete",
                    )
                in_order = False
        known.update(node.outputs)
    for value, _ in graph.outputs:
        if value not in known:
            raise MalformedError(f"{where}output '{value}'", "no node makes it; the export is incomplete")
    return (graph.nodes, False) if in_order else (_sorted(graph.nodes, makers, where), True)


def reads(node: RawNode) -> Iterable[str]:
    """The values that a node reads, captures of its bodies included, "" left out."""
    for value in node.inputs:
        if value:
            yield value
    for attr in node.attrs.values():
        if isinstance(attr, RawGraph):
            yield from _captures(attr)


def _captures(graph: RawGraph) -> list[str]:
    own = {name for name, _ in graph.inputs} | {item.name for item in graph.initializers}
    own.update(value for node in graph.nodes for value in node.outputs)
    found = {value for node in graph.nodes for value in reads(node)}
    found.update(value for value, _ in graph.outputs if value)
    return sorted(found - own)


def _stored_names(graph: RawGraph, where: str) -> set[str]:
    inputs: set[str] = set()
    for name, _ in graph.inputs:
        if name in inputs:
            raise MalformedError(f"{where}input '{name}'", "two inputs have this name")
        inputs.add(name)
    stored: set[str] = set()
    for item in graph.initializers:
        if item.name in stored:
            raise MalformedError(f"{where}initializer '{item.name}'", "two stored tensors have this name")
        stored.add(item.name)
    return inputs | stored


def _makers(nodes: Sequence[RawNode], own: set[str], where: str) -> dict[str, int]:
    makers: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for value in node.outputs:
            if not value:
                continue
            if value in makers or value in own:
                raise MalformedError(
                    f"{where}node '{label(node)}'", f"it makes '{value}', which exists already"
                )
            makers[value] = index
    return makers


def _sorted(nodes: Sequence[RawNode], makers: dict[str, int], where: str) -> Sequence[RawNode]:
    """Kahn's algorithm; among nodes that are ready, the first in the file goes first."""
    waits_for = [{makers[value] for value in reads(node) if value in makers} for node in nodes]
    readers: dict[int, list[int]] = {}
    for index, before in enumerate(waits_for):
        for maker in before:
            readers.setdefault(maker, []).append(index)
    left = [len(before) for before in waits_for]
    ready = [index for index, count in enumerate(left) if count == 0]
    done: list[RawNode] = []
    while ready:
        index = heapq.heappop(ready)
        done.append(nodes[index])
        for reader in readers.get(index, ()):
            left[reader] -= 1
            if left[reader] == 0:
                heapq.heappush(ready, reader)
    if len(done) < len(nodes):
        stuck = next(node for node, count in zip(nodes, left, strict=True) if count)
        raise MalformedError(
            f"{where}node '{label(stuck)}'", "it reads, by way of other nodes, what it makes itself"
        )
    return done
