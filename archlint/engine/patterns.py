"""The ``match:`` and ``absent:`` keys of a rule file: named nodes, their settings and their edges."""

from __future__ import annotations

from functools import cache
from typing import Any

from archlint.engine.rule import Edge, Pattern
from archlint.engine.scene import suggest
from archlint.engine.source import SchemaError
from archlint.engine.terms import attributes_of
from archlint.graph import Attr
from archlint.ops import TABLE

Path = tuple[str | int, ...]

_OWN_KEYS = ("op", "trait", "input", "inputs")
_EDGE_KEYS = ("from", "through", "slot", "only")
_TAKEN = frozenset({"model", "options", "true", "false", "none", "unknown", "any"})


@cache
def ops_with(trait: str) -> frozenset[str]:
    """Names of the ops that have the trait."""
    return frozenset(name for name, op in TABLE.items() if trait in op.traits)


@cache
def traits() -> tuple[str, ...]:
    """All traits that some op has, sorted."""
    return tuple(sorted({trait for op in TABLE.values() for trait in op.traits}))


def match_patterns(data: Any) -> tuple[Pattern, ...]:
    """The patterns of ``match:``, every one connected to those above it; empty when there is none."""
    found: list[Pattern] = []
    for name, row in _rows(data, "match"):
        known = tuple(pattern.name for pattern in found)
        pattern = _pattern(name, row, ("match", name), known)
        if found and not any(edge.source for edge in pattern.edges):
            what = f"'{name}' is not connected to the nodes above it"
            raise SchemaError(("match", name), what, "give it an input that is matched above", on_key=True)
        found.append(pattern)
    return tuple(found)


def absent_patterns(data: Any, match: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
    """The patterns of ``absent:``; an input that is named there is matched above or is absent's own."""
    found: list[Pattern] = []
    for name, row in _rows(data, "absent"):
        known = tuple(pattern.name for pattern in (*match, *found))
        if name in known:
            raise SchemaError(("absent", name), f"the name '{name}' is already taken", on_key=True)
        pattern = _pattern(name, row, ("absent", name), known)
        if not pattern.edges:
            what = f"'{name}' says nothing about where it would stand"
            raise SchemaError(("absent", name), what, "give it an input that is matched above", on_key=True)
        found.append(pattern)
    return tuple(found)


def _rows(data: Any, key: str) -> list[tuple[str, Any]]:
    if data is None:
        return []
    if not isinstance(data, dict) or not data:
        raise SchemaError((key,), f"'{key}' is a mapping of names to nodes: conv: {{op: Conv}}")
    for name in data:
        if not isinstance(name, str) or not name.isidentifier() or name in _TAKEN or name.startswith("_"):
            raise SchemaError((key, str(name)), f"'{name}' cannot name a node", on_key=True)
    return list(data.items())


def _pattern(name: str, row: Any, path: Path, known: tuple[str, ...]) -> Pattern:
    if not isinstance(row, dict):
        raise SchemaError(path, f"'{name}' is a mapping: {{op: Conv, input: …}}")
    ops = _ops(row, path)
    attrs: dict[str, Attr] = {}
    for key, value in row.items():
        if key in _OWN_KEYS:
            continue
        if key not in attributes_of(ops):
            advice = suggest(str(key), (*_OWN_KEYS, *attributes_of(ops)))
            what = (
                f"{_list(ops)} have no setting '{key}'"
                if len(ops) > 1
                else f"{_list(ops)} has no setting '{key}'"
            )
            raise SchemaError((*path, str(key)), what, advice, on_key=True)
        attrs[key] = _literal(value, (*path, key))
    return Pattern(name, ops, attrs, _edges(row, path, known))


def _ops(row: dict[str, Any], path: Path) -> frozenset[str]:
    if ("op" in row) == ("trait" in row):
        raise SchemaError(path, "a node says either op or trait")
    if "trait" in row:
        return _ops_of(row["trait"], (*path, "trait"), traits(), "trait")
    return _ops_of(row["op"], (*path, "op"), tuple(TABLE), "op")


def _ops_of(value: Any, path: Path, known: tuple[str, ...], what: str) -> frozenset[str]:
    listed = value if isinstance(value, list) else [value]
    found: set[str] = set()
    for index, word in enumerate(listed):
        if word not in known:
            at = (*path, index) if isinstance(value, list) else path
            raise SchemaError(at, f"there is no {what} '{word}'", suggest(str(word), known))
        if word in TABLE:
            found.add(word)
        else:
            found.update(ops_with(word))
    return frozenset(found)


def _edges(row: dict[str, Any], path: Path, known: tuple[str, ...]) -> tuple[Edge, ...]:
    if "inputs" in row:
        value = row["inputs"]
        if "input" in row or not isinstance(value, list):
            raise SchemaError((*path, "inputs"), "'inputs' is a list of inputs in any order, without 'input'")
        return tuple(_edge(one, (*path, "inputs", index), known) for index, one in enumerate(value))
    return (_edge(row["input"], (*path, "input"), known),) if "input" in row else ()


def _edge(value: Any, path: Path, known: tuple[str, ...]) -> Edge:
    if not isinstance(value, dict):
        return Edge(_source(value, path, known))
    for key in value:
        if key not in _EDGE_KEYS:
            what = f"unknown key '{key}'"
            raise SchemaError((*path, str(key)), what, suggest(str(key), _EDGE_KEYS), on_key=True)
    if "from" not in value:
        raise SchemaError(path, "an input is a name, or {from: name, through: [ops], slot: 0, only: true}")
    through = value.get("through", [])
    crossed = _ops_of(through, (*path, "through"), (*TABLE, *traits()), "op or trait")
    slot, only = value.get("slot"), value.get("only", False)
    if slot is not None and (not isinstance(slot, int) or isinstance(slot, bool) or slot < 0):
        raise SchemaError((*path, "slot"), f"'slot' is the number of an input, from 0, not {slot!r}")
    if not isinstance(only, bool):
        raise SchemaError((*path, "only"), f"'only' is true or false, not {only!r}")
    return Edge(_source(value["from"], (*path, "from"), known), crossed, slot, only)


def _source(value: Any, path: Path, known: tuple[str, ...]) -> str | None:
    if value == "any":
        return None
    if value not in known:
        what = f"the input '{value}' is not matched above"
        raise SchemaError(path, what, suggest(str(value), known))
    return str(value)


def _literal(value: Any, path: Path) -> Attr:
    if isinstance(value, list):
        return tuple(_literal(item, path) for item in value)
    if value is None or value == "none":
        return None
    if isinstance(value, bool | int | float | str):
        return value
    raise SchemaError(path, "a setting is a number, a word, true, false, none or a list of them")


def _list(ops: frozenset[str]) -> str:
    names = sorted(ops)
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
