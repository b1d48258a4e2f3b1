"""The process that runs the models, started, bounded and asked."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from archlint.dataclass import dataclass
from archlint.runtime.feeds import Job

if TYPE_CHECKING:
    import subprocess

SECONDS = 600
"""Longest that a comparison may take; VGG16 at three sizes takes about 20 s on two cores."""

MEMORY_BYTES = 8 * 2**30
"""Memory (address space) for the framework and what it computes, without the weights."""

WEIGHT_BYTES = 48
"""Memory for each number that is stored: 4 bytes as read, as variable, and while it is optimized, and again
for the patched model, each with as much to spare."""

_NEEDED = {"onnx": "onnxruntime"}
"""Format → the module that runs it; all others are Keras's."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison showed.

    ``status``: "agrees"; "differs"; "breaks" (the patched model does not load or run); "unknown" (nothing
    could be compared). ``reason`` says why it is not "agrees". ``draws`` inputs gave outputs at most
    ``absolute`` apart, ``relative`` to the largest output. ``larger`` are freed sizes at which it ran.
    """

    status: str
    runtime: str | None = None
    reason: str | None = None
    draws: int = 0
    absolute: float = 0.0
    relative: float = 0.0
    larger: tuple[str, ...] = ()


def is_installed(format_: str) -> bool:
    """Whether what runs models of this format can be imported; nothing is imported to find out."""
    return find_spec(runtime_name(format_)) is not None


def runtime_name(format_: str) -> str:
    """The module that runs models of a format."""
    return _NEEDED.get(format_, "keras")


def verdict_on(job: Job, seconds: float = SECONDS) -> Verdict:
    """What running both models showed, in a process of its own of bounded time and memory."""
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory(prefix="archlint-") as folder:
        answer = os.path.join(folder, "answer.json")
        memory = MEMORY_BYTES + WEIGHT_BYTES * job.weights
        request = {"answer": answer, "memory_bytes": memory, "job": asdict(job)}
        command = [sys.executable, "-P", "-m", "archlint.runtime.verify"]
        try:
            done = subprocess.run(
                command,
                input=json.dumps(request).encode(),
                capture_output=True,
                timeout=seconds,
                env=environment(),
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Verdict("unknown", reason=f"running both models took longer than {seconds:g} s")
        try:
            found = json.loads(Path(answer).read_text())
        except (OSError, ValueError):
            return Verdict("unknown", reason=last_words(done))
    return Verdict(**{**found, "larger": tuple(found.get("larger", ()))})


def environment() -> dict[str, str]:
    """The environment without what makes a framework noisy or slow to start.

    ``-P`` keeps modules from being imported that lie where the command was given, perhaps beside a model from
    a stranger; so the path to archlint itself is said, and relative paths of the user's are left out.
    """
    package = str(Path(__file__).resolve().parents[2])
    others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = os.pathsep.join((package, *filter(os.path.isabs, others)))
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "TF_ENABLE_ONEDNN_OPTS": "0"}
    return {**os.environ, **quiet, "PYTHONPATH": path}


def last_words(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    return f"the process that ran the models ended with {how}" + (f": {lines[-1][:300]}" if lines else "")
