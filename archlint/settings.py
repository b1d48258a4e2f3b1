"""Settings: the closest ``archlint.yaml``, or ``[tool.archlint]`` in ``pyproject.toml``, above a folder.

One file applies; nothing is merged. What rules are called is not known here: names are checked where the
rules are. Without a settings file this costs two questions to the file system per folder on the way up.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from archlint.dataclass import dataclass
from archlint.errors import UsageError

OWN_FILE, SHARED_FILE = "archlint.yaml", "pyproject.toml"
MAX_BYTES = 65_536
"""Largest ``archlint.yaml``."""
_MAX_OPENERS = 4_000
"""Most characters that may open a nested value; libyaml overflows the C stack at about 30,000 (measured)."""

FAIL_ON = ("error", "warning", "info", "never")
LEVELS = ("error", "warning", "info")
Value = int | float | str | bool | None | tuple["Value", ...]
"""A value of an option. Lists are tuples."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What applies to a run. ``path`` is the file that it comes from; None when no file sets anything.

    ``lines`` says where in that file a key stands, as "key" or "key.rule" → line from 1.
    """

    path: str | None = None
    select: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_on: str = "warning"
    rules: tuple[Path, ...] = ()
    options: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    severity: Mapping[str, str] = field(default_factory=dict)
    target: tuple[str, ...] = ()
    weights: bool | None = None
    lines: Mapping[str, int] = field(default_factory=dict)

    def place(self, *keys: str) -> str:
        """Where a setting stands, as ``file:line``; the file alone when its line is not known."""
        line = self.lines.get(".".join(keys)) or self.lines.get(keys[0])
        return f"{self.path}:{line}" if line else str(self.path)

    def overruled(
        self,
        *,
        select: Sequence[str] = (),
        extend_select: Sequence[str] = (),
        ignore: Sequence[str] = (),
        target: Sequence[str] = (),
        fail_on: str | None = None,
        weights: bool | None = None,
    ) -> Settings:
        """The settings with what the command line says in place of them; ``extend_select`` is added.

        Raises: UsageError: there is no such target.
        """
        try:
            _targets(list(target), Path())
        except _WrongError as wrong:
            raise UsageError(f"--target {wrong}") from wrong
        said = {"select": select, "ignore": ignore, "target": target, "fail-on": fail_on}
        return replace(
            self,
            select=tuple(select) or self.select,
            extend_select=(*self.extend_select, *extend_select),
            ignore=tuple(ignore) or self.ignore,
            target=tuple(target) or self.target,
            fail_on=fail_on or self.fail_on,
            weights=self.weights if weights is None else weights,
            lines={key: line for key, line in self.lines.items() if not said.get(key)},
        )


def load_settings(start: Path, config: Path | None = None, isolated: bool = False) -> Settings:
    """The settings that apply in a folder; those of ``config`` when given, the defaults when ``isolated``.

    Raises: UsageError: the file cannot be read or holds what is not a setting; says where.
    """
    if isolated:
        return Settings()
    if config is not None:
        return _read(config, _table_of(config, wanted=True) or {})
    for folder in (start, *start.parents):
        own, shared = folder / OWN_FILE, folder / SHARED_FILE
        if os.path.isfile(own):
            return _read(own, _table_of(own) or {})
        if os.path.isfile(shared) and (table := _table_of(shared)) is not None:
            return _read(shared, table)
    return Settings()


def _table_of(path: Path, wanted: bool = False) -> Mapping[Any, Any] | None:
    """The settings in a file as plain values; None for a ``pyproject.toml`` that has none."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1 if path.suffix != ".toml" else -1)
    except OSError as error:
        raise UsageError(f"{path}: the settings cannot be read: {error.strerror}") from error
    if path.suffix == ".toml":
        if b"archlint" not in raw and not wanted:
            return None
        found = _toml(path, raw)
        return {} if found is None and wanted else found
    if len(raw) > MAX_BYTES or len(re.findall(rb"[\[{]|[-?:] ", raw)) > _MAX_OPENERS:
        raise UsageError(f"{path}: this is too large to be a settings file (at most {MAX_BYTES:,} bytes)")
    return _yaml(path, raw)


def _toml(path: Path, raw: bytes) -> Mapping[Any, Any] | None:
    import tomllib

    try:
        whole = tomllib.loads(raw.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: this is not TOML: {error}") from error
    found = whole.get("tool", {}).get("archlint") if isinstance(whole.get("tool", {}), dict) else None
    if found is not None and not isinstance(found, dict):
        raise UsageError(f"{path}: [tool.archlint] is a table")
    return found


def _yaml(path: Path, raw: bytes) -> Mapping[Any, Any]:
    import yaml

    try:
        found = yaml.load(raw, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise UsageError(f"{place}: this is not YAML: {error.problem or error}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UsageError(f"{path}: this is not YAML: {error}") from error
    if found is not None and not isinstance(found, dict):
        raise UsageError(f"{path}: settings are keys and values, such as fail-on: error")
    return found or {}


def _read(path: Path, table: Mapping[Any, Any]) -> Settings:
    lines = _lines(path, table)
    found: dict[str, Any] = {}
    for key, value in table.items():
        place = f"{path}:{lines[str(key)]}" if str(key) in lines else str(path)
        reader = _READERS.get(key)
        if reader is None:
            advice = _meant(str(key), _READERS)
            raise UsageError(f"{place}: there is no setting '{key}'{advice}")
        try:
            found[key.replace("-", "_")] = reader(value, path.parent)
        except _WrongError as wrong:
            below = f"{key}.{wrong.key}" if wrong.key else key
            place = f"{path}:{lines[below]}" if below in lines else place
            raise UsageError(f"{place}: '{below}' {wrong}") from wrong
    return Settings(path=_shown(path), lines=lines, **found)


class _WrongError(Exception):
    """What is wrong with a value, as the end of a sentence; ``key`` is the key below it that is meant."""

    def __init__(self, what: str, key: str = "") -> None:
        super().__init__(what)
        self.key = key


def _shown(path: Path) -> str:
    """The path as a user would write it from here."""
    try:
        return os.path.relpath(path)
    except ValueError:  # another drive
        return str(path)


def _lines(path: Path, table: Mapping[Any, Any]) -> dict[str, int]:
    """Where keys stand: "key" and "key.below" → line from 1, found by their spelling in the text."""
    text = path.read_text(encoding="utf-8", errors="replace").splitlines()
    is_toml = path.suffix == ".toml"
    section = re.compile(r"\s*\[tool\.archlint\b")
    start = next((at for at, line in enumerate(text) if section.match(line)), 0) if is_toml else 0
    found: dict[str, int] = {}
    for key, value in table.items():
        at = _line_of(text, str(key), start)
        if at is not None:
            found[str(key)] = at + 1
        for below in value if isinstance(value, dict) else ():
            under = _line_of(text, str(below), start if at is None else at)
            if under is not None:
                found[f"{key}.{below}"] = under + 1
    return found


def _line_of(text: list[str], key: str, start: int) -> int | None:
    spelling = re.compile(rf"(?<![\w-])[\"']?{re.escape(key)}[\"']?\s*[:=\].]")
    return next((at for at in range(start, len(text)) if spelling.search(text[at])), None)


def _words(value: Any, _: Path) -> tuple[str, ...]:
    """A list of texts; one text may stand for a list of one."""
    rows = [value] if isinstance(value, str) else value
    if not isinstance(rows, list) or not all(isinstance(row, str) for row in rows):
        raise _WrongError(f"is a list of names, not {value!r}")
    return tuple(rows)


def _targets(value: Any, folder: Path) -> tuple[str, ...]:
    from archlint.targets import TARGETS

    found = _words(value, folder)
    for name in found:
        if name not in TARGETS:
            raise _WrongError(f"names '{name}', which is none of {', '.join(TARGETS)}{_meant(name, TARGETS)}")
    return found


def _folders(value: Any, folder: Path) -> tuple[Path, ...]:
    """Folders of rules, relative to the folder of the settings."""
    found = tuple(folder / word for word in _words(value, folder))
    for one in found:
        if not one.is_dir():
            raise _WrongError(f"names '{one}', which is no folder")
    return found


def _one_of(known: tuple[str, ...]) -> Callable[[Any, Path], str]:
    def read(value: Any, _: Path) -> str:
        if value not in known:
            raise _WrongError(f"is one of {', '.join(known)}, not {value!r}{_meant(str(value), known)}")
        return str(value)

    return read


def _levels(value: Any, folder: Path) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise _WrongError("maps rules to error, warning or info")
    for name, level in value.items():
        if level not in LEVELS:
            what = f"is one of {', '.join(LEVELS)}, not {level!r}{_meant(str(level), LEVELS)}"
            raise _WrongError(what, str(name))
    return {str(name): level for name, level in value.items()}


def _options(value: Any, _: Path) -> Mapping[str, Mapping[str, Value]]:
    if not isinstance(value, dict):
        raise _WrongError("maps rules to their options: {rule: {option: value}}")
    for name, given in value.items():
        if not isinstance(given, dict):
            raise _WrongError(f"maps options to values, not {given!r}", str(name))
    return {
        str(name): {str(key): _frozen(one) for key, one in given.items()} for name, given in value.items()
    }


def _frozen(value: Any) -> Value:
    if isinstance(value, list):
        return tuple(_frozen(one) for one in value)
    if value is None or isinstance(value, int | float | str):
        return value
    raise _WrongError(f"holds {value!r}, which no option can have")


def _switch(value: Any, _: Path) -> bool:
    if not isinstance(value, bool):
        raise _WrongError(f"is true or false, not {value!r}")
    return value


_READERS: Mapping[str, Callable[[Any, Path], Any]] = {
    "select": _words,
    "extend-select": _words,
    "ignore": _words,
    "fail-on": _one_of(FAIL_ON),
    "rules": _folders,
    "options": _options,
    "severity": _levels,
    "target": _targets,
    "weights": _switch,
}
"""Key of a settings file → how its value is read. Raises _WrongError."""

KEYS = tuple(_READERS)


def rows(settings: Settings) -> list[tuple[str, Any, str]]:
    """Key, value and place of every setting, in the order of ``KEYS``; "default" for what no file sets."""
    return [
        (
            key,
            getattr(settings, key.replace("-", "_")),
            settings.place(key) if key in settings.lines else "default",
        )
        for key in KEYS
    ]


def _meant(word: str, known: Any) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, sorted(map(str, known)), 1, 0.6)
    return f"; did you mean '{close[0]}'?" if close else ""
