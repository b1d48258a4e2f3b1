"""Tensors that are stored more than once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check
from archlint.graph import Node, Param

if TYPE_CHECKING:
    from archlint.facts import Facts


@check(
    nodes={"node": "the first node that reads a copy", "first": "the node that reads what it is a copy of"},
    values={"count": "tensors that are copies", "elements": "numbers in the copies"},
)
def copies(facts: Facts, *, least: int) -> Iterator[Match | Unsure]:
    """All stored tensors of ``least`` or more elements that are byte for byte another one, as one match.

    Tensors that hold one number only (zeros, ones) are not counted: layers start with them.
    """
    alike: dict[tuple[object, ...], dict[str, tuple[Node, Param]]] = {}
    for node in facts.graph.nodes:
        for param in node.params:
            if (param.size or 0) >= least:
                alike.setdefault((param.dtype, param.shape), {}).setdefault(param.name, (node, param))
    found: list[tuple[Node, Node]] = []
    elements = 0
    for group in alike.values():
        seen: dict[bytes, Node] = {}
        for node, param in group.values() if len(group) > 1 else ():
            digest = _digest(facts, param)
            first = seen.setdefault(digest, node) if digest else node
            if first is not node:
                found.append((node, first))
                elements += param.size or 0
    if found:
        node, first = found[0]
        yield Match({"node": node, "first": first}, {"count": len(found), "elements": elements})


def _digest(facts: Facts, param: Param) -> bytes:
    """What tells the contents of a tensor from others; empty if it cannot be read or holds one number."""
    values = facts.weights.values(param) if facts.weights is not None else None
    if values is None or (values == values.flat[0]).all():
        return b""
    from hashlib import blake2b

    return blake2b(values.tobytes(), digest_size=16).digest()
