"""``archlint fix``: from a model file to a patched one that has been proven, or to the reason why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from archlint.api import read_one, refuse_stray, wants_weights
from archlint.choice import Choice, chosen
from archlint.dataclass import dataclass
from archlint.engine import RuleSet, judge, load, outcome, selection
from archlint.errors import PatchError, UsageError
from archlint.facts import Facts
from archlint.findings import Attempt, Patch, Totals
from archlint.fixes import HEADS
from archlint.fixing.loop import Mended, Model, Wanted, at_size_of, mend
from archlint.fixing.place import default_out
from archlint.fixing.proof import VERIFY, Prover, UnprovenError
from archlint.formats import WRITERS, ModelFile, find, open_weights, write
from archlint.graph import Graph
from archlint.settings import Settings

UNKNOWN_CODE = "custom-object"
"""The one security rule whose finding does not stop a fix: a patch does not touch the code that a file lacks,
and such a model is never run."""

E = TypeVar("E", bound=PatchError)


@dataclass(frozen=True, slots=True)
class Plan:
    """What ``fix`` would do to one model: the model as read and as mended, and what it is to be called.

    ``out`` is where it would go, ``wanted`` what was asked for.
    """

    file: ModelFile
    start: Model
    wanted: Wanted
    mended: Mended
    patch: Patch
    out: str

    @property
    def before(self) -> Facts:
        """Facts about the model as it was read."""
        return self.start.facts

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
    head: str | None = None,
    settings: Settings | None = None,
    options: Sequence[str] = (),
) -> Plan:
    """The fixes for one model, made on its graph; nothing is written.

    ``select`` and ``ignore`` say whose findings are fixed; the rules of ``settings`` say what a fix may not
    bring. ``unsafe`` allows fixes after which the model has to be trained, ``inference`` those after which
    only inference gives what it gave, and asks for the rules that are off since they are about nothing else.
    ``head``, one of ``fixes.HEADS``, is what replaces flattened heads.

    Raises:
        PatchError: the model has security findings, or its format cannot be written.
        ReadError: the file cannot be read.
        UsageError: a word names no rule or head, or the path is no single model.
    """
    if in_place and out is not None:
        raise UsageError("--in-place and an output path exclude each other")
    if head is not None and (not unsafe or head not in HEADS):
        raise UsageError(f"--head is one of {', '.join(HEADS)}, and goes with --unsafe-fixes")
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
    both, asked = _judges(rules, picked, select, ignore)
    wanted = Wanted(both, picked.options, asked, unsafe, inference, head=head)
    stored = open_weights(file, graph)
    model = Model.of(graph, file.size_bytes, stored, wants_weights(graph, wanted.rules, settings.weights))
    return _planned(file, model, wanted, file.path if in_place else out or default_out(file.path))


def _planned(file: ModelFile, model: Model, wanted: Wanted, out: str) -> Plan:
    mended = mend(model, wanted)
    remaining = outcome(wanted.rules, mended.tally).findings
    after = at_size_of(model.facts, mended.model.facts)
    totals = _totals(model.facts), replace(_totals(after), size_bytes=None)
    patch = Patch(file.path, mended.attempts, *totals, remaining)
    return Plan(file, model, wanted, mended, patch, out)


def carry_out(plan: Plan, verify: str = "auto") -> Patch:
    """The patched model, written and proven; without fixes nothing is written.

    When the proof fails, or the format's writer refuses, the fix after which it first does is left out, with
    what was seen as its reason, and the model is planned anew without it. ``verify`` is one of ``VERIFY``.

    Raises:
        PatchError: it cannot be written, or with no fix does what the original does; nothing is left behind.
    """
    faults: list[str] = []
    while plan.patch.made:
        prover = _prover(plan, len(plan.patch.made), verify)
        written: list[str] = []
        try:
            _write(plan, len(plan.patch.made), plan.out, _noting(written, prover if prover.runs else None))
        except UnprovenError as failed:
            count, error = _first(plan, failed, partial(_failure, plan, verify))
            culprit = plan.patch.made[count - 1]
            faults.append(f"{error.what}, with the fix for {_said(culprit)}")
            plan = _without(plan, culprit, f"left out, since it is not proven: {error.what}")
            continue
        except PatchError:
            refused = None if written else _refusal(plan, len(plan.patch.made))
            if refused is None:
                raise
            plan = _without_refused(plan, refused)
            continue
        sizes = [entry.size_bytes for entry in find([plan.out]) if isinstance(entry, ModelFile)]
        after = replace(plan.patch.after, size_bytes=sizes[0] if sizes else None)
        return replace(plan.patch, out=plan.out, after=after, proof=prover.proof)
    if faults:
        raise UnprovenError(plan.file.path, "; ".join(faults))
    return plan.patch


def rehearsed(plan: Plan) -> Plan:
    """The plan without the fixes that the format's writer refuses, as ``carry_out`` would leave them out.

    Nothing stays: the whole is written to a temporary file beside ``out``, once if nothing is refused. Where
    nothing can be written the plan is as it was. The proof is not tried.
    """
    while plan.patch.made:
        refused = _refusal(plan, len(plan.patch.made))
        if refused is None:
            break
        plan = _without_refused(plan, refused)
    return plan


def _without_refused(plan: Plan, refused: PatchError) -> Plan:
    """The plan anew without the first fix at which the writer refuses; with all it says ``refused``."""
    count, refused = _first(plan, refused, partial(_refusal, plan))
    return _without(plan, plan.patch.made[count - 1], str(refused))


def _prover(plan: Plan, count: int, verify: str) -> Prover:
    """What proves the model after its first ``count`` fixes."""
    after = plan.mended.steps[count - 1].facts
    return Prover(plan.before, after, plan.file, plan.patch.made[:count], verify)


def _write(plan: Plan, count: int, out: str, prove: Callable[[str], None] | None) -> None:
    write(plan.file, plan.before.graph, plan.mended.steps[count - 1].edits, out, prove)


def _first(plan: Plan, error: E, fails: Callable[[int], E | None]) -> tuple[int, E]:
    """After how many fixes it fails, with fewer of them it does not; and how it fails then."""
    good, bad = 0, len(plan.patch.made)
    while bad - good > 1:
        count = (good + bad) // 2
        found = fails(count)
        if found is None:
            good = count
        else:
            bad, error = count, found
    return bad, error


def _refusal(plan: Plan, count: int) -> PatchError | None:
    """Why the format cannot say the first ``count`` fixes; None when it can, or when the disk is at fault."""
    try:
        _write(plan, count, plan.out, _look)
    except _SeenError:
        return None
    except PatchError as error:
        return None if isinstance(error.__cause__, OSError) else error
    return None


def _noting(written: list[str], prove: Callable[[str], None] | None) -> Callable[[str], None]:
    """The proof, which notes that the format could say what was asked for."""

    def noted(path: str) -> None:
        written.append(path)
        if prove is not None:
            prove(path)

    return noted


def _look(path: str) -> None:
    raise _SeenError


def _failure(plan: Plan, verify: str, count: int) -> UnprovenError | None:
    """How the proof of the first ``count`` fixes fails; None when it holds or cannot be tried."""
    prover = _prover(plan, count, verify)

    def seen(path: str) -> None:
        prover(path)
        raise _SeenError

    try:
        _write(plan, count, plan.out, seen)
    except UnprovenError as error:
        return error
    except (_SeenError, PatchError):
        return None
    return None


def _said(attempt: Attempt) -> str:
    finding = attempt.finding
    return f"{finding.rule} at '{finding.node}'" if finding.node else finding.rule


class _SeenError(Exception):
    """Keeps a file that was only to be looked at from its place."""


def _without(plan: Plan, culprit: Attempt, reason: str) -> Plan:
    """The plan anew, with no fix for the finding of one that cannot be made after all."""
    cause = culprit.finding.rule, culprit.finding.node
    barred = {**plan.wanted.barred, cause: reason}
    return _planned(plan.file, plan.start, replace(plan.wanted, barred=barred), plan.out)


def _refuse_unsafe(rules: RuleSet, file: ModelFile, graph: Graph) -> None:
    """Raises PatchError if a security rule has something to say of the model, whatever the settings are."""
    security = RuleSet(tuple(rule for rule in rules if rule.family == "security"))
    tally = judge(selection(security), Facts(graph, file.size_bytes))
    found = [place.finding for place in tally.places if place.finding.rule != UNKNOWN_CODE]
    if found:
        what = f"{found[0].rule}: {found[0].message}"
        raise PatchError(f"{file.path}: a model with security findings is not patched; {what}")


def _judges(
    rules: RuleSet, picked: Choice, select: Sequence[str], ignore: Sequence[str]
) -> tuple[RuleSet, frozenset[str]]:
    """The rules of the settings and those that are asked for; and the names of the latter, to be fixed."""
    asked = selection(rules if select else picked.rules, select or ("all",), ignore).by_name
    taking = picked.rules.by_name
    both = [taking.get(rule.name, rule) for rule in rules if rule.name in {*taking, *asked}]
    return RuleSet(tuple(both)), frozenset(asked)


def _asked_by_inference(rules: RuleSet) -> tuple[str, ...]:
    """Rules that are off by default and have a fix that is exact at inference only."""
    fixes = ((rule, idea.use) for rule in rules if not rule.default for idea in rule.body.fixes)
    return tuple(dict.fromkeys(rule.name for rule, use in fixes if use is not None and use.inference))


def _totals(facts: Facts) -> Totals:
    return Totals(facts.params if facts.params_exact else None, facts.macs, facts.size_bytes)


__all__ = ["VERIFY", "Plan", "carry_out", "plan", "rehearsed"]
