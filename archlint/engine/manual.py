"""Rules as pages for readers: Markdown per rule with an index by family, and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from archlint.engine.about import listing
from archlint.engine.examples import outcome_of
from archlint.engine.rule import Example, FixIdea, Rule, RuleSet
from archlint.engine.values import show
from archlint.fixes import HEADS

_LEVELS = {
    "exact": "the model computes the same",
    "calibrated": "fitted on samples; small differences remain",
    "retrain": "the model must be trained again",
}
"""Level of a fix → what a reader should know of it."""


def listed(rules: RuleSet, format_: str) -> str:
    """All rules as "text" (a line each), "markdown" (a section each) or "json" (a list of objects)."""
    if format_ == "json":
        return json.dumps([_record(rule) for rule in rules], indent=2, ensure_ascii=False)
    if format_ == "markdown":
        return "\n".join(page(rule) for rule in rules).rstrip()
    return listing(rules)


def pages(rules: RuleSet) -> Mapping[str, str]:
    """Path below the folder of the pages → contents: ``<family>/<name>.md`` and ``index.md``."""
    found = {f"{rule.family}/{rule.name}.md": page(rule) for rule in rules}
    return {"index.md": "".join(line + "\n" for line in _index(rules)), **found}


def write_pages(rules: RuleSet, folder: str) -> int:
    """Writes all pages into a folder and removes those of rules that are gone; how many there are."""
    wanted = pages(rules)
    root = Path(folder)
    for old in root.glob("*/*.md"):
        if old.relative_to(root).as_posix() not in wanted:
            old.unlink()
    for path, text in wanted.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    return len(wanted)


def page(rule: Rule) -> str:
    """One rule in Markdown; ends in a newline."""
    return "\n".join(_page(rule)).rstrip() + "\n"


def _index(rules: RuleSet) -> Iterator[str]:
    yield from (
        "# Rules",
        "",
        "Written by `archlint rules --docs docs/rules` from the rule files; do not edit.",
        "",
    )
    yield f"{len(rules)} rules in {len(rules.families)} families. *Asked for*: runs only when selected."
    for family in rules.families:
        yield from ("", f"## {family}", "", "| rule | severity | what it flags |", "|---|---|---|")
        for rule in rules:
            if rule.family == family:
                severity = "/".join(rule.severities) + ("" if rule.default else ", asked for")
                yield f"| [{rule.name}]({family}/{rule.name}.md) | {severity} | {_cell(rule.body.summary)} |"


def _page(rule: Rule) -> Iterator[str]:
    yield from (f"# {rule.name}", "", rule.body.summary, "")
    runs = ", ".join((*rule.formats, *(f"{name} in the file" for name in rule.requires))) or "every model"
    yield (
        f"Family {rule.family} · {' or '.join(rule.severities)} · {rule.body.confidence} confidence · {runs}"
        + ("" if rule.default else " · only when selected")
    )
    yield from ("", "## Why", "", rule.body.why.strip(), "")
    if rule.body.when_to_ignore:
        yield from ("## When to ignore it", "", rule.body.when_to_ignore.strip(), "")
    if rule.options:
        yield from ("## Options", "", "| option | type | default | meaning |", "|---|---|---|---|")
        for option in rule.options.values():
            yield f"| `{option.name}` | {option.type} | {show(option.default)} | {_cell(option.help)} |"
        yield from ("", f"Set as `--option {rule.name}.{next(iter(rule.options))}=…` or in the settings.", "")
    if rule.body.fixes:
        yield from ("## What helps", "")
        yield from (f"* {fix.title.text} ({_meaning(fix)})" for fix in rule.body.fixes)
        yield ""
    yield from _examples(rule)
    if rule.yields_to:
        others = ", ".join(f"`{name}`" for name in rule.yields_to)
        yield f"Silent at a node that {others} speaks of."
        yield ""
    yield from ("## Sources", "", *(f"* <{source}>" for source in rule.body.sources))


def _meaning(fix: FixIdea) -> str:
    """What a reader should know of a fix: its level, and which command makes it."""
    head = fix.use.head if fix.use is not None and fix.use.head in HEADS else None
    options = (
        ("--unsafe-fixes", fix.level == "retrain"),
        (f"--head {head}", head not in (None, "keep")),
        ("--inference", fix.use is not None and fix.use.inference),
    )
    command = " ".join(["archlint fix", *(option for option, needed in options if needed)])
    if fix.use is None:
        return f"{fix.level}: {_LEVELS[fix.level]}"
    where = ", where the weights allow it" if fix.use.is_approximate else ""
    return f"{fix.level}: {_LEVELS[fix.level]}; `{command}` makes it{where}"


def _examples(rule: Rule) -> Iterator[str]:
    for flag, title in ((True, "Flagged"), (False, "Not flagged")):
        example = next((one for one in rule.examples if one.flag is flag), None)
        if example is None:
            continue
        yield from (f"## {title}", "", "```", example.shown.rstrip(), "```", "")
        if example.options:
            yield from (f"with {_given(example)}", "")
        for finding in outcome_of(rule, example).findings[:1]:
            at = f" at {finding.node}" if finding.node else ""
            yield from (f"> {finding.severity}{at}: {finding.message}", "")


def _given(example: Example) -> str:
    return ", ".join(f"`{name}` = {show(value)}" for name, value in example.options.items())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _record(rule: Rule) -> dict[str, object]:
    return {
        "name": rule.name,
        "family": rule.family,
        "summary": rule.body.summary,
        "severities": list(rule.severities),
        "confidence": rule.body.confidence,
        "default": rule.default,
        "message": rule.body.message.text,
        "why": rule.body.why.strip(),
        "when_to_ignore": rule.body.when_to_ignore.strip(),
        "formats": list(rule.formats),
        "requires": list(rule.requires),
        "options": [
            {
                "name": one.name,
                "type": one.type,
                "default": one.default,
                "min": one.min,
                "max": one.max,
                "help": one.help,
            }
            for one in rule.options.values()
        ],
        "fixes": [{"title": fix.title.text, "level": fix.level} for fix in rule.body.fixes],
        "yields_to": list(rule.yields_to),
        "sources": list(rule.body.sources),
    }
