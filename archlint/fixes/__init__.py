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

Rewrites that put a smaller head in the place of a flattened one name it (``head=``), and have ``evidence``:
what the weights of this model say for and against it.
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

POOLED: Mapping[str, str] = {
    "keep": "global average pooling, with the dense layers kept",
    "collapse": "global average pooling, straight into the last dense layer",
}
"""Heads that forget where on the map something is; name → what stands there then."""

APPROXIMATE: Mapping[str, str] = {
    "grid": "means over a few cells of the map, with the dense layers kept",
    "spatial": "a weighted sum over the map per channel, with the dense layers kept",
    "low-rank": "two thin dense layers for the first one",
}
"""Heads that are near to the original as far as the weights allow; name → what stands there then."""

HEADS: Mapping[str, str] = {**POOLED, **APPROXIMATE}
"""All heads that ``archlint fix --head`` takes."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the weights say of a change: sentences to be shown, and why it is not to be offered, if so."""

    says: tuple[str, ...]
    against: str | None = None


Weigh = Callable[["Facts", Mapping[str, Node]], Evidence]
"""Facts and role → node to what speaks for and against a change there."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A rewrite function and what it needs: role → meaning, value → meaning.

    ``inference`` says that the outputs stay the same but training on would go otherwise, as when a batch
    normalization is folded: such a change is only made when it is asked for. ``head`` is the name
    of what replaces a flattened head, one of ``HEADS`` or "unlock", the only one that keeps what it computes;
    the others come with ``evidence``.
    """

    make: Make
    nodes: Mapping[str, str]
    values: Mapping[str, str]
    inference: bool = False
    head: str | None = None
    evidence: Weigh | None = None

    def __call__(
        self, facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]
    ) -> tuple[Edit, ...]:
        """The edits for one finding.

        Raises: PatchError: the change is not provably right here; says why in plain words.
        """
        return self.make(facts, nodes, values)

    @property
    def is_approximate(self) -> bool:
        """Whether it is only offered where its evidence holds, which takes reading the weights."""
        return self.head in APPROXIMATE


def rewrite(
    *,
    nodes: Mapping[str, str] | None = None,
    values: Mapping[str, str] | None = None,
    inference: bool = False,
    head: str | None = None,
    evidence: Weigh | None = None,
) -> Callable[[Make], Rewrite]:
    """Marks a function as a rewrite that rules can name, and says what it needs."""
    return lambda make: Rewrite(make, nodes or {}, values or {}, inference, head, evidence)


__all__ = ["APPROXIMATE", "HEADS", "POOLED", "Evidence", "Make", "PatchError", "Rewrite", "rewrite"]
