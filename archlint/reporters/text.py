"""The report that people read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TextIO

from archlint.findings import NO_WEIGHTS, SEVERITIES, FileReport, Finding, Report
from archlint.reporters.view import View, clipped, plural, short

_INDENT = " " * 11
_MOST_UNKNOWN_OPS = 6


def render(report: Report, out: TextIO, view: View) -> None:
    """Writes a block per file and a closing line with what was checked, found and not judged."""
    for file in report.files:
        if view.detail < 0 and not (file.findings or file.crashes or file.problem):
            continue
        for line in _file(file, view):
            out.write(line + "\n")
        out.write("\n" if file.findings or file.crashes or file.problem else "")
    if view.detail >= 0:
        for line in _closing(report, view):
            out.write(line + "\n")


def _file(file: FileReport, view: View) -> Iterator[str]:
    yield view.paint("bold", clipped(file.path)) + _headline(file)
    if file.problem is not None:
        where = f"{clipped(file.problem.where)}: " if file.problem.where else ""
        yield f"  {view.paint('error', 'not read')} {where}{clipped(file.problem.what)}"
    for finding in file.findings:
        yield from _finding(finding, view)
    for note in file.notes:
        yield f"  {view.paint('dim', 'note')}     {clipped(note)}"
    for crash in file.crashes:
        yield f"  {view.paint('error', 'crash')}    {clipped(crash.where)}: {clipped(crash.what)}"
    if view.detail > 0:
        for silence in file.silences:
            at = f" at {clipped(silence.node)}" if silence.node else ""
            yield f"  {view.paint('dim', 'silent')}   {silence.rule}{at}: {clipped(silence.reason)}"
        for op, count in file.unknown_ops:
            yield f"  {view.paint('dim', 'unknown')}  {clipped(op)}, {plural(count, 'node')}"


def _headline(file: FileReport) -> str:
    parts = []
    if file.size_bytes is not None:
        parts.append(short(file.size_bytes, "B"))
    if file.problem is None:
        parts.append("parameters unknown" if file.params is None else plural(file.params, "parameter"))
        parts.append("MACs unknown" if file.macs is None else f"{short(file.macs)} MACs")
    return f"  ({', '.join(parts)})" if parts else ""


def _finding(finding: Finding, view: View) -> Iterator[str]:
    severity = view.paint(finding.severity, f"{finding.severity:<8}")
    at = f" at {clipped(finding.node)}" if finding.node else ""
    yield f"  {severity} {view.paint('bold', finding.rule)}{at}"
    yield f"{_INDENT}{clipped(finding.message)}"
    for name, text in finding.related:
        yield view.paint("dim", f"{_INDENT}{clipped(name)}: {clipped(text)}")
    for fix in finding.fixes:
        yield f"{_INDENT}fix ({fix.level}): {clipped(fix.title)}"


def _closing(report: Report, view: View) -> Iterator[str]:
    found = Counter(finding.severity for file in report.files for finding in file.findings)
    counts = [
        view.paint(
            severity, plural(found[severity], severity) if severity != "info" else f"{found[severity]:,} info"
        )
        for severity in SEVERITIES
        if found[severity]
    ]
    checked = f"{plural(len(report.files), 'file')}, {plural(report.rules, 'rule')}"
    nothing = "nothing found" if any(file.problem is None for file in report.files) else "nothing judged"
    yield f"{checked}: {', '.join(counts) or nothing}."
    mended = sum(map(_is_mended, (finding for file in report.files for finding in file.findings)))
    if mended:
        yield f"`archlint fix MODEL` fixes {mended:,} of them, and proves it."
    gaps = list(_gaps(report, view))
    if gaps:
        yield f"Not judged: {'; '.join(gaps)}."


def _is_mended(finding: Finding) -> bool:
    """Whether ``archlint fix`` has a fix for it that keeps what the model computes."""
    return any(fix.applicable and fix.level == "exact" and not fix.inference for fix in finding.fixes)


def _gaps(report: Report, view: View) -> Iterator[str]:
    unread = sum(file.problem is not None for file in report.files)
    if unread:
        yield f"{plural(unread, 'file')} that could not be read"
    unknown: Counter[str] = Counter()
    for file in report.files:
        unknown.update(dict(file.unknown_ops))
    if unknown:
        names = sorted(unknown, key=lambda op: (-unknown[op], op))
        shown = ", ".join(clipped(op) for op in names[:_MOST_UNKNOWN_OPS])
        more = f" and {len(names) - _MOST_UNKNOWN_OPS} more" if len(names) > _MOST_UNKNOWN_OPS else ""
        yield f"{plural(unknown.total(), 'node')} of unknown meaning ({shown}{more})"
    silent = [silence for file in report.files for silence in file.silences]
    silences = [silence for silence in silent if silence.reason != NO_WEIGHTS]
    if len(silences) < len(silent):
        asking = plural(len({row.rule for row in silent if row.reason == NO_WEIGHTS}), "rule")
        yield f"what {asking} would read in the weights (--weights)"
    if silences:
        rules = plural(len({silence.rule for silence in silences}), "rule")
        hint = "" if view.detail > 0 else " (-v lists them)"
        yield f"{plural(len(silences), 'place')} where {rules} lacked a fact{hint}"
    crashes = sum(len(file.crashes) for file in report.files)
    if crashes:
        yield f"{plural(crashes, 'rule failure')}, a fault of archlint or of that rule"
