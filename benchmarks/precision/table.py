"""The rows of the zoo and the page that shows them, ``docs/precision.md``."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypedDict

from archlint.findings import SEVERITIES, FileReport
from archlint.graph import Shape


class Expected(TypedDict):
    """What Keras counts: parameters, and the shape of every output with None for the batch axis."""

    params: int
    outputs: list[list[int | None]]


@dataclass(frozen=True)
class Row:
    """What was said of one model, the seconds it took, and what Keras counts (None for ONNX files)."""

    name: str
    report: FileReport
    seconds: float
    expected: Expected | None

    @property
    def faults(self) -> Iterator[str]:
        """What shows that archlint misread the model: it failed, or Keras counts otherwise."""
        report, expected = self.report, self.expected
        if report.problem:
            yield f"not judged: {report.problem.where} {report.problem.what}"
        for crash in report.crashes:
            yield f"a rule failed: {crash.where} {crash.what}"
        if not expected:
            return
        if report.params not in (expected["params"], None):
            yield f"{report.params:,} parameters, Keras counts {expected['params']:,}"
        if len(report.outputs) != len(expected["outputs"]):
            yield f"{len(report.outputs)} outputs, Keras has {len(expected['outputs'])}"
        for port, shape in zip(report.outputs, expected["outputs"], strict=False):
            if not _agree(port.shape, shape):
                yield f"output {port.name} is {port.shape}, Keras says {shape}"

    def count(self, severity: str) -> int:
        """Findings of this severity."""
        return sum(item.severity == severity for item in self.report.findings)


def _agree(shape: Shape, expected: list[int | None]) -> bool:
    """False when a known length differs; unknown lengths and symbols agree with anything."""
    if shape is None:
        return True
    pairs = zip(shape, expected, strict=False)
    return len(shape) == len(expected) and all(
        own == other for own, other in pairs if isinstance(own, int) and isinstance(other, int)
    )


def document(zoo: Sequence[Row]) -> str:
    """The page: totals, findings by rule, and a line for every model."""
    silent = sum(not row.report.findings for row in zoo)
    judged = sum(row.expected is not None for row in zoo)
    equal = sum(row.expected is not None and row.report.params == row.expected["params"] for row in zoo)
    unknown = sum(count for row in zoo for _, count in row.report.unknown_ops)
    nodes = sum(row.report.nodes or 0 for row in zoo)
    totals = ", ".join(f"{sum(row.count(level) for row in zoo)} {level}" for level in SEVERITIES)
    return "\n".join(
        [
            *_INTRODUCTION,
            f"* Models: {len(zoo)}, of which {silent} with no finding at all.",
            f"* Findings: {totals}. {_TRUE}",
            f"* Nodes: {nodes:,}, of which {nodes - unknown:,} known.",
            f"* Models whose parameters are known and equal those that Keras counts: {equal} of {judged}.",
            f"* Processor time for a model: median {_median(zoo):.0f} ms, largest {_largest(zoo)}.",
            "",
            *_by_rule(zoo),
            "",
            *_by_model(zoo),
            "",
        ]
    )


_INTRODUCTION = (
    "# Precision: what archlint says of healthy models",
    "",
    "Written by `python benchmarks/precision/run.py`, which builds well-known architectures as their papers",
    "or the Keras examples write them (`benchmarks/precision/*.py` names each source), saves them without",
    "weights and lints them with every rule at its default. An error or a warning here is a false alarm,",
    "unless `run.py` lists it as true; every info finding has been looked at. `golden.json` keeps all",
    "findings, and a test compares.",
    "Rules that read weights are not measured here: the models have none.",
    "",
)
_TRUE = (
    "The warnings are true: VGG, AlexNet and ZFNet keep 62 to 87 % of their parameters in one dense layer, "
    "two models hold layers whose code is not in the file, two take the last step of a bidirectional GRU, "
    "and in one a batch norm reads what dropout has changed."
)


def _median(zoo: Sequence[Row]) -> float:
    return sorted(row.seconds for row in zoo)[len(zoo) // 2] * 1000


def _largest(zoo: Sequence[Row]) -> str:
    row = max(zoo, key=lambda item: item.seconds)
    return f"{row.seconds * 1000:.0f} ms ({row.name}, {row.report.nodes:,} nodes)"


def _by_rule(zoo: Sequence[Row]) -> Iterator[str]:
    models: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in zoo:
        for item in row.report.findings:
            models[item.rule, item.severity][row.name] += 1
    yield "## By rule"
    yield ""
    yield "| rule | severity | models | findings | in |"
    yield "|---|---|---:|---:|---|"
    for rule, severity in sorted(models, key=lambda key: (SEVERITIES.index(key[1]), key[0])):
        named = models[rule, severity]
        shown = ", ".join(f"{name} {count}" if count > 1 else name for name, count in list(named.items())[:6])
        more = f" and {len(named) - 6} more" if len(named) > 6 else ""
        yield f"| {rule} | {severity} | {len(named)} | {named.total()} | {shown}{more} |"


def _by_model(zoo: Sequence[Row]) -> Iterator[str]:
    yield "## By model"
    yield ""
    yield "| model | nodes | unknown | parameters | errors | warnings | infos |"
    yield "|---|---:|---|---:|---:|---:|---:|"
    for row in zoo:
        report = row.report
        unknown = ", ".join(f"{name} {count}" for name, count in report.unknown_ops)
        params = "" if report.params is None else f"{report.params:,}"
        counts = " | ".join(str(row.count(level) or "") for level in SEVERITIES)
        cells = (row.name, f"{report.nodes or 0:,}", unknown, params, counts)
        yield f"| {' | '.join(cells)} |"
