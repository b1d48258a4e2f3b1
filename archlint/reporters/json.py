"""The report that programs read; ``report.schema.json`` beside this file says what stands in it."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TextIO

from archlint.findings import SEVERITIES, FileReport, Finding, Fix, Port, Problem, Report
from archlint.graph import Attr
from archlint.reporters.view import View, well_formed

SCHEMA_VERSION = 1
"""Raised when a field changes its meaning or goes away; a new field does not raise it."""

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


def render(report: Report, out: TextIO, view: View) -> None:
    """Writes one JSON object, the same bytes for the same report: ASCII, no NaN, no infinities."""
    whole: Json = {
        "schema_version": SCHEMA_VERSION,
        "files": [_file(file) for file in report.files],
        "summary": _summary(report),
    }
    json.dump(whole, out, indent=2, allow_nan=False)
    out.write("\n")


def _file(file: FileReport) -> Json:
    return {
        "path": well_formed(file.path),
        "format": file.format,
        "producer": _text(file.producer),
        "size_bytes": file.size_bytes,
        "params": file.params,
        "macs": file.macs,
        "nodes": file.nodes,
        "unknown_ops": [{"op": well_formed(op), "count": count} for op, count in file.unknown_ops],
        "inputs": [_port(port) for port in file.inputs],
        "outputs": [_port(port) for port in file.outputs],
        "error": None if file.problem is None else _problem(file.problem),
        "findings": [_finding(finding, file.path) for finding in file.findings],
        "silences": [
            {"rule": silence.rule, "node": _text(silence.node), "reason": well_formed(silence.reason)}
            for silence in file.silences
        ],
        "crashes": [_problem(crash) for crash in file.crashes],
        "notes": [well_formed(note) for note in file.notes],
    }


def _port(port: Port) -> Json:
    return {"name": well_formed(port.name), "dtype": _text(port.dtype), "shape": _value(port.shape)}


def _problem(problem: Problem) -> Json:
    return {"where": well_formed(problem.where), "what": well_formed(problem.what)}


def _finding(finding: Finding, path: str) -> Json:
    return {
        "rule": finding.rule,
        "family": finding.family,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "node": _text(finding.node),
        "path": well_formed(path),
        "message": well_formed(finding.message),
        "values": {well_formed(name): _value(value) for name, value in sorted(finding.values.items())},
        "related": [
            {"node": well_formed(name), "message": well_formed(text)} for name, text in finding.related
        ],
        "fixes": [_fix(fix) for fix in finding.fixes],
    }


def _fix(fix: Fix) -> Json:
    return {
        "title": well_formed(fix.title),
        "level": fix.level,
        "applicable": fix.applicable,
        "inference": fix.inference,
    }


def _summary(report: Report) -> Json:
    found = Counter(finding.severity for file in report.files for finding in file.findings)
    return {
        "files": len(report.files),
        "unreadable": sum(file.problem is not None for file in report.files),
        "rules": report.rules,
        "findings": {severity: found[severity] for severity in SEVERITIES},
        "unknown_nodes": sum(count for file in report.files for _, count in file.unknown_ops),
        "silences": sum(len(file.silences) for file in report.files),
        "crashes": sum(len(file.crashes) for file in report.files),
    }


def _text(text: str | None) -> Json:
    return None if text is None else well_formed(text)


def _value(value: Attr) -> Json:
    """A value of the graph in JSON: tuples are arrays; what JSON cannot write (NaN, infinities) is null."""
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
