"""Folders of rule files → a set of rules, everything in them checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar

from archlint.engine.choose import meant
from archlint.engine.rule import Body, Example, Rule, RuleSet
from archlint.engine.schema import BODY, KEYS, Identity, build_body, build_rule, check_keys
from archlint.engine.source import LAST, SchemaError, Source, parse_yaml, read_source
from archlint.errors import RuleError

_T = TypeVar("_T")

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def builtin_folder() -> Path:
    """The folder of the rules that ship with archlint: beside the package, or inside it when installed.

    Raises: RuleError: the installation has none.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_rules", package.parent / "rules"):
        if folder.is_dir() and any(folder.glob("*/*.yaml")):
            return folder
    raise RuleError(
        f"error: this installation has no rules: neither {package / '_rules'} nor a checkout's rules/"
    )


def load(folders: Sequence[Path] = (), *, builtin: bool = True) -> RuleSet:
    """The built-in rules and those of the given folders, in the order of family and name.

    A folder holds ``<family>/<name>.yaml``, or ``<name>.yaml`` whose family is then the folder's own name.
    Rules of given folders are read whole. Of those that ship with archlint, which its own tests have read
    whole, the body waits until the rule has found a place.

    Raises: RuleError: all faults of all files; a folder without rules; a name that is taken.
    """
    found: list[Rule] = []
    faults: list[str] = []
    own = (builtin_folder(),) if builtin else ()
    for folder in (*own, *folders):
        for path, family in _files(folder):
            try:
                found.append(load_file(path, family, whole=folder not in own))
            except RuleError as error:
                faults.append(str(error))
    seen: dict[str, Rule] = {}
    for rule in found:
        if rule.name in seen:
            faults.append(f"error: {rule.path}: the rule '{rule.name}' is already in {seen[rule.name].path}")
        seen[rule.name] = rule
    known = {*seen, *(() if builtin else (path.stem for path, _ in _files(builtin_folder())))}
    for rule in found:
        faults.extend(
            f"error: {rule.path}: 'yields_to' names '{name}', which is no rule{meant(name, known)}"
            for name in rule.yields_to
            if name not in known and not faults
        )
    if faults:
        raise RuleError("\n\n".join(faults))
    return RuleSet(tuple(sorted(found, key=lambda rule: (rule.family, rule.name))))


def load_file(path: Path, family: str, whole: bool = True) -> Rule:
    """The rule in one file; its body and check are read and judged now if it is to be ``whole``.

    Raises: RuleError: what does not hold, with line and caret.
    """
    if not _NAME.fullmatch(path.stem):
        raise RuleError(f"error: {path}: a rule's file is named in lower-case-with-dashes.yaml")
    source = read_source(path)
    if LAST not in source.keys:
        raise source.error(1, 1, f"the key '{LAST}' is missing", KEYS[LAST])
    head = frozenset(source.keys) - {LAST}
    first = head if whole else head - BODY

    def read_body(rule: Rule) -> Body:
        def build(data: Any) -> Body:
            check_keys(data)
            return build_body(rule, data)

        return _located(source, head, build)

    def read_examples(rule: Rule) -> tuple[Example, ...]:
        from archlint.engine.samples import build_examples

        return _located(source, (LAST,), lambda data: build_examples(rule, data))

    def build_first(data: Any) -> Rule:
        check_keys(data if whole else dict.fromkeys(source.keys))
        identity = Identity(path.stem, family, source.path)
        return build_rule(identity, data or {}, read_body, read_examples)

    rule = _located(source, first, build_first)
    if whole:
        _located(source, head, lambda _: rule.check)
        assert rule.body
    return rule


def _located(source: Source, keys: Collection[str], build: Callable[[Any], _T]) -> _T:
    """What ``build`` makes of what stands at the keys; a problem is an error that points at its place."""
    data = parse_yaml(source, keys)
    try:
        return build(data)
    except SchemaError as problem:
        raise source.located(problem, keys) from problem


def _files(folder: Path) -> list[tuple[Path, str]]:
    direct = [(path, folder.resolve().name) for path in folder.glob("*.yaml")]
    nested = [(path, path.parent.name) for path in folder.glob("*/*.yaml")]
    if not direct and not nested:
        what = "holds no rule files (<family>/<name>.yaml)" if folder.is_dir() else "is no folder"
        raise RuleError(f"error: {folder} {what}")
    return sorted(direct + nested)
