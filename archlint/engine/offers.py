"""What could be done about findings: one offer per place and fix that a rewrite carries out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from archlint.dataclass import dataclass
from archlint.engine.rule import FixIdea, RuleSet
from archlint.engine.run import Place, holds, judge, ordered, plain
from archlint.engine.scene import Scene
from archlint.errors import PatchError
from archlint.findings import Finding
from archlint.fixes import HEADS, Evidence, Rewrite
from archlint.graph import Attr, Edit, Node

if TYPE_CHECKING:
    from archlint.facts import Facts


@dataclass(frozen=True, slots=True)
class Offer:
    """One way to solve one finding: in words, its level, and the rewrite with what it needs here."""

    finding: Finding
    idea: FixIdea
    title: str
    rewrite: Rewrite
    scene: Scene

    @property
    def level(self) -> str:
        """ "exact", "calibrated" or "retrain"."""
        return self.idea.level

    def edits(self, facts: Facts) -> tuple[Edit, ...]:
        """What changes the model; ``facts`` are about the graph of the finding, with its weights.

        Raises: PatchError: the rewrite is not provably right here; says why.
        """
        values = {name: self.idea.given[name].evaluate(self.scene) for name in self.rewrite.values}
        return self.rewrite(facts, self._nodes, {name: plain(value) for name, value in values.items()})

    def evidence(self, facts: Facts) -> Evidence:
        """What the weights say for and against it; nothing for most rewrites.

        Raises: PatchError: the weights cannot be read, or the rewrite does not fit this place.
        """
        weigh = self.rewrite.evidence
        return Evidence(()) if weigh is None else weigh(facts, self._nodes)

    @property
    def _nodes(self) -> Mapping[str, Node]:
        nodes: dict[str, Node] = {}
        for role in self.rewrite.nodes:
            node = self.idea.given[role].evaluate(self.scene)
            if not isinstance(node, Node):
                raise PatchError(f"which node is the {role} is not known here")
            nodes[role] = node
        return nodes


def offers(
    rules: RuleSet, facts: Facts, options: Mapping[str, Mapping[str, Attr]] | None = None
) -> tuple[Offer, ...]:
    """The offers for all findings of one model, the worst finding first, and in the order of its fixes.

    Raises: UsageError: an option that does not exist or a value it cannot have.
    """
    return tuple(offers_at(rules, judge(rules, facts, options).places))


def offers_at(rules: RuleSet, places: Iterable[Place], head: str | None = None) -> Iterator[Offer]:
    """The offers for places that were found; none for a finding that has no rewrite.

    One whose rewrite makes ``head`` is there also where its rule would not propose it.
    """
    for place in ordered(places):
        for idea in rules.by_name[place.finding.rule].body.fixes:
            if idea.use is None:
                continue
            if holds(idea.when, place.scene):
                yield Offer(place.finding, idea, idea.title.fill(place.scene), idea.use, place.scene)
            elif head is not None and idea.use.head == head:
                yield Offer(place.finding, idea, HEADS[head], idea.use, place.scene)
