"""``archlint fix --calibrate``: a smaller head fitted to what the original says of samples, or none."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace

from archlint.api import read_one, refuse_stray
from archlint.errors import PatchError, UsageError
from archlint.facts import Facts
from archlint.findings import Totals
from archlint.fixes.calibrate import Calibration, Fitted
from archlint.fixes.calibrate_fit import agreement
from archlint.fixes.calibrate_head import Head, head_of
from archlint.fixes.calibrate_result import Calibrated, Trial
from archlint.fixing.place import default_out
from archlint.formats import WRITERS, ModelFile, open_weights, write
from archlint.graph import Array, Edit, Graph, apply, validate
from archlint.runtime import is_installed, runtime_name
from archlint.runtime.samples import Samples, samples_for
from archlint.runtime.values import Place, place_of, values_at

BATCH = 32
"""Samples per run where the model leaves the batch free."""

_SLACK = 0.01
"""How far the agreement of the written file may be below the fit's: float32 against float64 moves a sample
that stands on the edge between two classes, and one of the 50 samples held out of 250 is 0.02."""


def calibrate(
    path: str,
    samples: str,
    out: str | None = None,
    *,
    least: float = 0.99,
    in_place: bool = False,
    dry: bool = False,
) -> Calibrated:
    """Fits every variant, and writes the one with the fewest parameters that agrees at least so far.

    Nothing is written when none does, when none is smaller than the model, or when it is ``dry``.

    Raises:
        PatchError: the model has no head that could be fitted, is not to be run, or cannot be run.
        ReadError: the model cannot be read.
        UsageError: the samples do not fit, or the path is no single model.
    """
    if in_place and out is not None:
        raise UsageError("--in-place and an output path exclude each other")
    file, graph = read_one(path)
    _refuse(file, graph)
    facts = Facts(graph, file.size_bytes)
    head = head_of(facts)
    weights = open_weights(file, graph)
    if weights is None:
        raise PatchError(f"{file.path}: it holds no weights")
    with tempfile.TemporaryDirectory(prefix="archlint-", ignore_cleanup_errors=True) as folder:
        given = samples_for(facts, samples, folder)
        run = _Run(file, facts, head, given, folder)
        flat, last, outputs = run.original()
        calibration = Calibration(facts, weights, head, flat.reshape(len(flat), -1), last)
        pairs = [(fitted, _trial(fitted, graph)) for fitted in calibration.fitted()]
        result = Calibrated(
            file.path,
            given.note,
            head.kind,
            len(calibration.held),
            least,
            Totals(facts.params, facts.macs, file.size_bytes),
            tuple(trial for _, trial in pairs),
        )
        if dry:
            return result
        place = file.path if in_place else out or default_out(file.path)
        return _written(result, pairs, run, outputs, calibration.held, place)


def _refuse(file: ModelFile, graph: Graph) -> None:
    """Raises PatchError for a model that is not to be run, or that could not be written."""
    if file.format not in WRITERS or file.format == "keras-json":
        raise PatchError(f"{file.path}: files of the format {file.format} cannot be calibrated")
    refuse_stray(file, graph)
    if graph.hazards:
        what = f"{graph.hazards[0].kind} at {graph.hazards[0].where}"
        raise PatchError(f"{file.path}: a model with security findings is not run; it has {what}")
    if not is_installed(file.format):
        raise PatchError(f"{file.path}: {runtime_name(file.format)} is needed to run it over the samples")


class _Run:
    """Runs the original and the patched model over the same samples."""

    def __init__(self, file: ModelFile, facts: Facts, head: Head, samples: Samples, folder: str) -> None:
        self.file, self.facts, self.head, self.samples, self._folder = file, facts, head, samples, folder
        shape = facts.graph.inputs[0][1].shape or ()
        self._batch = shape[0] if shape and isinstance(shape[0], int) else BATCH
        reached = facts.head(head.last.outputs[0]).output
        self._output = facts.graph.outputs.index(reached) if reached in facts.graph.outputs else None

    def original(self) -> tuple[Array, Array, Array | None]:
        """What Flatten makes, what the last dense layer reads, and the output that the head leads to."""
        graph = self.facts.graph
        places = [place_of(graph, self.head.start, "output"), place_of(graph, self.head.last, "input")]
        flat, last, *outputs = self._values(self.file.path, places)
        return flat, last, self._reached(outputs)

    def patched(self, path: str) -> Array | None:
        """The same output of a patched file."""
        return self._reached(self._values(path, []))

    def _values(self, path: str, places: Sequence[Place]) -> list[Array]:
        given, weights = self.samples, self.facts.params
        return values_at(path, self.file.format, given, places, self._batch, self._folder, weights)

    def _reached(self, outputs: Sequence[Array]) -> Array | None:
        return None if self._output is None else outputs[self._output]

    def agreement(self, old: Array, new: Array) -> float:
        """That of final outputs; probabilities are compared where "labels" are."""
        import numpy as np

        rows = [np.asarray(array, np.float64).reshape(len(array), -1) for array in (old, new)]
        if self.head.kind == "labels" and self.facts.head(self.head.last.outputs[0]).kind == "sigmoid":
            rows = [row - 0.5 for row in rows]
        return agreement(self.head.kind, *rows)


def _trial(fitted: Fitted, graph: Graph) -> Trial:
    patched = apply(graph, fitted.edits)
    problems = validate(patched)
    facts = Facts(patched)
    reason = f"the model would not hold together: {problems[0]}" if problems else None
    return Trial(fitted.name, fitted.hidden, fitted.agreement, facts.params, facts.macs, reason)


def _written(
    result: Calibrated,
    pairs: Sequence[tuple[Fitted, Trial]],
    run: _Run,
    outputs: Array | None,
    held: Array,
    place: str,
) -> Calibrated:
    """The result once the smallest variant that agrees enough, and that the format can say, is written."""
    before = result.before.params
    for fitted, trial in sorted(pairs, key=lambda pair: (pair[1].params, -pair[1].agreement)):
        small = before is None or trial.params < before
        if trial.agreement < result.least or not small or trial.reason is not None:
            continue
        prover = _Prover(run, outputs, held, trial.agreement)
        try:
            _put(run, fitted.edits, place, prover)
        except PatchError as error:
            passed = replace(trial, reason=str(error))
            result = replace(result, trials=tuple(passed if t == trial else t for t in result.trials))
            continue
        return replace(result, winner=trial, out=place, proven=prover.found, runtime=prover.runtime)
    return result


def _put(run: _Run, edits: Sequence[Edit], place: str, prover: _Prover) -> None:
    write(run.file, run.facts.graph, edits, place, prover if prover.can else None)


class _Prover:
    """Called with the path of a patched file: raises PatchError unless it agrees as its fit said."""

    def __init__(self, run: _Run, outputs: Array | None, held: Array, promised: float) -> None:
        self._run, self._outputs, self._held, self._promised = run, outputs, held, promised
        self.can = outputs is not None
        self.found: float | None = None
        self.runtime = runtime_name(run.file.format)

    def __call__(self, path: str) -> None:
        new = self._run.patched(path)
        if new is None or self._outputs is None:
            return
        self.found = self._run.agreement(self._outputs[self._held], new[self._held])
        if self.found < self._promised - max(_SLACK, 1.5 / len(self._held)):
            what = f"agrees with the original at {self.found:.4f}, the fit at {self._promised:.4f}"
            raise PatchError(f"the written model {what}")
