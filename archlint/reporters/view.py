"""How a report is shown: colour, detail, and text from strangers made safe to print."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from archlint.dataclass import dataclass
from archlint.findings import Report

LONGEST_TEXT = 500
"""Characters of a name or message that the text report prints; a layer's name may be megabytes long."""

_CODES = {"bold": "1", "dim": "2", "error": "1;31", "warning": "33", "info": "36"}
"""Style → SGR parameters (ECMA-48, section 8.3.117)."""


@dataclass(frozen=True, slots=True)
class View:
    """What the reader asked for: ``detail`` is -1 (findings only), 0 or 1 (also what was not judged)."""

    colour: bool = False
    detail: int = 0

    def paint(self, style: str, text: str) -> str:
        """The text in a style, or as it is when there is no colour."""
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.colour else text


Reporter = Callable[[Report, TextIO, View], None]
"""Writes a report. A pure function of the report: reads no models, decides no exit code."""


def printable(text: str) -> str:
    """The text with all but plain characters escaped, so that a name in a file cannot steer a terminal.

    Bytes of a path that are not UTF-8 (surrogates, see PEP 383) become ``\\xff``.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def well_formed(text: str) -> str:
    """The text as Unicode can be written to a file: only what is not a character (a surrogate) is escaped."""
    if text.isascii():
        return text
    return "".join(_escaped(char) if 0xD800 <= ord(char) <= 0xDFFF else char for char in text)


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape", "backslashreplace").decode()


def clipped(text: str) -> str:
    """Printable text of bounded length."""
    if len(text) > LONGEST_TEXT:
        text = f"{text[:LONGEST_TEXT]}…"
    return printable(text)


def plural(count: int, noun: str) -> str:
    """ "1 file", "1,200 files"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def short(number: float, unit: str = "") -> str:
    """Three digits and a decimal prefix: 553 MB, 3.05 G, 12."""
    prefixes = ("", "k", "M", "G", "T", "P")
    power = 0
    while number >= 999.5 and power < len(prefixes) - 1:
        number /= 1000
        power += 1
    digits = f"{number:.0f}" if power == 0 or number >= 99.95 else f"{number:.3g}"
    return f"{digits} {prefixes[power]}{unit}".rstrip()
