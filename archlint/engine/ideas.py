"""``fixes:`` of a rule file: what they say, and the rewrites that carry them out."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from archlint.engine.expr import compile_expr
from archlint.engine.patterns import Path
from archlint.engine.reading import expression, keys, mapping, template, text, word
from archlint.engine.rule import FixIdea
from archlint.engine.scene import Expr, Names, suggest
from archlint.engine.source import SchemaError
from archlint.fixes import Rewrite

LEVELS = ("exact", "calibrated", "retrain")
_KEYS = ("title", "level", "when", "use", "with")


def fix_ideas(value: Any, place: Path, names: Names, usable: bool = True) -> tuple[FixIdea, ...]:
    """The fixes of a rule; only those of one place are ``usable``, since a rewrite works at one place.

    Raises: SchemaError: a fix does not hold, or names a rewrite that does not exist or that lacks a node.
    """
    if not isinstance(value, list):
        raise SchemaError(place, "'fixes' is a list of {title, level, when, use}")
    found = []
    for index, row in enumerate(value):
        path: Path = (*place, index)
        if not isinstance(row, dict) or not {"title", "level"} <= set(row):
            raise SchemaError(path, "a fix is {title, level, when, use}")
        keys(row, _KEYS if usable else _KEYS[:3], path)
        if "with" in row and "use" not in row:
            raise SchemaError((*path, "with"), "'with' is for the rewrite that 'use' names", on_key=True)
        use = _rewrite(row, path) if "use" in row else None
        found.append(
            FixIdea(
                template(row["title"], (*path, "title"), names),
                word(row, (*path, "level"), LEVELS),
                expression(row["when"], (*path, "when"), names) if "when" in row else None,
                use,
                {} if use is None else _given(use, row, path, names),
            )
        )
    return tuple(found)


def _rewrite(row: Mapping[str, Any], path: Path) -> Rewrite:
    module, _, function = text(row, (*path, "use")).partition(".")
    try:
        found = getattr(import_module(f"archlint.fixes.{module}"), function, None)
    except ModuleNotFoundError as error:
        what = f"there is no module archlint/fixes/{module}.py"
        raise SchemaError((*path, "use"), what) from error
    if not isinstance(found, Rewrite):
        raise SchemaError((*path, "use"), f"archlint/fixes/{module}.py has no rewrite '{function}'")
    return found


def _given(use: Rewrite, row: Mapping[str, Any], path: Path, names: Names) -> Mapping[str, Expr]:
    """Name that the rewrite asks for → the expression that gives it: ``with``, or what has that name here."""
    stated = mapping(row, (*path, "with"))
    needed = {**use.nodes, **use.values}
    keys(stated, needed, (*path, "with"))
    found = {name: expression(value, (*path, "with", name), names) for name, value in stated.items()}
    for name, meaning in needed.items():
        if name in found:
            continue
        known = names.nodes if name in use.nodes else {**names.values, **names.options}
        if name not in known:
            advice = f"with: {{{name}: …}} gives it; {suggest(name, tuple(known))}".rstrip("; ")
            raise SchemaError((*path, "use"), f"this rewrite needs '{name}' ({meaning})", advice)
        plain = name in names.nodes or name in names.values
        found[name] = compile_expr(name if plain else f"options.{name}", names)
    for role in use.nodes:
        if found[role].kind not in ("node", "any"):
            what = f"'{role}' is to be a node, not of kind {found[role].kind}"
            raise SchemaError((*path, "use"), what)
    return found
