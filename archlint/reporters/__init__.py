"""What a report looks like: a module per output, loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TextIO

from archlint.findings import Report
from archlint.reporters.view import Reporter, View


def _text() -> Reporter:
    from archlint.reporters.text import render

    return render


def _json() -> Reporter:
    from archlint.reporters.json import render

    return render


REPORTERS: Mapping[str, Callable[[], Reporter]] = {"text": _text, "json": _json}
"""Name of an output, as ``--format`` takes it → what loads its reporter. A new output is one row."""


def render(report: Report, format_: str, out: TextIO, view: View) -> None:
    """Writes the report in one of ``REPORTERS``."""
    REPORTERS[format_]()(report, out, view)


__all__ = ["REPORTERS", "Reporter", "View", "render"]
