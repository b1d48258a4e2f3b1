"""Fixes one at a time: choose, apply, look again, until nothing more is to be done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import field, replace

from archlint.choice import Options
from archlint.dataclass import dataclass
from archlint.engine import Offer, RuleSet, Tally, judge, offers_at
from archlint.errors import PatchError
from archlint.facts import Facts, WeightFacts
from archlint.findings import Attempt, Finding, Fix
from archlint.fixing.law import objection
from archlint.fixing.weights import PatchedWeights
from archlint.graph import (
    Edit,
    Graph,
    Made,
    Node,
    Param,
    Splice,
    Weights,
    apply,
    made_by,
    of_stored,
    validate,
)

MOST_FIXES = 1_000
"""Fixes of one run; the largest exports seen have some 500 places to mend."""

FAULT = "internal error in archlint"
"""Beginning of the reason of a fix that failed through a fault of its own."""


Cause = tuple[str, str | None]
"""A finding as what it is about: its rule and its node."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which fixes are to be made: the rules whose findings count, and the levels that are allowed.

    ``rules`` are those that judge the model; ``fixable`` are names among them whose findings are fixed.
    ``barred`` are findings, by rule and node, whose fixes have turned out wrong, with the reason.
    ``head`` is the one of ``fixes.HEADS`` that is to replace flattened heads; None is any of ``POOLED`` that
    the weights do not speak against.
    """

    rules: RuleSet
    options: Options
    fixable: frozenset[str]
    retrain: bool = False
    inference: bool = False
    barred: Mapping[Cause, str] = field(default_factory=dict)
    head: str | None = None

    def offers(self, tally: Tally) -> Sequence[Offer]:
        """What could be done about the findings; a head that was asked for comes first, others not at all.

        To free the size of a flattened head is to give it another one.
        Heads that need evidence take reading the weights, and are left out where nothing is to be retrained.
        """
        places = [place for place in tally.places if place.finding.rule in self.fixable]
        found = offers_at(self.rules, places, self.head)
        if self.head is not None:
            own = [offer for offer in found if offer.rewrite.head in (None, self.head)]
            return sorted(own, key=lambda offer: offer.rewrite.head is None)
        return [offer for offer in found if self.retrain or not offer.rewrite.is_approximate]

    def refusal(self, offer: Offer, model: Model) -> tuple[str | None, tuple[str, ...]]:
        """Why an offer is not taken, None when it may be, and what its evidence says.

        Evidence does not stop a pooled head that was asked for; it does stop an approximate one.

        Raises: PatchError: there is evidence to be weighed, and it cannot be.
        """
        reason = self._level(offer)
        if reason is not None or offer.rewrite.evidence is None:
            return reason, ()
        evidence = offer.evidence(model.for_rewrites)
        if self.head is None:
            return evidence.against or _unasked(offer), evidence.says
        return (evidence.against if offer.rewrite.is_approximate else None), evidence.says

    def tells(self, offer: Offer, reason: str) -> bool:
        """Whether a refusal is worth a line; an approximate head has to hold here, or be asked for."""
        return self.head is not None or not offer.rewrite.is_approximate or reason == _unasked(offer)

    def _level(self, offer: Offer) -> str | None:
        if offer.level == "retrain" and not self.retrain:
            return "the weights lose their meaning; --unsafe-fixes makes it"
        if offer.level == "calibrated":
            return "it needs samples"
        if offer.rewrite.inference and not self.inference:
            return "training on would go otherwise; --inference makes it"
        return self.barred.get((offer.finding.rule, offer.finding.node))


@dataclass(slots=True)
class Model:
    """A graph on its way through the fixes: what was read, and what the edits so far have made of it.

    ``made`` says how each new tensor comes of what the file holds; the sources of an edit are tensors as the
    edits before it have left them, which is how writers take them. ``read_weights`` says whether rules may
    read weights; rewrites always may. ``params`` are those that the file holds, by name; ``root`` are the
    facts about the model as it was read.
    """

    facts: Facts
    stored: Weights | None
    read_weights: bool
    params: Mapping[str, Param]
    root: Facts
    edits: tuple[Edit, ...] = ()
    made: Mapping[str, Made] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: Graph, size_bytes: int | None, stored: Weights | None, read_weights: bool) -> Model:
        """A model as it was read."""
        facts = Facts(graph, size_bytes, stored if read_weights else None)
        return cls(facts, stored, read_weights, {param.name: param for param in _params(graph)}, facts)

    def changed(self, edits: tuple[Edit, ...]) -> Model:
        """The model after further edits.

        Raises: PatchError: they cannot be applied, or what they make does not hold together.
        """
        graph = apply(self.facts.graph, edits)
        problems = validate(graph)
        if problems:
            raise PatchError(f"the patched model would not hold together: {problems[0]}")
        made = dict(self.made)
        for edit in edits:
            new = made_by((of_stored(edit, made),))
            self._refuse_unheld(new)
            made |= new
        weights = self.stored and PatchedWeights(self.stored, self.params, made)
        facts = Facts(graph, self.facts.size_bytes, weights if self.read_weights else None)
        edits = (*self.edits, *edits)
        return Model(facts, self.stored, self.read_weights, self.params, self.root, edits, made)

    def _refuse_unheld(self, new: Mapping[str, Made]) -> None:
        """Raises PatchError if a tensor would be made of one that the model computes as it runs."""
        sources = [name for made in new.values() for name in made.sources]
        held = self.stored
        missing = next((name for name in sources if held and not held.holds(self.params[name])), None)
        if missing is not None:
            raise PatchError(f"the file holds no contents of '{missing}', which the model computes")

    @property
    def for_rewrites(self) -> Facts:
        """The same facts, with the weights."""
        if self.facts.weights is not None or self.stored is None:
            return self.facts
        facts = copy(self.facts)
        weights = PatchedWeights(self.stored, self.params, self.made)
        facts.weights = WeightFacts(facts.graph, weights)
        return facts


@dataclass(frozen=True, slots=True)
class Mended:
    """A model after its fixes, what the rules say of it, and what became of each fix.

    ``steps`` are the models after each fix that was made, in order; the last is ``model``.
    """

    model: Model
    tally: Tally
    attempts: tuple[Attempt, ...]
    steps: tuple[Model, ...]


def mend(model: Model, wanted: Wanted) -> Mended:
    """The model with every fix that is wanted, that its rewrite can make, and that nothing speaks against.

    After each fix the changed graph is judged anew, so that no two fixes can be in each other's way. It ends,
    since each leaves fewer findings of its severity or above.
    """
    tally = judge(wanted.rules, model.facts, wanted.options)
    made: list[Attempt] = []
    steps: list[Model] = []
    refused: dict[Key, Refusal] = {}
    while len(made) < MOST_FIXES:
        step = _step(model, tally, wanted, refused)
        if step is None:
            shown = [row.attempt for row in refused.values() if row.shown]
            return Mended(model, tally, (*made, *shown), tuple(steps))
        model, tally, attempt = step
        made.append(attempt)
        steps.append(model)
        # A reason may have gone with this fix, such as another reader of the same value; evidence stays.
        refused = {key: row for key, row in refused.items() if row.settled or key[2] == wanted.head}
    left = Attempt(made[-1].finding, made[-1].fix, f"{MOST_FIXES} fixes were made; run it again")
    return Mended(model, tally, (*made, left), tuple(steps))


def _unasked(offer: Offer) -> str | None:
    return f"--head {offer.rewrite.head} makes it" if offer.rewrite.is_approximate else None


Key = tuple[str, str | None, str]
"""Rule, node, and the head or else the title of a fix."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A fix that was not made, whether it is worth a line, and whether that is ``settled``.

    It is when it rests on evidence, which other fixes do not change, and which takes long to weigh.
    """

    attempt: Attempt
    shown: bool
    settled: bool


def _step(
    model: Model, tally: Tally, wanted: Wanted, refused: dict[Key, Refusal]
) -> tuple[Model, Tally, Attempt] | None:
    """The model after the first offer that can be taken; what could not is added to ``refused``."""
    for offer in wanted.offers(tally):
        key = (offer.finding.rule, offer.finding.node, offer.rewrite.head or offer.title)
        if key in refused and refused[key].settled:
            continue
        fix = Fix(offer.title, offer.level, True, offer.rewrite.inference)
        notes: tuple[str, ...] = ()
        settled = False
        try:
            reason, notes = wanted.refusal(offer, model)
            settled = reason is not None and bool(notes)
            if reason is None:
                edits = offer.edits(model.for_rewrites)
                after = model.changed(edits)
                seen = judge(wanted.rules, after.facts, wanted.options)
                reason = objection(offer.finding, tally, seen, _added(edits))
        except PatchError as error:
            reason = str(error)
        except Exception as error:  # a fault of one rewrite must not keep the others from being made
            reason = f"{FAULT}: {type(error).__name__}: {error}"
        if reason is None:
            refused.pop(key, None)
            made = _attempt(offer.finding, fix, model.root, model.facts, after.facts)
            return after, seen, replace(made, notes=notes)
        attempt = Attempt(offer.finding, fix, reason, notes=notes)
        refused[key] = Refusal(attempt, wanted.tells(offer, reason), settled)
    return None


def at_size_of(before: Facts, after: Facts) -> Facts:
    """Facts about a changed graph at the input sizes that it had before."""
    old = dict(before.graph.inputs)
    inputs = tuple((name, old.get(name, type_)) for name, type_ in after.graph.inputs)
    return after if inputs == after.graph.inputs else Facts(replace(after.graph, inputs=inputs))


def _attempt(finding: Finding, fix: Fix, root: Facts, before: Facts, after: Facts) -> Attempt:
    before, after = at_size_of(root, before), at_size_of(root, after)
    known = before.params_exact and after.params_exact
    params = before.params - after.params if known else None
    macs = before.macs - after.macs if before.macs is not None and after.macs is not None else None
    return Attempt(finding, fix, None, params, macs)


def _added(edits: tuple[Edit, ...]) -> frozenset[str]:
    return frozenset(node.name for edit in edits if isinstance(edit, Splice) for node in edit.added)


def _params(graph: Graph) -> Iterator[Param]:
    nodes: list[Node] = list(graph.nodes)
    for node in nodes:
        yield from node.params
        for _, body in node.bodies:
            nodes.extend(body.nodes)
