"""Whether a patched file does what its original does, as its framework's own runtime says."""

from __future__ import annotations

from collections.abc import Sequence

from archlint.errors import PatchError
from archlint.facts import Facts
from archlint.findings import Attempt, Proof
from archlint.formats import ModelFile
from archlint.runtime import is_installed, job_for, runtime_name, verdict_on

VERIFY = ("auto", "require", "off")
"""Whether both models are run: where their framework is installed, in any case, or not."""

_EXTRAS = {"onnxruntime": "onnxruntime", "keras": "tensorflow"}
"""Module that runs models → the extra of archlint that installs it."""


class UnprovenError(PatchError):
    """A patched model does not do what its original does; ``what`` says who saw it, and what is different."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path}: nothing was written, since the patch is not proven: {what}")
        self.path, self.what = path, what


class Prover:
    """Called with the path of a patched file, lets it pass or raises PatchError; ``proof`` is what was seen.

    ``how`` is one of ``VERIFY``; ``runs`` says whether it is to be called at all.
    """

    def __init__(
        self, before: Facts, after: Facts, file: ModelFile, made: Sequence[Attempt], how: str
    ) -> None:
        self._before, self._after, self._file, self._how = before, after, file, how
        self._exact = all(attempt.fix.level == "exact" for attempt in made)
        reason = self._obstacle()
        if reason is not None and how == "require":
            raise PatchError(f"{file.path}: the patch cannot be verified: {reason}")
        self.runs = reason is None
        self.proof = Proof(reason=reason)

    def __call__(self, path: str) -> None:
        """Raises UnprovenError if the file at the path does not do what the original does."""
        job = job_for((self._file.path, path), self._before, self._after, self._file.format, self._exact)
        if isinstance(job, str):
            self._unknown(None, job)
            return
        found = verdict_on(job)
        if found.status == "unknown":
            self._unknown(found.runtime, found.reason)
        elif found.status != "agrees":
            raise UnprovenError(self._file.path, f"{found.runtime}: {found.reason}")
        else:
            self.proof = Proof(
                found.runtime,
                found.draws if self._exact else 0,
                found.absolute,
                found.relative,
                found.larger,
                None if self._exact else "the weights have to be trained again, so the outputs differ",
            )

    def _obstacle(self) -> str | None:
        """Why nothing can be run, as far as that is known beforehand."""
        if self._how == "off":
            return "--verify off"
        if self._file.format == "keras-json":
            return "the file holds no weights"
        if self._before.graph.hazards:
            return "the model needs code that the file does not hold, which is not run"
        name = runtime_name(self._file.format)
        if not is_installed(self._file.format):
            return f"{name} is not installed (archlint[{_EXTRAS[name]}])"
        return None

    def _unknown(self, runtime: str | None, reason: str | None) -> None:
        if self._how == "require":
            raise PatchError(
                f"{self._file.path}: nothing was written, since the patch is not proven: {reason}"
            )
        self.proof = Proof(runtime, reason=reason)
