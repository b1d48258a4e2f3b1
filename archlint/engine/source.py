"""Rule files as text: bounded before they are parsed, and located when something in them is wrong."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from archlint.dataclass import dataclass
from archlint.engine.scene import ExprError
from archlint.errors import RuleError

MAX_BYTES = 32_768
"""Largest rule file; the largest built-in one has about 6 KB."""
MAX_OPENERS = 4_000
"""Most characters that may open a nested value. libyaml overflows the C stack at about 30,000 (measured)."""

_OPENERS = ("[", "{", "- ", "? ", ": ")
LAST = "examples"
"""The last key of a rule file; what stands behind it belongs to it."""
_KEY = re.compile(r"^([a-z_]+):", re.MULTILINE)

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # a PyYAML built without libyaml
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]


class SchemaError(Exception):
    """What is wrong at one place of a rule file; ``path`` is the keys and indices that lead there.

    ``on_key`` points at the last key instead of its value; ``at`` and ``length`` are characters within it.
    """

    def __init__(
        self,
        path: tuple[str | int, ...],
        what: str,
        advice: str = "",
        *,
        on_key: bool = False,
        at: int | None = None,
        length: int = 1,
    ) -> None:
        super().__init__(what)
        self.path, self.what, self.advice = path, what, advice
        self.on_key, self.at, self.length = on_key, at, length

    @classmethod
    def inside(cls, path: tuple[str | int, ...], problem: ExprError) -> SchemaError:
        """A problem with an expression or placeholder that stands at ``path``."""
        return cls(path, problem.what, problem.advice, at=problem.at, length=problem.length)


@dataclass(frozen=True)
class Source:
    """A rule file: its path as shown to the user, and its text."""

    path: str
    text: str

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The keys that stand at the beginning of a line, up to the last."""
        return tuple(key for key, _ in self._starts)

    @cached_property
    def _starts(self) -> list[tuple[str, int]]:
        """Key and first character of each section; text can be none, since it is indented or in quotes."""
        found = [(match[1], match.start()) for match in _KEY.finditer(self.text)]
        last = next((at for at, (key, _) in enumerate(found) if key == LAST), len(found))
        return found[: last + 1]

    def only(self, keys: Collection[str]) -> str:
        """The text with every line blank that belongs to another key, so that places stay what they are.

        What stands above the first key stays.
        """
        starts = [*self._starts, ("", len(self.text))]
        parts = [self.text[: starts[0][1]]]
        for (key, start), (_, end) in pairwise(starts):
            part = self.text[start:end]
            parts.append(part if key in keys else "\n" * part.count("\n"))
        return "".join(parts)

    def error(self, line: int, column: int, what: str, advice: str = "", length: int = 1) -> RuleError:
        """The error with its line and a caret; ``line`` and ``column`` count from 1 over the whole file."""
        lines = self.text.splitlines()
        text = lines[line - 1] if 0 < line <= len(lines) else ""
        length = max(1, min(length, len(text) - column + 1))
        gutter = " " * len(str(line))
        report = [
            f"error: {what}",
            f"{gutter}--> {self.path}:{line}:{column}",
            f"{gutter} |",
            f"{line} | {text}",
            f"{gutter} | {' ' * (column - 1)}{'^' * length}",
        ]
        if advice:
            report.append(f"{gutter} = help: {advice}")
        return RuleError("\n".join(report))

    def located(self, problem: SchemaError, keys: Collection[str]) -> RuleError:
        """A problem with what stands at the keys as an error that points at its place in the file."""
        text = self.only(keys)
        line, column, length = _place(yaml.compose(text, Loader=_Loader), text, problem)
        return self.error(line + 1, column + 1, problem.what, problem.advice, length)


def read_source(path: Path) -> Source:
    """The file's text, of bounded size and depth.

    Raises: RuleError: it is too large, nested too deep, no UTF-8, or unreadable.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(f"error: cannot read rule file {path}: {error}") from error
    source = Source(str(path), text)
    if len(raw) > MAX_BYTES:
        raise source.error(1, 1, f"a rule file has at most {MAX_BYTES} bytes")
    if sum(map(text.count, _OPENERS)) > MAX_OPENERS:
        raise source.error(1, 1, "this file nests too many brackets, lists or keys to be a rule")
    return source


def parse_yaml(source: Source, keys: Collection[str]) -> Any:
    """What a rule file says at some of its keys, as plain Python values.

    Raises: RuleError: it is no YAML, has a key twice, or uses anchors.
    """
    text = source.only(keys)
    try:
        if "&" in text and any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, _Loader)):
            raise source.error(1, 1, "anchors and aliases cannot be used in rule files")
        loader = _Words(text)
        try:
            node = loader.get_single_node()
            return None if node is None else _plain(node, loader)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        advice = ""
        if "mapping values" in str(error.problem):
            advice = "a text that contains ': ' needs quotes"
        elif "found character" in str(error.problem) or "expected" in str(error.problem):
            advice = "a text that starts with [ { * & > % @ ` or a quote needs quotes around it"
        raise source.error(line + 1, column + 1, str(error.problem), advice) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise source.error(1, 1, f"this is not YAML: {error}") from error


class _Words(_Loader):
    """PyYAML asks for the type of every scalar; most of a rule file is text that can be nothing else."""

    def resolve(self, kind: type[yaml.Node], value: str, implicit: tuple[bool, bool]) -> Any:
        if kind is yaml.ScalarNode and not (implicit[0] and value[:1] in self.yaml_implicit_resolvers):
            return _TEXT
        return super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]  # PyYAML has none


_TEXT = yaml.resolver.BaseResolver.DEFAULT_SCALAR_TAG
_LIST = yaml.resolver.BaseResolver.DEFAULT_SEQUENCE_TAG
_MAPPING = yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG


def _plain(node: Any, loader: _Words) -> Any:
    """The plain value of a node. PyYAML keeps the last of two equal keys without a word; here it is an error.

    Raises: MarkedYAMLError: a key stands twice, or there is no such tag.
    """
    if node.tag == _TEXT and isinstance(node.value, str):
        return node.value
    if node.tag == _LIST and isinstance(node, yaml.SequenceNode):
        return [_plain(item, loader) for item in node.value]
    if node.tag != _MAPPING or not isinstance(node, yaml.MappingNode):
        return loader.construct_object(node, deep=True)
    found: dict[Any, Any] = {}
    for key, value in node.value:
        name = _plain(key, loader)
        if isinstance(name, list | dict):
            raise yaml.MarkedYAMLError(None, None, "a key is a word", key.start_mark)
        if name in found:
            raise yaml.MarkedYAMLError(None, None, f"the key '{key.value}' stands twice", key.start_mark)
        found[name] = _plain(value, loader)
    return found


def _place(node: Any, text: str, problem: SchemaError) -> tuple[int, int, int]:
    key = None
    for step in problem.path:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == str(step)), None)
            if pair is None:
                break
            key, node = pair
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            key, node = None, node.value[step]
    if node is None:
        return 0, 0, 1
    if problem.on_key and key is not None:
        node = key
    start, end = node.start_mark, node.end_mark
    length = end.column - start.column if end.line == start.line else 1
    if problem.at is None:
        return start.line, start.column, length
    return _within(node, text, problem)


def _within(node: Any, text: str, problem: SchemaError) -> tuple[int, int, int]:
    """Where the wrong words of a scalar stand: found again in the text, since YAML may have folded it."""
    start = node.start_mark
    value, at = str(node.value), problem.at or 0
    words = value[at : at + problem.length]
    if node.style in (None, "'", '"') and start.line == node.end_mark.line:
        return start.line, start.column + (1 if node.style else 0) + at, problem.length
    body = text[start.index : node.end_mark.index]
    earlier = value[:at].count(words) if words else 0
    found = -1
    for _ in range(earlier + 1):
        found = body.find(words, found + 1)
    if found < 0:
        return start.line, start.column, 1
    before = text[: start.index + found]
    return before.count("\n"), found + start.index - (before.rfind("\n") + 1), problem.length
