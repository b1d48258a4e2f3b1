"""``archlint fix``: from a model file to a patched one that has been proven, or to the reason why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archlint.api import read_one, refuse_stray, wants_weights
from archlint.choice import Choice, chosen
from archlint.dataclass import dataclass
from archlint.engine import RuleSet, judge, load, outcome, selection
from archlint.errors import PatchError, UsageError
from archlint.facts import Facts
from archlint.findings import Patch, Totals
from archlint.fixing.loop import Mended, Model, Wanted, at_size_of, mend
from archlint.fixing.place import default_out, put
from archlint.fixing.proof import VERIFY, Prover
from archlint.formats import WRITERS, ModelFile, find, open_weights
from archlint.graph import Graph
from archlint.settings import Settings

UNKNOWN_CODE = "custom-object"
"""The one security rule whose finding does not stop a fix: a patch does not touch the code that a file lacks,
and such a model is never run."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What ``fix`` would do to one model: the model as read and as mended, and what it is to be called.

    ``out`` is where it would go.
    """

    file: ModelFile
    graph: Graph
    mended: Mended
    before: Facts
    patch: Patch
    out: str

    @property
    def after(self) -> Facts:
        """Facts about the patched model."""
        return self.mended.model.facts

    @property
    def after_at_old_size(self) -> Facts:
        """Facts about the patched model at the input sizes of the original, even if they are free now."""
        return at_size_of(self.before, self.after)


def plan(
    path: str,
    out: str | None = None,
    *,
    in_place: bool = False,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    unsafe: bool = False,
    inference: bool = False,
    settings: Settings | None = None,
    options: Sequence[str] = (),
) -> Plan:
    """The fixes for one model, made on its graph; nothing is written.

    ``select`` and ``ignore`` say whose findings are fixed; the rules of ``settings`` say what a fix may not
    bring. ``unsafe`` allows fixes after which the model has to be trained, ``inference`` those after which
    only inference gives what it gave, and asks for the rules that are off since they are about nothing else.

    Raises:
        PatchError: the model has security findings, or its format cannot be written.
        ReadError: the file cannot be read.
        UsageError: a word names no rule, or the path is no single model.
    """
    if in_place and out is not None:
        raise UsageError("--in-place and an output path exclude each other")
    settings = settings or Settings()
    rules = load(settings.rules)
    if inference and not select and not settings.select:
        settings = settings.overruled(extend_select=_asked_by_inference(rules))
    picked = chosen(rules, settings, options)
    file, graph = read_one(path)
    if file.format not in WRITERS:
        raise PatchError(f"{file.path}: files of the format {file.format} cannot be written")
    refuse_stray(file, graph)
    _refuse_unsafe(rules, file, graph)
    wanted = _wanted(rules, picked, select, ignore, unsafe, inference)
    stored = open_weights(file, graph)
    model = Model.of(graph, file.size_bytes, stored, wants_weights(graph, wanted.rules, settings.weights))
    mended = mend(model, wanted)
    remaining = outcome(wanted.rules, mended.tally).findings
    after = at_size_of(model.facts, mended.model.facts)
    totals = _totals(model.facts), replace(_totals(after), size_bytes=None)
    patch = Patch(file.path, mended.attempts, *totals, remaining)
    place = file.path if in_place else out or default_out(file.path)
    return Plan(file, graph, mended, model.facts, patch, place)


def carry_out(plan: Plan, verify: str = "auto") -> Patch:
    """The patched model, written and proven; without fixes nothing is written.

    ``verify`` is one of ``VERIFY``.

    Raises:
        PatchError: it cannot be written, or does not do what the original does; nothing is left behind.
    """
    if not plan.patch.made:
        return plan.patch
    prover = Prover(plan.before, plan.after, plan.file, plan.patch.made, verify)
    edits = plan.mended.model.edits
    put(plan.file, plan.graph, edits, plan.out, prover if prover.runs else None)
    sizes = [entry.size_bytes for entry in find([plan.out]) if isinstance(entry, ModelFile)]
    after = replace(plan.patch.after, size_bytes=sizes[0] if sizes else None)
    return replace(plan.patch, out=plan.out, after=after, proof=prover.proof)


def _refuse_unsafe(rules: RuleSet, file: ModelFile, graph: Graph) -> None:
    """Raises PatchError if a security rule has something to say of the model, whatever the settings are."""
    security = RuleSet(tuple(rule for rule in rules if rule.family == "security"))
    tally = judge(selection(security), Facts(graph, file.size_bytes))
    found = [place.finding for place in tally.places if place.finding.rule != UNKNOWN_CODE]
    if found:
        what = f"{found[0].rule}: {found[0].message}"
        raise PatchError(f"{file.path}: a model with security findings is not patched; {what}")


def _wanted(
    rules: RuleSet,
    picked: Choice,
    select: Sequence[str],
    ignore: Sequence[str],
    unsafe: bool,
    inference: bool,
) -> Wanted:
    """The rules of the settings and those that are asked for, the findings of the latter to be fixed."""
    asked = selection(rules if select else picked.rules, select or ("all",), ignore).by_name
    taking = picked.rules.by_name
    both = [taking.get(rule.name, rule) for rule in rules if rule.name in {*taking, *asked}]
    return Wanted(RuleSet(tuple(both)), picked.options, frozenset(asked), unsafe, inference)


def _asked_by_inference(rules: RuleSet) -> tuple[str, ...]:
    """Rules that are off by default and have a fix that is exact at inference only."""
    fixes = ((rule, idea.use) for rule in rules if not rule.default for idea in rule.fixes)
    return tuple(dict.fromkeys(rule.name for rule, use in fixes if use is not None and use.inference))


def _totals(facts: Facts) -> Totals:
    return Totals(facts.params if facts.params_exact else None, facts.macs, facts.size_bytes)


__all__ = ["VERIFY", "Plan", "carry_out", "plan"]
