"""JSON from a stranger: every look-up knows its place, so that what is malformed is always a ReadError."""

from __future__ import annotations

import builtins
import json
import math
from collections.abc import Iterator, Sequence

from archlint.errors import ReadError
from archlint.formats.base import MAX_TEXT_BYTES

Json = object
"""A value that ``json.loads`` made; never trusted, only read through ``Raw``."""

MAX_INT = 2**63 - 1
"""Largest whole number that is taken as a setting: what a framework can hold in an int64."""

_KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}


class Raw:
    """A JSON value and the way that led to it. Missing members are a ``Raw`` of None, so look-ups chain."""

    __slots__ = ("_key", "_parent", "path", "value")

    def __init__(self, value: Json, path: str, key: str = "", parent: Raw | None = None) -> None:
        self.value = value
        self.path = path
        self._key = key
        self._parent = parent

    @property
    def where(self) -> str:
        """The place as a path: ``config.json: layers[3] 'fc1'.config.units``."""
        parts: list[str] = []
        here: Raw | None = self
        while here is not None:
            parts.append(here._key + here._label())
            here = here._parent
        return "".join(reversed(parts))

    def _label(self) -> str:
        """Name of the layer that stands here, when it is one of a list."""
        if self._key.startswith("[") and isinstance(self.value, dict):
            inner = self.value.get("config")
            name = self.value.get("name", inner.get("name") if isinstance(inner, dict) else None)
            return f" '{name[:80]}'" if isinstance(name, str) else ""
        return ""

    def bad(self, expected: str) -> ReadError:
        """The error that says what was expected here and what stands there instead."""
        return ReadError(self.path, self.where, f"expected {expected}, found {self._found()}")

    def error(self, what: str) -> ReadError:
        """An error about this place, in words of its own."""
        return ReadError(self.path, self.where, what)

    def _found(self) -> str:
        if type(self.value) in _KINDS and not isinstance(self.value, str):
            return _KINDS[type(self.value)]
        text = (
            repr(self.value) if not isinstance(self.value, int) or abs(self.value) < 1e30 else "a huge number"
        )
        return text if len(text) <= 60 else text[:57] + "..."

    def __contains__(self, key: str) -> bool:
        return isinstance(self.value, dict) and key in self.value

    def __getitem__(self, key: str) -> Raw:
        """The member of an object; a ``Raw`` of None when it is absent or this is None."""
        if self.value is None:
            return Raw(None, self.path, "." + key, self)
        if not isinstance(self.value, dict):
            raise self.bad("an object")
        return Raw(self.value.get(key), self.path, "." + key, self)

    def replaced(self, value: Json) -> Raw:
        """Another value at the same place."""
        return Raw(value, self.path, self._key, self._parent)

    def at(self, index: int) -> Raw:
        """The item of a list."""
        items = self.value
        if not isinstance(items, list) or not 0 <= index < len(items):
            raise self.bad(f"a list with at least {index + 1} items")
        return Raw(items[index], self.path, f"[{index}]", self)

    def first(self, *keys: str) -> Raw:
        """The first of these members that is there and not null; else the last one, which is null."""
        for key in keys:
            found = self[key]
            if found.value is not None:
                return found
        return found

    def items(self) -> Iterator[Raw]:
        """The items of a list; none when it is null."""
        if self.value is None:
            return
        if not isinstance(self.value, list):
            raise self.bad("a list")
        for index, item in enumerate(self.value):
            yield Raw(item, self.path, f"[{index}]", self)

    def members(self) -> Iterator[tuple[str, Raw]]:
        """Key and value of each member of an object; none when it is null."""
        if self.value is None:
            return
        if not isinstance(self.value, dict):
            raise self.bad("an object")
        for key, item in self.value.items():
            yield key, Raw(item, self.path, "." + key, self)

    @property
    def is_null(self) -> bool:
        """Whether nothing stands here."""
        return self.value is None

    def text(self, default: str | None = None) -> str:
        """Text; ``default`` when nothing is there."""
        if self.value is None and default is not None:
            return default
        if not isinstance(self.value, str):
            raise self.bad("text")
        return self.value

    def word(self, words: Sequence[str], default: str) -> str:
        """One of these words, in any case of letters; ``default`` when nothing is there."""
        found = self.text(default).lower()
        if found not in words:
            raise self.bad(f"one of {', '.join(words)}")
        return found

    def int(self, default: int | None = None, low: int = -MAX_INT) -> int:
        """A whole number (2.0 counts as one); ``default`` when nothing is there."""
        value = self.value
        if value is None and default is not None:
            return default
        if isinstance(value, float) and math.isfinite(value) and value == int(value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= MAX_INT:
            raise self.bad("a whole number" if low < 0 else f"a whole number from {low} up")
        return value

    def float(self, default: float | None = None) -> float:
        """A number; ``default`` when nothing is there."""
        value = self.value
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.bad("a number")
        if isinstance(value, int) and abs(value) > 10**300:
            raise self.bad("a number that a float can hold")
        return float(value)

    def flag(self, default: bool = False) -> bool:
        """True or false (0 and 1 count); ``default`` when nothing is there."""
        if self.value is None:
            return default
        if self.value not in (0, 1) or isinstance(self.value, float):
            raise self.bad("true or false")
        return bool(self.value)

    def ints(
        self, count: builtins.int | None = None, low: builtins.int = -MAX_INT
    ) -> tuple[builtins.int, ...]:
        """Whole numbers: a list of ``count``, or one number that stands for all."""
        if count is not None and not isinstance(self.value, list):
            return (self.int(low=low),) * count
        found = tuple(item.int(low=low) for item in self.items())
        if count is not None and len(found) != count:
            raise self.bad(f"{count} whole numbers")
        return found

    def numbers(self) -> tuple[builtins.float, ...]:
        """Numbers of a list, of nested lists in order, or of a single number."""
        if not isinstance(self.value, list):
            return self["config"]["value"].numbers() if isinstance(self.value, dict) else (self.float(),)
        return tuple(number for item in self.items() for number in item.numbers())

    def shape(self) -> tuple[builtins.int | None, ...] | None:
        """Lengths of axes, None where the file leaves one open; None when there is no shape."""
        if self.value is None:
            return None
        raw: Raw = self
        if isinstance(self.value, dict):
            raw = self["config"] if "config" in self else self["items"]
            raw = raw["items"] if isinstance(raw.value, dict) else raw
        return tuple(None if item.value is None else item.int(low=0) for item in raw.items())


def parse_json(text: str | bytes, path: str, where: str) -> Raw:
    """The JSON text as a ``Raw``.

    Raises:
        ReadError: it is too long, not JSON, nested too deep, or holds a number of thousands of digits.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise ReadError(
            path, where, f"the text is longer than {MAX_TEXT_BYTES >> 20} MB, which no model needs"
        )
    try:
        return Raw(_loads(text), path, where)
    except RecursionError as e:
        raise ReadError(path, where, "the JSON is nested deeper than any model is; it was not read") from e
    except UnicodeDecodeError as e:
        raise ReadError(path, where, f"the text is not UTF-8 (byte {e.start})") from e
    except ValueError as e:
        raise ReadError(path, where, f"this is not valid JSON: {str(e)[:120]}") from e


def _loads(text: str | bytes) -> Json:
    """NaN says that nothing is known, so it counts as null; it would also equal nothing, not even itself."""
    return json.loads(text, parse_constant=_CONSTANTS.__getitem__)


_CONSTANTS = {"NaN": None, "Infinity": math.inf, "-Infinity": -math.inf}
