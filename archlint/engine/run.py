"""Rules over one graph → findings, silences and crashes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure
from archlint.dataclass import dataclass
from archlint.engine.choose import check_options, option_values
from archlint.engine.match import Bound, Index, matches, readers
from archlint.engine.rule import FixIdea, Outcome, Rule, RuleSet, Together
from archlint.engine.scene import Expr, Scene
from archlint.engine.values import UNKNOWN, Value, every, truth
from archlint.findings import NO_WEIGHTS, SEVERITIES, Finding, Fix, Problem, Silence
from archlint.graph import Attr, Node, Setting

if TYPE_CHECKING:
    from archlint.facts import Facts


@dataclass(frozen=True, slots=True)
class Place:
    """One finding with what orders it, cost and position of its node, and the scene that it was made from."""

    finding: Finding
    cost: float
    position: int
    scene: Scene


@dataclass(slots=True)
class Tally:
    """What has been found so far in one graph; ``places`` end up one by one, also where a rule joins them.

    ``yielded`` are those that leave their node to another finding there, of another rule or of their own.
    """

    index: Index
    positions: Mapping[str, int]
    places: list[Place] = field(default_factory=list)
    yielded: list[Place] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    crashes: list[Problem] = field(default_factory=list)


def run(rules: RuleSet, facts: Facts, options: Mapping[str, Mapping[str, Attr]] | None = None) -> Outcome:
    """What the rules say of one model. Findings are in the order of severity, then of what they cost.

    ``options`` is rule name → option → value. A rule that fails through a fault of its own is a crash;
    the others go on.

    Raises: UsageError: an option that does not exist or a value it cannot have.
    """
    return outcome(rules, judge(rules, facts, options))


def outcome(rules: RuleSet, tally: Tally) -> Outcome:
    """What was seen as findings, in order, places joined where their rule joins them."""
    kept = ordered(_joined(rules, tally.places))
    return Outcome(tuple(place.finding for place in kept), tuple(tally.silences), tuple(tally.crashes))


def judge(rules: RuleSet, facts: Facts, options: Mapping[str, Mapping[str, Attr]] | None = None) -> Tally:
    """What the rules see in one model, place by place, each cause once.

    Raises: UsageError: an option that does not exist or a value it cannot have.
    """
    given = check_options(rules, options or {})
    graph = facts.graph
    tally = Tally(Index(graph), {node.name: at for at, node in enumerate(graph.nodes)})
    for rule in rules:
        if lacks_weights(rule, facts):
            tally.silences.append(Silence(rule.name, None, NO_WEIGHTS))
        elif applies(rule, facts):
            _run_rule(rule, facts, given.get(rule.name) or option_values(rule, {}), tally)
    _keep_one_per_cause(rules, tally)
    return tally


def ordered(found: Iterable[Place]) -> list[Place]:
    """The worst first; of equal severity what costs most, then what comes first in the graph."""
    return sorted(
        found, key=lambda place: (SEVERITIES.index(place.finding.severity), -place.cost, place.position)
    )


def applies(rule: Rule, facts: Facts) -> bool:
    """Whether a rule is meant for models of this format with what this file holds."""
    return _suits(rule, facts) and ("weights" not in rule.requires or facts.weights is not None)


def _suits(rule: Rule, facts: Facts) -> bool:
    format_ = facts.graph.format
    if rule.formats and format_ and not any(format_.startswith(known) for known in rule.formats):
        return False
    return "training" not in rule.requires or facts.graph.training is not None


def lacks_weights(rule: Rule, facts: Facts) -> bool:
    """Whether a rule that would apply asks for weights that exist and are not to be read."""
    asks = "weights" in rule.requires and facts.weights is None
    return asks and _suits(rule, facts) and any(node.params for node in facts.graph.nodes)


def places(rule: Rule, facts: Facts, index: Index, options: Mapping[str, Attr]) -> Iterator[Match | Unsure]:
    """Where the pattern or the check of a rule holds, before its conditions are asked."""
    if rule.check is not None:
        empty = Scene(facts, {}, {}, options)
        settings = {name: plain(expr.evaluate(empty)) for name, expr in rule.settings.items()}
        yield from rule.check(facts, **settings)
    elif rule.match:
        for bound in matches(index, rule.match):
            if rule.absent and next(matches(index, rule.absent, bound), None) is not None:
                continue
            stranger = _stranger(rule, index, bound)
            yield Unsure(stranger, f"what '{stranger.name}' does is unknown") if stranger else Match(bound)
    else:
        yield Match()


def _stranger(rule: Rule, index: Index, bound: Bound) -> Node | None:
    """An unknown node where ``absent`` says that something is not there; it might be just that."""
    edges = [edge for pattern in rule.absent for edge in pattern.edges if edge.source in bound]
    near = (node for edge in edges for node in readers(index, bound[edge.source or ""], edge))
    return next((node for node in near if node.op == "Unknown"), None)


def scene_of(rule: Rule, facts: Facts, match: Match, options: Mapping[str, Attr]) -> Scene:
    """What the expressions of a rule see at one match."""
    values: dict[str, Value] = {name: _value(value) for name, value in match.values.items()}
    return Scene(facts, match.nodes, values, options, rule.body.let)


def _run_rule(rule: Rule, facts: Facts, options: Mapping[str, Attr], tally: Tally) -> None:
    node: Node | None = None
    seen: set[str] = set()
    try:
        for match in places(rule, facts, tally.index, options):
            if isinstance(match, Unsure):
                name = match.node.name if match.node else None
                tally.silences.append(Silence(rule.name, name, match.reason))
                continue
            node = match.nodes.get(rule.body.at) if rule.body.at else None
            scene = scene_of(rule, facts, match, options)
            verdict = every(condition.evaluate(scene) for condition in rule.body.where)
            if verdict is UNKNOWN:
                tally.silences.append(Silence(rule.name, node.name if node else None, _reason(scene)))
            elif verdict:
                again = node is not None and node.name in seen
                if node is not None:
                    seen.add(node.name)
                at = tally.positions.get(node.name, 0) if node else -1
                place = Place(_finding(rule, scene, node), _cost(rule, scene), at, scene)
                (tally.yielded if again else tally.places).append(place)
    except Exception as error:  # a fault in one rule must not silence the others
        where = f"rule {rule.name}" + (f" at node {node.name}" if node else "")
        tally.crashes.append(Problem(where, f"{type(error).__name__}: {error}"))


def _reason(scene: Scene) -> str:
    return f"{', '.join(scene.unknowns) or 'a value'} is unknown"


def holds(expr: Expr | None, scene: Scene) -> bool:
    """Whether a condition is true here; no condition always is."""
    return expr is None or truth(expr.evaluate(scene)) is True


def _fixes(rule: Rule, ideas: tuple[FixIdea, ...], scene: Scene) -> tuple[Fix, ...]:
    """The ideas that hold here. Those for many places count as applicable where one like them is for one.

    What is only offered where the weights allow it is left to ``archlint fix``, which reads them.
    """
    rewrites = {idea.level: idea.use for idea in rule.body.fixes if idea.use is not None}
    found = []
    for idea in ideas:
        use = idea.use if ideas is rule.body.fixes else rewrites.get(idea.level)
        if holds(idea.when, scene) and not (use is not None and use.is_approximate):
            fix = Fix(idea.title.fill(scene), idea.level, use is not None, use is not None and use.inference)
            found.append(fix)
    return tuple(found)


def _finding(rule: Rule, scene: Scene, node: Node | None) -> Finding:
    cases = (case.severity for case in rule.body.severity if holds(case.when, scene))
    fixes = _fixes(rule, rule.body.fixes, scene)
    related = tuple((scene.nodes[name].name, words.fill(scene)) for name, words in rule.body.related)
    message = rule.body.message.fill(scene)
    used = {name: value for name, value in scene.values.items() if name in rule.body.let}
    values = {**used, **rule.body.message.values(scene)}
    return Finding(
        rule=rule.name,
        family=rule.family,
        severity=rule.level or next(cases),
        confidence=rule.body.confidence,
        message=message,
        node=node.name if node else None,
        values={name: plain(value) for name, value in values.items()},
        related=related,
        fixes=fixes,
    )


def _cost(rule: Rule, scene: Scene) -> float:
    value = rule.body.cost.evaluate(scene) if rule.body.cost else 0
    return float(value) if isinstance(value, int | float) else 0.0


def _keep_one_per_cause(rules: RuleSet, tally: Tally) -> None:
    """Sets the places apart that leave their node to another rule's finding there."""
    rows = tally.places
    spoken = {(row.finding.rule, row.finding.node) for row in rows}
    tally.places = []
    for row in rows:
        others = rules.by_name[row.finding.rule].yields_to
        yields = any((other, row.finding.node) in spoken for other in others)
        (tally.yielded if yields else tally.places).append(row)


SHOWN = 3
"""How many further places a finding that joins several names; the rest are counted."""


def _joined(rules: RuleSet, found: Iterable[Place]) -> list[Place]:
    """The places, those of one rule and severity joined into one finding where the rule says ``together``."""
    kept: list[Place] = []
    groups: dict[tuple[str, str], list[Place]] = {}
    for place in found:
        if rules.by_name[place.finding.rule].body.together is None:
            kept.append(place)
        else:
            groups.setdefault((place.finding.rule, place.finding.severity), []).append(place)
    for (name, _), rows in groups.items():
        rule = rules.by_name[name]
        together = rule.body.together
        kept.append(rows[0] if together is None or len(rows) == 1 else _join(rule, together, rows))
    return kept


def _join(rule: Rule, together: Together, rows: list[Place]) -> Place:
    """One finding at the first of several places; ``values`` names the nodes of all of them."""
    first = min(rows, key=lambda place: place.position)
    rest = sorted((place for place in rows if place is not first), key=lambda place: place.position)
    values: dict[str, Value] = {**first.scene.values, "places": len(rows)}
    for name in together.sum:
        values[name] = _sum(place.scene.named(name) for place in rows)
    scene = Scene(first.scene.facts, first.scene.nodes, values, first.scene.options, rule.body.let)
    names = tuple(place.finding.node or "" for place in (first, *rest))
    shown = {name: plain(value) for name, value in together.message.values(scene).items()}
    finding = replace(
        first.finding,
        message=together.message.fill(scene),
        values={**first.finding.values, **shown, "places": len(rows), "nodes": names},
        related=(*first.finding.related, *((name, "and here") for name in names[1 : SHOWN + 1])),
        fixes=_fixes(rule, together.fixes, scene),
    )
    return Place(finding, sum(place.cost for place in rows), first.position, scene)


def _sum(values: Iterable[Value]) -> Value:
    total: int | float = 0
    for value in values:
        if not isinstance(value, int | float):
            return UNKNOWN
        total += value
    return total


def plain(value: Value) -> Attr:
    """A value as a finding carries it: nodes by name, unknown as none."""
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, Node | Setting):
        return value.name
    return None if value is UNKNOWN else value


def _value(value: Attr) -> Value:
    """A check's value as expressions see it: what is not known is unknown."""
    return UNKNOWN if value is None else value
