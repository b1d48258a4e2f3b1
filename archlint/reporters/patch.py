"""What ``archlint fix`` says: each finding with its fix, the file that was written, the proof, the totals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from archlint.findings import Attempt, Patch, Proof, Totals
from archlint.reporters.view import View, clipped, plural, short

_INDENT = " " * 11


def render_patch(patch: Patch, out: TextIO, view: View) -> None:
    """Writes a block per finding that has a fix, and what came of it all."""
    out.write(view.paint("bold", clipped(patch.path)) + "\n")
    last = None
    said: set[str] = set()
    for attempt in patch.attempts:
        if view.detail >= 0 or attempt.reason is None:
            if attempt.finding != last:
                out.write(_heading(attempt, view) + "\n")
                said.clear()
            last = attempt.finding
            for line in (*_outcome(attempt, view), *_notes(attempt, said, view)):
                out.write(line + "\n")
    for line in _result(patch, view):
        out.write(line + "\n")


def _heading(attempt: Attempt, view: View) -> str:
    finding = attempt.finding
    at = f" at {clipped(finding.node)}" if finding.node else ""
    severity = view.paint(finding.severity, f"{finding.severity:<8}")
    return f"  {severity} {view.paint('bold', finding.rule)}{at}"


def _outcome(attempt: Attempt, view: View) -> Iterator[str]:
    level = f"{attempt.fix.level}, inference only" if attempt.fix.inference else attempt.fix.level
    title = clipped(attempt.fix.title)
    if attempt.reason is None:
        yield f"{_INDENT}fixed ({level}): {title}{_savings(attempt)}"
    else:
        yield f"{_INDENT}not fixed ({level}): {title}"
        yield view.paint("dim", f"{_INDENT}{clipped(attempt.reason)}")


def _notes(attempt: Attempt, said: set[str], view: View) -> Iterator[str]:
    """A line per note that was not said of this finding before."""
    for note in attempt.notes:
        if note not in said:
            yield view.paint("dim", f"{_INDENT}{clipped(note)}")
        said.add(note)


def _savings(attempt: Attempt) -> str:
    pairs = ((attempt.params_saved, "parameter"), (attempt.macs_saved, "MAC"))
    parts = [
        f"{_count(abs(saved), noun)} {'fewer' if saved > 0 else 'more'}" for saved, noun in pairs if saved
    ]
    return f" [{', '.join(parts)}]" if parts else ""


def _count(number: int, noun: str) -> str:
    return plural(number, noun) if noun == "parameter" or number == 1 else f"{short(number)} {noun}s"


def _result(patch: Patch, view: View) -> Iterator[str]:
    made, left = len(patch.made), len(patch.attempts) - len(patch.made)
    others = f", {left} not" if left else ""
    if not made:
        yield f"nothing was written: {'no fix was made' if left else 'there is nothing to fix'}"
        return
    yield f"{plural(made, 'fix') if made == 1 else f'{made:,} fixes'} made{others}"
    if patch.out is not None:
        yield f"written  {view.paint('bold', clipped(patch.out))}"
        yield "proof    read back, it is the graph that was asked for"
        for line in _proof(patch.proof):
            yield f"         {line}"
    yield from totals_lines(patch.before, patch.after)


def _proof(proof: Proof) -> Iterator[str]:
    if proof.draws:
        apart = f"at most {proof.absolute:.2g} apart, {proof.relative:.2g} of the largest"
        apart = apart if proof.absolute else "equal, bit for bit"
        yield f"{proof.runtime}, both run on {proof.draws} random inputs: outputs {apart}"
    elif proof.runtime is not None:
        yield f"{proof.runtime}: {'it runs' if proof.reason is None else clipped(proof.reason)}"
    elif proof.reason is not None:
        yield f"not run: {clipped(proof.reason)}"
    if proof.larger:
        yield f"{proof.runtime}, run at new sizes: {', '.join(proof.larger)}"


def totals_lines(before: Totals, after: Totals) -> Iterator[str]:
    """A line per total, before and after."""
    rows = (
        ("parameters", before.params, after.params, lambda number: f"{number:,}"),
        ("MACs", before.macs, after.macs, short),
        ("bytes", before.size_bytes, after.size_bytes, lambda number: f"{number:,}"),
    )
    for name, old, new, said in rows:
        if old is None or new is None:
            continue
        change = f" ({(new - old) / old:+.1%})" if old and new != old else ""
        yield f"{name:<11}{said(old)} → {said(new)}{change}"
