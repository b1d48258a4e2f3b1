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
from archlint.fixes import Rewrite
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
        found = {name: expr.evaluate(self.scene) for name, expr in self.idea.given.items()}
        nodes: dict[str, Node] = {}
        for role in self.rewrite.nodes:
            node = found[role]
            if not isinstance(node, Node):
                raise PatchError(f"which node is the {role} is not known here")
            nodes[role] = node
        return self.rewrite(facts, nodes, {name: plain(found[name]) for name in self.rewrite.values})


def offers(
    rules: RuleSet, facts: Facts, options: Mapping[str, Mapping[str, Attr]] | None = None
) -> tuple[Offer, ...]:
    """The offers for all findings of one model, the worst finding first, and in the order of its fixes.

    Raises: UsageError: an option that does not exist or a value it cannot have.
    """
    return tuple(offers_at(rules, judge(rules, facts, options).places))


def offers_at(rules: RuleSet, places: Iterable[Place]) -> Iterator[Offer]:
    """The offers for places that were found; none for a finding that has no rewrite."""
    for place in ordered(places):
        for idea in rules.by_name[place.finding.rule].body.fixes:
            if idea.use is not None and holds(idea.when, place.scene):
                title = idea.title.fill(place.scene)
                yield Offer(place.finding, idea, title, idea.use, place.scene)
