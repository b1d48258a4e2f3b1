"""Folders of rule files → a set of rules, everything in them checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from archlint.engine.choose import meant
from archlint.engine.rule import Example, Rule, RuleSet
from archlint.engine.schema import Identity, build_rule
from archlint.engine.source import SchemaError, Source, parse_yaml, read_source
from archlint.errors import RuleError

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

    Raises: RuleError: all faults of all files; a folder without rules; a name that is taken.
    """
    found: list[Rule] = []
    faults: list[str] = []
    for folder in (*((builtin_folder(),) if builtin else ()), *folders):
        for path, family in _files(folder):
            try:
                found.append(load_file(path, family))
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


def load_file(path: Path, family: str) -> Rule:
    """The rule in one file.

    Raises: RuleError: what does not hold, with line and caret.
    """
    if not _NAME.fullmatch(path.stem):
        raise RuleError(f"error: {path}: a rule's file is named in lower-case-with-dashes.yaml")
    source = read_source(path)
    if not source.tail:
        raise source.error(
            1, 1, "the key 'examples' is missing", "models that it flags and passes; the last key"
        )
    data = parse_yaml(source, tail=False)
    try:
        return build_rule(Identity(path.stem, family, source.path), data, _reader(source))
    except SchemaError as problem:
        raise source.located(problem, tail=False) from problem


def _reader(source: Source) -> Callable[[Rule], tuple[Example, ...]]:
    def read(rule: Rule) -> tuple[Example, ...]:
        from archlint.engine.samples import build_examples

        data = parse_yaml(source, tail=True)
        try:
            return build_examples(rule, data)
        except SchemaError as problem:
            raise source.located(problem, tail=True) from problem

    return read


def _files(folder: Path) -> list[tuple[Path, str]]:
    direct = [(path, folder.resolve().name) for path in folder.glob("*.yaml")]
    nested = [(path, path.parent.name) for path in folder.glob("*/*.yaml")]
    if not direct and not nested:
        what = "holds no rule files (<family>/<name>.yaml)" if folder.is_dir() else "is no folder"
        raise RuleError(f"error: {folder} {what}")
    return sorted(direct + nested)
