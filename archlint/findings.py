"""What a run says: findings, a row per file, and the whole report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from archlint.dataclass import dataclass
from archlint.graph import Attr, Shape

SEVERITIES = ("error", "warning", "info")
"""From worst to mildest. error: broken or unsafe; warning: costs something real; info: worth a look."""


@dataclass(frozen=True, slots=True)
class Fix:
    """A known way to change the model: what it would do, and its level ("exact", "calibrated", "retrain").

    ``applicable`` says that archlint has a rewrite that makes it, which may still refuse at this place;
    ``inference`` that it is exact for the outputs, but not for training on.
    """

    title: str
    level: str
    applicable: bool = False
    inference: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that one rule says about one place in one model."""

    rule: str
    family: str
    severity: str
    confidence: str
    message: str
    node: str | None = None
    values: Mapping[str, Attr] = field(default_factory=dict)
    related: tuple[tuple[str, str], ...] = ()
    fixes: tuple[Fix, ...] = ()


NO_WEIGHTS = "the weights were not read; --weights reads them"
"""Reason of the silence of a rule that asks for weights in a run that does not read them."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A rule that could not judge a place because a fact is unknown: rule, node, and what was unknown."""

    rule: str
    node: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file, or one rule on a file, could not be judged: where in it and what is wrong."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a model."""

    name: str
    dtype: str | None
    shape: Shape


@dataclass(frozen=True, slots=True)
class FileReport:
    """One row of the report; ``problem`` is set, and all counts are None, when the file could not be read.

    ``params`` and ``macs`` (batch of one) are None when an unknown node keeps them from being known;
    ``crashes`` are rules that failed on this model through a fault of their own; ``notes`` are sentences
    about what in the file itself limits what could be judged.
    """

    path: str
    format: str | None
    size_bytes: int | None
    producer: str | None = None
    params: int | None = None
    macs: int | None = None
    nodes: int | None = None
    unknown_ops: tuple[tuple[str, int], ...] = ()
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    findings: tuple[Finding, ...] = ()
    silences: tuple[Silence, ...] = ()
    crashes: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run: a row per file in the order found, and how many rules were applied."""

    files: tuple[FileReport, ...]
    rules: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """A finding that archlint has a fix for, and what became of it; ``reason`` is None when it was made.

    ``params_saved`` and ``macs_saved`` are how many fewer there are after the fix (negative: more), None
    when it was not made or they are not known. ``notes`` are sentences about what speaks for and against it.
    """

    finding: Finding
    fix: Fix
    reason: str | None = None
    params_saved: int | None = None
    macs_saved: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Totals:
    """What a model amounts to: parameters, MACs (batch of one), and bytes of its file; None is not known."""

    params: int | None
    macs: int | None
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class Proof:
    """How a patched file was compared with its original in the framework's own runtime.

    ``draws`` random inputs gave outputs at most ``absolute`` apart, which is ``relative`` of the largest
    output of that input; ``larger`` are input sizes, free only now, at which the patched model ran.
    ``reason`` says why nothing was compared; ``runtime`` is then None or what was tried.
    """

    runtime: str | None = None
    draws: int = 0
    absolute: float = 0.0
    relative: float = 0.0
    larger: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Patch:
    """What ``archlint fix`` did to one model; ``out`` is None when nothing was written.

    ``attempts`` are the fixes that were made, in their order, then those that were not. ``remaining`` are
    the findings of the patched model.
    """

    path: str
    attempts: tuple[Attempt, ...]
    before: Totals
    after: Totals
    remaining: tuple[Finding, ...] = ()
    out: str | None = None
    proof: Proof = Proof()

    @property
    def made(self) -> tuple[Attempt, ...]:
        """The fixes that were made."""
        return tuple(attempt for attempt in self.attempts if attempt.reason is None)
