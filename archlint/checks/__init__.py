"""The Python half of rules that a pattern cannot say: a module per topic, a function per check.

A check reads facts and yields matches; it knows no words, no severity and no options by name::

    @check(nodes={"node": "the node that nothing reads"}, values={"lost": "parameters it holds"})
    def dead_nodes(facts: Facts) -> Iterator[Match | Unsure]: ...

A rule names it as ``check: <module>.<function>`` and passes settings with ``with:``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from archlint.dataclass import dataclass
from archlint.graph import Attr, Node

if TYPE_CHECKING:
    from archlint.facts import Facts


@dataclass(frozen=True, slots=True)
class Match:
    """One place where a check holds: role → node, and name → value for the message and the conditions."""

    nodes: Mapping[str, Node] = field(default_factory=dict)
    values: Mapping[str, Attr] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unsure:
    """One place that a check cannot judge, with what is unknown there."""

    node: Node | None
    reason: str


@dataclass(frozen=True, slots=True)
class Check:
    """A check function and what its matches carry: role → meaning, value → meaning."""

    find: Callable[..., Iterable[Match | Unsure]]
    nodes: Mapping[str, str]
    values: Mapping[str, str]

    def __call__(self, facts: Facts, **settings: Attr) -> Iterable[Match | Unsure]:
        """The places where the check holds, or cannot be judged, in the graph's order."""
        return self.find(facts, **settings)


def check(
    *, nodes: Mapping[str, str] | None = None, values: Mapping[str, str] | None = None
) -> Callable[[Callable[..., Iterable[Match | Unsure]]], Check]:
    """Marks a function as a check that rules can name, and says what its matches carry."""
    return lambda find: Check(find, nodes or {}, values or {})
