"""The ``examples:`` of a rule file: models in the text notation, built and checked."""

from __future__ import annotations

from typing import Any

from archlint.engine import planted
from archlint.engine.choose import meant, option_problem
from archlint.engine.rule import Example, Rule
from archlint.engine.source import SchemaError
from archlint.errors import TextError
from archlint.findings import SEVERITIES
from archlint.graph import Attr, Graph, parse, validate
from archlint.ops import build

_KEYS = ("flag", "pass", "at", "message", "fixes", "severity", "count", "options", "weights", "fixed")
LEAST = 2
"""Fewest examples of each sort: one model proves little, and a twin shows where the line is."""


def build_examples(rule: Rule, data: Any) -> tuple[Example, ...]:
    """The examples, at least two that flag and two that pass.

    Raises: SchemaError: an example does not hold; a model in it does not parse.
    """
    if set(data) != {"examples"}:
        raise SchemaError((), "'examples' is the last key of a rule file")
    rows = data["examples"]
    if not isinstance(rows, list):
        raise SchemaError(("examples",), "'examples' is a list of models to flag and to pass")
    found = tuple(_example(rule, row, index) for index, row in enumerate(rows))
    for flag, kind in ((True, "flag"), (False, "pass")):
        if sum(example.flag is flag for example in found) < LEAST:
            raise SchemaError(("examples",), f"a rule needs at least {LEAST} '{kind}' examples", on_key=True)
    return found


def _example(rule: Rule, row: Any, index: int) -> Example:
    path = ("examples", index)
    if not isinstance(row, dict) or ("flag" in row) == ("pass" in row):
        raise SchemaError(path, "an example is {flag: <model>, at: …} or {pass: <model>}")
    for key in row:
        if key not in _KEYS:
            raise SchemaError((*path, str(key)), f"unknown key '{key}'{meant(str(key), _KEYS)}", on_key=True)
    kind = "flag" if "flag" in row else "pass"
    graph = _graph(row[kind], (*path, kind))
    at = _texts(row.get("at"))
    for name in at:
        if name not in graph.by_name:
            raise SchemaError((*path, "at"), f"the model has no node '{name}'{meant(name, graph.by_name)}")
    severity = row.get("severity")
    if severity is not None and severity not in SEVERITIES:
        raise SchemaError((*path, "severity"), f"'severity' is one of {', '.join(SEVERITIES)}")
    return Example(
        flag=kind == "flag",
        text=row[kind],
        graph=graph,
        at=at,
        message=_texts(row.get("message")),
        fixes=_texts(row.get("fixes")),
        severity=severity,
        count=row.get("count"),
        options=_options(rule, row.get("options", {}), path),
        weights=_weights(graph, row.get("weights", {}), path),
        fixed=_fixed(rule, row, path),
    )


def _fixed(rule: Rule, row: dict[str, Any], path: tuple[str | int, ...]) -> Graph | None:
    if "fixed" not in row:
        return None
    if "flag" not in row or not any(fix.use for fix in rule.body.fixes):
        what = "'fixed' is for a model that is flagged by a rule with a fix that has 'use'"
        raise SchemaError((*path, "fixed"), what, on_key=True)
    return _graph(row["fixed"], (*path, "fixed"))


def _weights(graph: Graph, given: Any, path: tuple[str | int, ...]) -> dict[str, object]:
    wrong = planted.problem(graph, given)
    if wrong is not None:
        raise SchemaError((*path, "weights"), wrong)
    return dict(given)


def _graph(text: Any, path: tuple[str | int, ...]) -> Graph:
    if not isinstance(text, str):
        raise SchemaError(path, "a model is a text in the notation of `archlint show`; write it after '|'")
    try:
        graph = build(parse(text))
    except TextError as error:
        raise SchemaError(path, f"the model does not parse: {error}") from error
    problems = validate(graph)
    if problems:
        raise SchemaError(path, f"the model does not hold together: {problems[0]}")
    return graph


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(str(item) for item in value) if isinstance(value, list) else (str(value),)


def _options(rule: Rule, given: Any, path: tuple[str | int, ...]) -> dict[str, Attr]:
    values: dict[str, Attr] = {}
    for name, value in given.items():
        option = rule.options.get(name)
        if option is None:
            what = f"this rule has no option '{name}'{meant(name, rule.options)}"
            raise SchemaError((*path, "options", name), what, on_key=True)
        values[name] = tuple(value) if isinstance(value, list) else value
        problem = option_problem(option, values[name])
        if problem:
            raise SchemaError((*path, "options", name), f"option '{name}' {problem}")
    return values
