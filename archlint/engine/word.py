"""Messages with placeholders: ``{d.params:si}``, ``{share:.0%}``, ``{n:# node}``, ``{f.in_shape:shape}``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from string import Formatter

from archlint.dataclass import dataclass
from archlint.engine.expr import compile_expr
from archlint.engine.scene import Expr, ExprError, Names, Scene
from archlint.engine.values import UNKNOWN, Value, number, show
from archlint.graph import Node, Setting

_SPEC = re.compile(r",|,?\.[0-9][f%e]|\.[0-9]g|# [a-z -]+")


@dataclass(frozen=True, slots=True)
class Slot:
    """A placeholder: the expression between the braces and how its value is written."""

    expr: Expr
    spec: str


@dataclass(frozen=True, slots=True)
class Template:
    """A text with placeholders, in pieces."""

    text: str
    parts: tuple[str | Slot, ...]

    def fill(self, scene: Scene) -> str:
        """The text with its values; an unknown value reads "?"."""
        return "".join(
            part if isinstance(part, str) else word(part.expr.evaluate(scene), part.spec)
            for part in self.parts
        )

    def values(self, scene: Scene) -> Mapping[str, Value]:
        """Placeholder → value, of all that are no nodes."""
        found = {part.expr.text: part.expr.evaluate(scene) for part in self.parts if isinstance(part, Slot)}
        return {name: value for name, value in found.items() if not isinstance(value, Node | Setting)}


def compile_template(text: str, names: Names) -> Template:
    """The text in pieces, every placeholder checked.

    Raises: ExprError: a placeholder does not hold; its position is within the text.
    """
    parts: list[str | Slot] = []
    at = 0
    try:
        pieces = list(Formatter().parse(text))
    except ValueError as error:
        raise ExprError(f"{error}", 0, 1, "write {{ and }} for plain braces") from error
    for literal, name, spec, conversion in pieces:
        if literal:
            parts.append(literal)
        if name is None:
            continue
        at = text.find("{" + name, at) + 1
        if conversion:
            raise ExprError("'!' cannot be used in a placeholder", at, len(name))
        parts.append(Slot(_placeholder(name, spec or "", names, at), spec or ""))
    return Template(text, tuple(parts))


def _placeholder(name: str, spec: str, names: Names, at: int) -> Expr:
    try:
        expr = compile_expr(name, names)
    except ExprError as problem:
        raise ExprError(problem.what, at + problem.at, problem.length, problem.advice) from problem
    numeric = spec in ("si", "bytes") or _SPEC.fullmatch(spec) is not None
    if spec and not numeric and spec not in _WORDS:
        known = "si, bytes, shape, dims, list, ',' '.1f' '.0%' '# node' and the like"
        raise ExprError(f"unknown format '{spec}'", at + len(name) + 1, len(spec), f"known are {known}")
    fits = ("number", "any") if numeric else ("shape", "list", "nodes", "any")
    if spec and expr.kind not in fits:
        what = f"'{name}' is of kind {expr.kind}, which ':{spec}' cannot write"
        raise ExprError(what, at, len(name))
    return expr


def word(value: Value, spec: str) -> str:
    """A value as text: numbers as the spec says, nodes by name, lists with commas, unknown as "?"."""
    if value is UNKNOWN:
        return "?"
    if spec in _WORDS:
        return _WORDS[spec](value)
    if spec.startswith("# "):
        return f"{number(value):,} {spec[2:]}" + ("" if value == 1 else "s")
    if spec:
        return format(number(value), spec)
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:g}"
    return show(value)


def si(value: Value) -> str:
    """11505728 → "11.5M": three to four digits with k, M, G, T for thousands and up."""
    size = number(value)
    for factor, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(size) >= factor * 0.99995:
            return f"{size / factor:.1f}{letter}"
    return f"{size:g}"


def _bytes(value: Value) -> str:
    size = float(number(value))
    for factor, letter in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= factor:
            return f"{size / factor:.1f} {letter}"
    return f"{size:g} bytes"


def _lengths(value: Value) -> list[str]:
    return [word(dim, "") for dim in value] if isinstance(value, tuple) else [show(value)]


def _shape(value: Value) -> str:
    return "×".join(_lengths(value)[1:]) or "scalar"


def _list(value: Value) -> str:
    found = _lengths(value)
    return ", ".join(found) if len(found) <= 5 else f"{', '.join(found[:4])} and {len(found) - 4} more"


_WORDS: Mapping[str, Callable[[Value], str]] = {
    "si": si,
    "bytes": _bytes,
    "shape": _shape,
    "dims": lambda value: "×".join(_lengths(value)),
    "list": _list,
}
