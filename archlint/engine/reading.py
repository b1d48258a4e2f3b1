"""Values of a rule file as what they are meant to be, or an error that says what stands there instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archlint.engine.expr import compile_expr
from archlint.engine.patterns import Path
from archlint.engine.scene import Expr, ExprError, Names, suggest
from archlint.engine.source import SchemaError
from archlint.engine.word import Template, compile_template


def keys(data: Mapping[Any, Any], known: Mapping[str, object] | tuple[str, ...], path: Path) -> None:
    """Nothing, when all keys are known.

    Raises: SchemaError: one is not.
    """
    for key in data:
        if key not in known:
            comma = "a comma inside {…} starts a new key; put the text in quotes" if data[key] is None else ""
            advice = comma or suggest(str(key), known)
            raise SchemaError((*path, str(key)), f"unknown key '{key}'", advice, on_key=True)


def text(data: Mapping[str, Any], path: Path) -> str:
    """The text at the last step of the path."""
    value = data[str(path[-1])]
    if not isinstance(value, str) or not value.strip():
        raise SchemaError(path, f"'{path[-1]}' is a text, not {seen(value)}", trap(value))
    return value


def word(data: Mapping[str, Any], path: Path, known: tuple[str, ...]) -> str:
    """One of the known words."""
    return one_of(data[str(path[-1])], path, known)


def one_of(value: Any, path: Path, known: tuple[str, ...]) -> str:
    """The value, when it is one of the known words."""
    if value not in known:
        what = f"'{path[-1]}' is one of {', '.join(known)}, not {seen(value)}"
        raise SchemaError(path, what, suggest(str(value), known))
    return str(value)


def strings(data: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    """A list of texts; empty when the key is not there."""
    value = data.get(str(path[-1]), [])
    if not isinstance(value, list):
        raise SchemaError(path, f"'{path[-1]}' is a list, not {seen(value)}")
    for index, item in enumerate(value):
        if not isinstance(item, str):
            raise SchemaError((*path, index), f"a text was expected, not {seen(item)}", trap(item))
    return tuple(value)


def words(data: Mapping[str, Any], path: Path, known: tuple[str, ...]) -> tuple[str, ...]:
    """A list of known words; empty when the key is not there."""
    found = strings(data, path)
    return tuple(one_of(value, (*path, index), known) for index, value in enumerate(found))


def mapping(data: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """The mapping at the last step of the path; empty when the key is not there."""
    value = data.get(str(path[-1]), {})
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise SchemaError(path, f"'{path[-1]}' is a mapping of names, not {seen(value)}")
    return value


def expression(value: Any, path: Path, names: Names) -> Expr:
    """The compiled expression."""
    if isinstance(value, bool):
        value = str(value).lower()
    elif isinstance(value, int | float):
        value = repr(value)
    if not isinstance(value, str):
        raise SchemaError(path, f"an expression was expected, not {seen(value)}", trap(value))
    try:
        return compile_expr(value.strip(), names)
    except ExprError as problem:
        raise SchemaError.inside(path, problem) from problem


def template(value: Any, path: Path, names: Names) -> Template:
    """The compiled message."""
    if not isinstance(value, str):
        raise SchemaError(path, f"a text was expected, not {seen(value)}", trap(value))
    try:
        return compile_template(value.strip(), names)
    except ExprError as problem:
        raise SchemaError.inside(path, problem) from problem


def seen(value: Any) -> str:
    """A value of YAML as a message names it."""
    names = {dict: "a mapping", list: "a list", type(None): "nothing"}
    return names.get(type(value)) or f"{value!r}"


def trap(value: Any) -> str:
    """What YAML did to a value that its author saw as text."""
    if isinstance(value, bool):
        return "YAML reads on, off, yes and no as true or false; put the word in quotes"
    if isinstance(value, dict):
        return "YAML reads ': ' inside a text, and a leading {, as a mapping; put the text in quotes"
    if isinstance(value, list):
        return "YAML reads a leading [ as a list; put the expression in quotes"
    if isinstance(value, int | float):
        return "YAML reads this as a number (010 is 8, 12:30 is 750); put it in quotes"
    return ""
