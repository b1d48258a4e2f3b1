"""A rule file's content, checked key by key and turned into a Rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archlint.checks import Check
from archlint.dataclass import dataclass
from archlint.engine.choose import option_problem
from archlint.engine.ideas import fix_ideas
from archlint.engine.patterns import Path, absent_patterns, match_patterns
from archlint.engine.reading import (
    expression,
    keys,
    mapping,
    one_of,
    seen,
    strings,
    template,
    text,
    trap,
    word,
    words,
)
from archlint.engine.rule import Body, Example, Option, Rule, SeverityCase, Together
from archlint.engine.scene import Expr, Names, suggest
from archlint.engine.source import SchemaError
from archlint.engine.word import Template
from archlint.findings import SEVERITIES

KEYS: Mapping[str, str] = {
    "summary": "one sentence that says what is flagged",
    "severity": "error, warning or info; or a list of {when, is}, tried in order",
    "confidence": "high, medium or low",
    "message": "what is wrong with this model, in numbers, with {placeholders}",
    "why": "the reasoning",
    "when_to_ignore": "when the finding is fine as it is",
    "sources": "addresses of the evidence",
    "options": "settings of the rule: type, default, min, max, help",
    "match": "named nodes and where their inputs come from, in data-flow order",
    "absent": "named nodes that must not be there",
    "check": "a Python check, <module>.<function>, in place of match",
    "with": "settings of the check: name to expression over options",
    "each": "'model': judge once per model, in place of match",
    "let": "named values",
    "where": "conditions that must all be true",
    "report": "at: the node that is reported; related: other nodes and what they do here",
    "fixes": "changes that help: title, level, when; use and with: the rewrite that makes them",
    "together": "message, sum and fixes of the one finding that several places of a model become",
    "cost": "what the finding costs, for the order of findings",
    "formats": "the formats it applies to: keras, onnx",
    "requires": "what must be there for it to run: training, weights",
    "default": "off for rules that must be asked for",
    "yields_to": "rules whose finding at the same node silences this one",
    "examples": "models that it flags and passes; the last key of the file",
}
"""Key of a rule file → what it holds."""

CONFIDENCES = ("high", "medium", "low")
FORMATS = ("keras", "onnx")
REQUIREMENTS = ("training", "weights")
_REQUIRED = ("summary", "severity", "confidence", "message", "why", "sources")
_OPTION_TYPES = ("int", "float", "bool", "str", "list")
_KINDS = {"int": "number", "float": "number", "bool": "bool", "str": "text", "list": "list"}


@dataclass(frozen=True, slots=True)
class Identity:
    """Where a rule comes from: name and family from its path, and its file."""

    name: str
    family: str
    path: str


BODY = frozenset(
    {"summary", "severity", "confidence", "message", "why", "when_to_ignore", "sources"}
    | {"let", "where", "report", "fixes", "together", "cost"}
)
"""The keys that matter once a rule has found a place."""


def check_keys(data: Any) -> None:
    """Nothing, when all keys of a rule file are known and none is missing.

    Raises: SchemaError: they are not.
    """
    if not isinstance(data, dict):
        raise SchemaError((), "a rule file is a mapping of keys, such as summary: …")
    keys(data, KEYS, ())
    for key in _REQUIRED:
        if key not in data:
            raise SchemaError((), f"the key '{key}' is missing", KEYS[key])


def build_rule(
    identity: Identity,
    data: Mapping[str, Any],
    read_body: Callable[[Rule], Body],
    read_examples: Callable[[Rule], tuple[Example, ...]],
) -> Rule:
    """The rule that a parsed file says; of the keys of ``BODY`` none has to be there.

    Raises: SchemaError: the first thing that does not hold.
    """
    options = _options(mapping(data, ("options",)))
    match = match_patterns(data.get("match"))
    return Rule(
        name=identity.name,
        family=identity.family,
        path=identity.path,
        options=options,
        match=match,
        absent=absent_patterns(data.get("absent"), match),
        check_name=_check_name(data),
        settings=_settings(data, Names({}, {}, _kinds(options))),
        formats=words(data, ("formats",), FORMATS),
        requires=words(data, ("requires",), REQUIREMENTS),
        default=_flag(data, "default", True),
        yields_to=strings(data, ("yields_to",)),
        find_check=named_check,
        read_body=read_body,
        read_examples=read_examples,
    )


def build_body(rule: Rule, data: Mapping[str, Any]) -> Body:
    """The body of a rule.

    Raises: SchemaError: the first thing that does not hold.
    """
    nodes: dict[str, frozenset[str] | None] = {pattern.name: pattern.ops for pattern in rule.match}
    kinds = _kinds(rule.options)
    values: dict[str, str] = {}
    if rule.check is not None:
        nodes.update(dict.fromkeys(rule.check.nodes))
        values.update(dict.fromkeys(rule.check.values, "any"))
    let = _let(mapping(data, ("let",)), Names(nodes, values, kinds))
    values.update({name: expr.kind for name, expr in let.items()})
    names = Names(nodes, values, kinds)
    at, related = _report(data, names)
    return Body(
        summary=text(data, ("summary",)).strip(),
        severity=_severity(data["severity"], names),
        confidence=word(data, ("confidence",), CONFIDENCES),
        message=template(data["message"], ("message",), names),
        why=text(data, ("why",)),
        when_to_ignore=text(data, ("when_to_ignore",)) if "when_to_ignore" in data else "",
        sources=strings(data, ("sources",)),
        let=let,
        where=_where(data.get("where", []), names),
        at=at,
        related=related,
        fixes=fix_ideas(data.get("fixes", []), ("fixes",), names),
        together=_together(data, names),
        cost=expression(data["cost"], ("cost",), names) if "cost" in data else None,
    )


def _kinds(options: Mapping[str, Option]) -> Mapping[str, str]:
    return {name: _KINDS[option.type] for name, option in options.items()}


def _options(data: Mapping[str, Any]) -> Mapping[str, Option]:
    found = {}
    for name, row in data.items():
        path: Path = ("options", name)
        if not isinstance(row, dict):
            raise SchemaError(path, "an option is a mapping: {type, default, help}")
        keys(row, ("type", "default", "min", "max", "help"), path)
        for key in ("type", "default", "help"):
            if key not in row:
                raise SchemaError(path, f"option '{name}' has no '{key}'", on_key=True)
        type_ = word(row, (*path, "type"), _OPTION_TYPES)
        for key in ("min", "max"):
            if not isinstance(row.get(key, 0), int | float):
                raise SchemaError((*path, key), f"'{key}' is a number, not {seen(row[key])}")
        default = tuple(row["default"]) if isinstance(row["default"], list) else row["default"]
        option = Option(name, type_, default, text(row, (*path, "help")), row.get("min"), row.get("max"))
        problem = option_problem(option, default)
        if problem:
            raise SchemaError((*path, "default"), f"the default of '{name}' {problem}", _number_trap(default))
        found[name] = option
    return found


def _number_trap(value: object) -> str:
    try:
        plain = float(value) if isinstance(value, str) else None
    except ValueError:
        return ""
    if plain is None:
        return trap(value) if isinstance(value, bool) else ""
    return f"YAML reads {value} as text; write {int(plain) if plain == int(plain) else plain}"


def _check_name(data: Mapping[str, Any]) -> str | None:
    ways = [key for key in ("match", "check", "each") if key in data]
    if len(ways) != 1:
        path: Path = (ways[1],) if ways else ()
        raise SchemaError(path, "a rule has exactly one of match, check and each", on_key=True)
    if "each" in data:
        one_of(data["each"], ("each",), ("model",))
    return text(data, ("check",)) if "check" in data else None


def named_check(name: str) -> Check:
    """The check ``<module>.<function>``.

    Raises: SchemaError: there is none.
    """
    from importlib import import_module

    module, _, function = name.partition(".")
    try:
        found = getattr(import_module(f"archlint.checks.{module}"), function, None)
    except ModuleNotFoundError as error:
        raise SchemaError(("check",), f"there is no module archlint/checks/{module}.py") from error
    if not isinstance(found, Check):
        raise SchemaError(("check",), f"archlint/checks/{module}.py has no check '{function}'")
    return found


def _settings(data: Mapping[str, Any], names: Names) -> Mapping[str, Expr]:
    given = mapping(data, ("with",))
    return {name: expression(value, ("with", name), names) for name, value in given.items()}


def _let(data: Mapping[str, Any], names: Names) -> Mapping[str, Expr]:
    found: dict[str, Expr] = {}
    for name, value in data.items():
        if name in names.all():
            raise SchemaError(("let", name), f"the name '{name}' is already taken", on_key=True)
        kinds = {**names.values, **{key: expr.kind for key, expr in found.items()}}
        found[name] = expression(value, ("let", name), Names(names.nodes, kinds, names.options))
    return found


def _where(value: Any, names: Names) -> tuple[Expr, ...]:
    if not isinstance(value, list):
        return (expression(value, ("where",), names),)
    return tuple(expression(item, ("where", index), names) for index, item in enumerate(value))


def _severity(value: Any, names: Names) -> tuple[SeverityCase, ...]:
    if not isinstance(value, list):
        return (SeverityCase(one_of(value, ("severity",), SEVERITIES)),)
    found = []
    for index, row in enumerate(value):
        path: Path = ("severity", index)
        if not isinstance(row, dict) or "is" not in row:
            raise SchemaError(path, "a case of severity is {when: <condition>, is: <severity>}")
        keys(row, ("when", "is"), path)
        when = expression(row["when"], (*path, "when"), names) if "when" in row else None
        found.append(SeverityCase(word(row, (*path, "is"), SEVERITIES), when))
    if not found or found[-1].when is not None or any(case.when is None for case in found[:-1]):
        raise SchemaError(("severity",), "the last case of severity, and only that, has no 'when'")
    return tuple(found)


def _report(data: Mapping[str, Any], names: Names) -> tuple[str | None, tuple[tuple[str, Template], ...]]:
    report = mapping(data, ("report",))
    keys(report, ("at", "related"), ("report",))
    at = report.get("at")
    if at is None and names.nodes:
        if len(names.nodes) > 1:
            raise SchemaError(("report",), "several nodes are named, so report: {at: …} says which one it is")
        at = next(iter(names.nodes))
    if at is not None:
        one_of(at, ("report", "at"), tuple(names.nodes))
    related = mapping(report, ("report", "related"))
    for name in related:
        if name not in names.nodes:
            path: Path = ("report", "related", name)
            raise SchemaError(path, f"'{name}' is no node", suggest(name, tuple(names.nodes)), on_key=True)
    rows = [(name, template(words_, ("report", "related", name), names)) for name, words_ in related.items()]
    return at, tuple(rows)


def _together(data: Mapping[str, Any], names: Names) -> Together | None:
    """``together:`` of a rule; its texts may say ``places``, the number of places that it joins."""
    if "together" not in data:
        return None
    row = mapping(data, ("together",))
    keys(row, ("message", "sum", "fixes"), ("together",))
    if "message" not in row:
        raise SchemaError(("together",), "'together' has a message that says {places}", on_key=True)
    added = strings(row, ("together", "sum"))
    for index, name in enumerate(added):
        if name not in names.values:
            advice = suggest(name, tuple(names.values))
            raise SchemaError(("together", "sum", index), f"'{name}' is no named value", advice)
    more = Names(names.nodes, {**names.values, "places": "number"}, names.options)
    message = template(row["message"], ("together", "message"), more)
    fixes = fix_ideas(row.get("fixes", []), ("together", "fixes"), more, usable=False)
    return Together(message, added, fixes)


def _flag(data: Mapping[str, Any], key: str, default: bool) -> bool:
    value = data.get(key, default)
    if not isinstance(value, bool):
        raise SchemaError((key,), f"'{key}' is on or off, not {seen(value)}")
    return value
