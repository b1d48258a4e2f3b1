"""Runs a model and its patch on the same inputs: ``python -m archlint.runtime.verify``, a request on stdin.

The answer goes to the file that the request names, since frameworks write to stdout what they like.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archlint.runtime.compare import AMPLIFIED, TOLERANCE, are_finite, gap
from archlint.runtime.draw import DRAWS, drawn, nudged
from archlint.runtime.feeds import Feed, Job
from archlint.runtime.sessions import RUNTIMES, Function

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = list[NDArray[Any]]

Answer = dict[str, object]


class StoppedError(Exception):
    """What ends a comparison early: its status, and the reason as a sentence."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


def main() -> None:
    """Reads the request, runs both models, writes the answer."""
    request = json.load(sys.stdin)
    bound_memory(request["memory_bytes"])
    Path(request["answer"]).write_text(json.dumps(answer_to(_job(request["job"]))))


def answer_to(job: Job) -> Answer:
    """The fields of a ``Verdict`` on the two models."""
    name, load = RUNTIMES[job.format]
    answer: Answer = {"status": "agrees"}
    try:
        answer["runtime"] = _tried("unknown", "the runtime does not start", name)
        original = _tried("unknown", "the runtime does not load the original", lambda: load(job.original))
        feeds, known = _original(job, original)
        del original
        patched = _tried("breaks", "the runtime does not load the patched model", lambda: load(job.patched))
        answer |= _compared(job, feeds, known, patched)
        answer["larger"] = [_grown(feed, patched) for feed in job.larger]
    except StoppedError as stopped:
        answer |= {"status": stopped.status, "reason": stopped.reason}
    return answer


def _original(job: Job, run: Function) -> tuple[Sequence[Feed], list[tuple[Arrays, Arrays, float]]]:
    """The first feeds that the original takes; per draw inputs, outputs, and how far rounding moves them."""
    for feeds in job.feeds:
        try:
            outputs = [(arrays := drawn(feeds, kind), _run(run, feeds, arrays)) for kind in DRAWS]
        except Exception as error:  # whatever a framework raises: this size does not suit the model
            reason = _said(error)
            continue
        return feeds, [
            (arrays, made, AMPLIFIED * gap(made, _run(run, feeds, nudged(arrays)))[0])
            for arrays, made in outputs
        ]
    raise StoppedError("unknown", f"the runtime does not run the original: {reason}")


def _compared(
    job: Job, feeds: Sequence[Feed], known: list[tuple[Arrays, Arrays, float]], patched: Function
) -> Answer:
    absolute = relative = 0.0
    for arrays, wanted, rounding in known:
        run = partial(_run, patched, feeds, arrays)
        made = _tried("breaks", "the runtime does not run the patched model", run)
        if [array.shape for array in made] != [array.shape for array in wanted]:
            shapes = [list(array.shape) for array in made], [list(array.shape) for array in wanted]
            raise StoppedError("breaks", f"its outputs have the shapes {shapes[0]}, not {shapes[1]}")
        if not job.exact:
            _expect_finite(made, wanted)
            continue
        apart, share = gap(wanted, made)
        if share > TOLERANCE[job.precision] and not (apart <= rounding < math.inf):
            what = f"its outputs are {apart:.3g} apart, {share:.3g} of the largest"
            raise StoppedError("differs", f"{what}; {TOLERANCE[job.precision]:g} is rounding")
        absolute, relative = max(absolute, apart), max(relative, share)
    return {"draws": len(known), "absolute": absolute, "relative": relative}


def _expect_finite(made: Arrays, wanted: Arrays) -> None:
    if are_finite(wanted) and not are_finite(made):
        raise StoppedError("breaks", "its outputs are not finite, where the original's are")


def _grown(feeds: Sequence[Feed], patched: Function) -> str:
    """The sizes at which the patched model ran, as text."""
    sizes = " and ".join("×".join(map(str, feed.shape)) for feed in feeds)
    made = _tried(
        "breaks",
        f"the patched model does not run at {sizes}",
        lambda: _run(patched, feeds, drawn(feeds, "normal")),
    )
    if not are_finite(made):
        raise StoppedError("breaks", f"its outputs are not finite at {sizes}")
    return sizes


def _run(run: Function, feeds: Sequence[Feed], arrays: Arrays) -> Arrays:
    return run([feed.name for feed in feeds], arrays)


def _tried(status: str, what: str, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Exception as error:  # whatever a framework raises, it is the answer
        raise StoppedError(status, f"{what}: {_said(error)}") from error


def _said(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines[:2])[:300]}" if lines else type(error).__name__


def _job(data: dict[str, Any]) -> Job:
    def feeds(rows: list[list[dict[str, Any]]]) -> tuple[tuple[Feed, ...], ...]:
        return tuple(tuple(Feed(**{**row, "shape": tuple(row["shape"])}) for row in many) for many in rows)

    return Job(**{**data, "feeds": feeds(data["feeds"]), "larger": feeds(data["larger"])})


def bound_memory(limit: int) -> None:
    """Has the system refuse more than so much address space, where it can."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    bound = limit if most == resource.RLIM_INFINITY else min(limit, most)
    resource.setrlimit(resource.RLIMIT_AS, (bound, most))


if __name__ == "__main__":
    main()
