"""What ``archlint fix --calibrate`` says: every variant in a table, and what was written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TextIO

from archlint.fixes.calibrate_result import Calibrated, Trial
from archlint.reporters.view import View, clipped

MEASURES = {
    "classes": "the same class",
    "labels": "the same labels",
    "numbers": "R²",
}
"""Kind of agreement → what the column holds."""


def render_trials(shown: Calibrated, out: TextIO, view: View) -> None:
    """Writes the table, smallest model first, and a sentence on what came of it."""
    out.write(view.paint("bold", clipped(shown.path)) + "\n")
    out.write(f"  {shown.samples}; agreement with the original on {shown.held:,} that were held out\n\n")
    head = ("variant", "hidden layers", MEASURES[shown.measure], "parameters", "MACs")
    ordered = sorted(shown.trials, key=lambda trial: (trial.params, -trial.agreement))
    table = [head, ("original", "", "", _count(shown.before.params), _count(shown.before.macs))]
    table += [_row(trial) for trial in ordered]
    widths = [max(len(row[at]) for row in table) for at in range(len(head))]
    for at, row in enumerate(table):
        trial = ordered[at - 2] if at > 1 else None
        cells = [
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        mark = "*" if trial is not None and trial == shown.winner else " "
        line = f"{mark} {'  '.join(cells)}".rstrip()
        out.write(view.paint("bold", line) + "\n" if mark == "*" else line + "\n")
    out.write("\n")
    for line in _result(shown, ordered):
        out.write(line + "\n")


def _row(trial: Trial) -> tuple[str, str, str, str, str]:
    macs = _count(trial.macs)
    return trial.name, trial.hidden, f"{trial.agreement:.4f}", _count(trial.params), macs


def _count(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"


def _result(shown: Calibrated, ordered: Sequence[Trial]) -> Iterator[str]:
    for trial in ordered:
        if trial.reason is not None:
            yield f"  passed over: {trial.name}, hidden layers {trial.hidden}: {clipped(trial.reason)}"
    if shown.winner is None:
        yield f"  nothing was written; {_best(ordered, shown)}"
        return
    least = f"the smallest that agrees at {shown.least:g} or more"
    yield f"  wrote {clipped(shown.out or '')} with {shown.winner.name}, {least}"
    ran = "it was not run"
    if shown.proven is not None:
        ran = f"run by {shown.runtime} it agrees at {shown.proven:.4f}"
    yield f"  the file reads back as it was asked for; {ran}"
    yield "  agreement is with the original, not with the truth: measure the accuracy before you use it"


def _best(ordered: Sequence[Trial], shown: Calibrated) -> str:
    smaller = [
        trial for trial in ordered if shown.before.params is None or trial.params < shown.before.params
    ]
    enough = [trial for trial in smaller if trial.agreement >= shown.least and trial.reason is None]
    if enough:
        return f"{enough[0].name} is the smallest that agrees at {shown.least:g} or more"
    return f"no smaller model agrees at {shown.least:g} or more"
