"""How far a rule got on a model: patterns, conditions, and the values that decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure
from archlint.engine.choose import check_options, option_values
from archlint.engine.match import Index, matches
from archlint.engine.rule import Rule, RuleSet
from archlint.engine.run import applies, places, scene_of
from archlint.engine.scene import Expr, Scene
from archlint.engine.values import UNKNOWN, EvaluationError, show
from archlint.engine.word import word
from archlint.graph import Attr

if TYPE_CHECKING:
    from archlint.facts import Facts

MOST_PLACES = 20
"""Most places that are explained one by one."""


def explain(rule: Rule, facts: Facts, options: Mapping[str, Attr] | None = None) -> str:
    """Lines that say how many nodes each pattern found and how every condition came out, with values."""
    rules = RuleSet((rule,))
    given = check_options(rules, {rule.name: options}) if options else {}
    return "\n".join(_lines(rule, facts, given.get(rule.name) or option_values(rule, {})))


def _lines(rule: Rule, facts: Facts, options: Mapping[str, Attr]) -> Iterator[str]:
    yield f"{rule.name}: {rule.body.summary}"
    if not applies(rule, facts):
        needs = [*rule.formats, *(f"{name} settings" for name in rule.requires)]
        yield f"  does not apply to this model: it needs {', '.join(needs)}"
        return
    index = Index(facts.graph)
    for at, pattern in enumerate(rule.match, 1):
        alone = len(index.nodes(pattern))
        joined = sum(1 for _ in matches(index, rule.match[:at])) if at > 1 else alone
        ops = ", ".join(sorted(pattern.ops)[:4]) + (" …" if len(pattern.ops) > 4 else "")
        yield f"  {pattern.name}: {alone} nodes fit ({ops})" + (
            f", {joined} of them connected" if at > 1 else ""
        )
    found = list(islice(places(rule, facts, index, options), MOST_PLACES + 1))
    if not found:
        yield "  so it says nothing" if rule.match else "  its check finds nothing"
    for place in found[:MOST_PLACES]:
        yield from _place(rule, facts, place, options)
    if len(found) > MOST_PLACES:
        yield f"  … and more places than {MOST_PLACES}"


def _place(rule: Rule, facts: Facts, place: Match | Unsure, options: Mapping[str, Attr]) -> Iterator[str]:
    if isinstance(place, Unsure):
        yield f"  at {place.node.name if place.node else 'the model'}: cannot judge, {place.reason}"
        return
    nodes = ", ".join(f"{role} = {node.name}" for role, node in place.nodes.items())
    yield f"  {nodes or 'the model'}"
    scene = scene_of(rule, facts, place, options)
    verdicts = [(expr, _verdict(expr, scene)) for expr in rule.body.where]
    for expr, verdict in verdicts:
        yield f"    {verdict:8}{expr.text}{_values(expr, scene)}"
    for name, expr in rule.body.let.items():
        yield f"    let     {name} = {_shown(expr, scene)}"
    worst = {verdict for _, verdict in verdicts}
    end = (
        "silent"
        if "false" in worst
        else "silent, because something is unknown"
        if "unknown" in worst
        else "flagged"
    )
    yield f"    → {end}"


def _verdict(expr: Expr, scene: Scene) -> str:
    shown = _shown(expr, scene)
    return "false" if shown == "none" else shown


def _shown(expr: Expr, scene: Scene) -> str:
    try:
        value = expr.evaluate(scene)
    except EvaluationError as error:
        return f"fails: {error}"
    return "unknown" if value is UNKNOWN else show(value)


def _values(expr: Expr, scene: Scene) -> str:
    pairs = [(text, word(get(scene), "")) for text, get in expr.reads]
    return "   (" + ", ".join(f"{text} = {value}" for text, value in pairs) + ")" if pairs else ""
