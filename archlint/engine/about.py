"""Rules as text for people: one rule in full, all rules in a list, the words that rules can use."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from archlint.engine.functions import FUNCTIONS
from archlint.engine.patterns import ops_with, traits
from archlint.engine.rule import Example, Rule, RuleSet
from archlint.engine.terms import MODEL_FACTS, NODE_FACTS, SETTING_FACTS, Fact
from archlint.engine.values import show
from archlint.ops import TABLE

_WIDTH = 100


def listing(rules: RuleSet) -> str:
    """A line per rule, by family: name, severities, summary."""
    width = max((len(rule.name) for rule in rules), default=0)
    lines = []
    for family in rules.families:
        lines.append(family)
        for rule in rules:
            if rule.family == family:
                opt_in = "" if rule.default else " (only when selected)"
                severity = "/".join(rule.severities)
                lines.append(f"  {rule.name:{width}}  {severity:13}  {rule.body.summary}{opt_in}")
    return "\n".join(lines)


def describe(rule: Rule) -> str:
    """Everything about one rule: what, why, when to ignore it, options, fixes, sources, examples."""
    return "\n".join(_description(rule)).rstrip()


def vocabulary() -> str:
    """Every op, trait, fact and function that a rule can use, a line each."""
    return "\n".join(_vocabulary())


def _description(rule: Rule) -> Iterator[str]:
    yield f"{rule.name} ({rule.family}, {' or '.join(rule.severities)}, {rule.body.confidence} confidence)"
    yield from ("", rule.body.summary, "", *_wrapped(rule.body.why))
    if rule.body.when_to_ignore:
        yield from ("", "When to ignore it", *_wrapped(rule.body.when_to_ignore))
    if rule.options:
        yield from ("", "Options")
        for option in rule.options.values():
            yield f"  {option.name} ({option.type}, default {show(option.default)}): {option.help}"
    if rule.body.fixes:
        yield from ("", "What helps")
        for fix in rule.body.fixes:
            yield f"  {fix.level}: {fix.title.text}" + (" (archlint fix makes it)" if fix.use else "")
    if rule.formats or rule.requires or not rule.default:
        needs = (*rule.formats, *(f"{name} settings" for name in rule.requires))
        yield from (
            "",
            "Runs on " + (", ".join(needs) or "every model") + ("" if rule.default else ", when selected"),
        )
    if rule.body.sources:
        yield from ("", "Sources", *(f"  {source}" for source in rule.body.sources))
    for flag, title in ((True, "Flagged"), (False, "Not flagged")):
        example = next((example for example in rule.examples if example.flag is flag), None)
        if example:
            yield from ("", title, *_example(example))


def _example(example: Example) -> Iterator[str]:
    yield from textwrap.indent(example.shown.rstrip(), "  ").splitlines()


def _wrapped(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(text.strip().split("\n\n")):
        if number:
            yield ""
        yield from textwrap.wrap(" ".join(paragraph.split()), _WIDTH)


def _vocabulary() -> Iterator[str]:
    yield "Facts of a node (conv.params)"
    yield from _facts(NODE_FACTS)
    yield from ("", "Facts of the model (model.params)")
    yield from _facts(MODEL_FACTS)
    yield from ("", "Facts of a loss, metric or optimizer (model.loss.name)")
    yield from _facts(SETTING_FACTS)
    yield from ("", "Functions")
    for function in FUNCTIONS.values():
        yield f"  {function.usage:22}  {function.meaning}"
    yield from ("", "Traits of ops (trait: linear)")
    for trait in traits():
        yield from textwrap.wrap(
            ", ".join(sorted(ops_with(trait))),
            _WIDTH,
            initial_indent=f"  {trait:16}  ",
            subsequent_indent=" " * 20,
        )
    yield from (
        "",
        "Ops and their settings (op: Conv); a setting is a fact of the node as well: conv.strides",
    )
    for name, op in sorted(TABLE.items()):
        settings = ", ".join(f"{key}={show(value)}" for key, value in op.attrs.items())
        yield f"  {name}{': ' if settings else ''}{settings}"


def _facts(facts: Mapping[str, Fact]) -> Iterator[str]:
    width = max(len(name) for name in facts)
    for row in facts.values():
        yield f"  {row.name:{width}}  {row.kind:8}  {row.meaning}"
