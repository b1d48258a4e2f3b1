"""The Python half of fixes: a module per topic, a function per rewrite.

A rewrite turns one finding into edits of the graph, or refuses. It speaks of the normal form only and
knows no file format, no words and no level::

    @rewrite(nodes={"flatten": "the node that changes nothing"})
    def drop_flatten(
        facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]
    ) -> tuple[Edit, ...]: ...

A rule names it as ``use: <module>.<function>`` in one of its fixes. ``nodes`` and ``values`` say what it
needs by name: nodes of the rule, and values of its check, its ``let`` or its options; ``with:`` gives what
the rule calls otherwise. ``facts.weights`` is there whenever the file holds weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from archlint.dataclass import dataclass
from archlint.errors import PatchError
from archlint.graph import Attr, Edit, Node

if TYPE_CHECKING:
    from archlint.facts import Facts

Make = Callable[["Facts", Mapping[str, Node], Mapping[str, Attr]], tuple[Edit, ...]]
"""Facts, role → node and name → value (None: not known) → the edits that make the change, in order."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A rewrite function and what it needs: role → meaning, value → meaning.

    ``inference`` says that the outputs stay the same but training on would go otherwise, as when a batch
    normalization is folded: such a change is only made when it is asked for.
    """

    make: Make
    nodes: Mapping[str, str]
    values: Mapping[str, str]
    inference: bool = False

    def __call__(
        self, facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]
    ) -> tuple[Edit, ...]:
        """The edits for one finding.

        Raises: PatchError: the change is not provably right here; says why in plain words.
        """
        return self.make(facts, nodes, values)


def rewrite(
    *,
    nodes: Mapping[str, str] | None = None,
    values: Mapping[str, str] | None = None,
    inference: bool = False,
) -> Callable[[Make], Rewrite]:
    """Marks a function as a rewrite that rules can name, and says what it needs."""
    return lambda make: Rewrite(make, nodes or {}, values or {}, inference)


__all__ = ["Make", "PatchError", "Rewrite", "rewrite"]
