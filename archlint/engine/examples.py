"""The examples of rules, run: they are the rules' tests and their documentation."""

from __future__ import annotations

from collections.abc import Iterator

from archlint.dataclass import dataclass
from archlint.engine.planted import Planted
from archlint.engine.rule import Example, Outcome, Rule, RuleSet
from archlint.engine.run import run
from archlint.errors import RuleError
from archlint.facts import Facts
from archlint.findings import Finding


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """One example: its rule, its number from 1 (0: the examples could not be read), and what went wrong."""

    rule: str
    number: int
    flag: bool
    problem: str | None = None


def run_examples(rules: RuleSet) -> tuple[ExampleResult, ...]:
    """A result per example, in the order of the rules; ``problem`` is None for those that hold."""
    return tuple(result for rule in rules for result in _run_rule(rule))


def _run_rule(rule: Rule) -> Iterator[ExampleResult]:
    try:
        assert rule.body  # which a run would only read at a place that the rule has found
        examples = rule.examples
    except RuleError as error:
        yield ExampleResult(rule.name, 0, True, str(error))
        return
    for number, example in enumerate(examples, 1):
        yield ExampleResult(rule.name, number, example.flag, _problem(rule, example))


def outcome_of(rule: Rule, example: Example) -> Outcome:
    """What a rule says of the model of one of its examples, with the weights and options that are planted."""
    size = example.graph.metadata.get("size_bytes")
    planted = bool(example.weights) or "weights" in rule.requires
    weights = Planted(example.graph, example.weights) if planted else None
    facts = Facts(example.graph, size if isinstance(size, int) else None, weights)
    return run(RuleSet((rule,)), facts, {rule.name: example.options})


def _problem(rule: Rule, example: Example) -> str | None:
    outcome = outcome_of(rule, example)
    if outcome.crashes:
        return f"the rule crashed: {outcome.crashes[0].what}"
    findings = outcome.findings
    if not example.flag:
        return (
            f"must pass, but was flagged at {findings[0].node}: {findings[0].message}" if findings else None
        )
    if not findings:
        silences = "; ".join(silence.reason for silence in outcome.silences)
        return "must be flagged, but was not" + (f" ({silences})" if silences else "")
    return _wrong(example, findings)


def _wrong(example: Example, findings: tuple[Finding, ...]) -> str | None:
    count = example.count or (len(example.at) if example.at else None)
    if count is not None and len(findings) != count:
        return f"must give {count} findings, gave {len(findings)}"
    nodes = {finding.node for finding in findings}
    for name in example.at:
        if name not in nodes:
            return f"must be flagged at {name}, was flagged at {', '.join(map(str, sorted(nodes, key=str)))}"
    first = findings[0]
    if example.severity and example.severity != first.severity:
        return f"must be of severity {example.severity}, is {first.severity}"
    for words in example.message:
        if not any(words in finding.message for finding in findings):
            return f"the message must say '{words}'; it says '{first.message}'"
    titles = [fix.title for finding in findings for fix in finding.fixes]
    for words in example.fixes:
        if not any(words in title for title in titles):
            return f"a fix must say '{words}'; they say '{'; '.join(titles)}'"
    return None
