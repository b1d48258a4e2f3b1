"""What rewrites of a Flatten head cost and save on small trained networks, for docs/patch-study.md.

``pip install -r benchmarks/patch_study/requirements.txt``, then ``python benchmarks/patch_study/run.py``
(some minutes on two cores); with names of tasks it only prints.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from networks import accuracy, milliseconds, network, said, trained_on
from tasks import TASKS, Task

from archlint.api import read_one
from archlint.facts import Facts
from archlint.fixes import pooling, unlock
from archlint.fixes.calibrate import Calibration
from archlint.fixes.calibrate_head import head_of
from archlint.fixes.maps import flat_map
from archlint.fixing.loop import at_size_of
from archlint.formats import open_weights, write
from archlint.graph import Edit

PAGE = Path(__file__).parents[2] / "docs/patch-study.md"
START, END = "<!-- figures: written by benchmarks/patch_study/run.py -->", "<!-- end of figures -->"
SAMPLES = 1_000
"""Training samples, without labels, that the calibrated heads are fitted to."""

SHOWN = (
    ("average", "left out"),
    ("average", "refitted"),
    ("average + maximum", "left out"),
    ("grid 2", "refitted"),
    ("grid 3", "left out"),
    ("weighting", "left out"),
    ("low rank 8", "refitted"),
)
"""Calibrated variants that the table holds; a grid by its cells along one axis."""

SECOND = ((1, True), (2, True), (1, False), (2, False))
"""(seed, hidden layer) of the networks of the second table."""


@dataclass(frozen=True)
class Row:
    """One rewrite of one network; accuracies on samples that no training saw."""

    task: str
    rewrite: str
    accuracy: float
    agreement: float
    epochs: tuple[float, ...]
    params: int
    macs: int
    milliseconds: float


def rewrites(path: str, task: Task) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """Every rewrite of a saved network with its edits."""
    file, graph = read_one(path)
    facts = Facts(graph, file.size_bytes)
    head = head_of(facts)
    nodes = {"flatten": head.start, "dense": head.first}
    yield "unlocked (exact)", unlock.flatten(facts, nodes, {})
    yield "pool, head kept", pooling.keep(facts, nodes, {})
    yield "pool, head collapsed", pooling.collapse(facts, nodes, {})
    yield from _calibrated(path, task)


def _calibrated(path: str, task: Task) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    file, graph = read_one(path)
    facts = Facts(graph, file.size_bytes)
    head = head_of(facts)
    flat, last = _inside(path, task.train[0][:SAMPLES])
    weights = open_weights(file, graph)
    assert weights is not None
    for fit in Calibration(facts, weights, head, flat, last).fitted():
        if (fit.name.split("×")[0], fit.hidden) in SHOWN or fit.hidden == "none":
            yield f"calibrated {fit.name}, hidden {fit.hidden}", fit.edits


def _inside(path: str, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    model = keras.saving.load_model(path, compile=False)
    flatten = next(layer for layer in model.layers if isinstance(layer, keras.layers.Flatten))
    return tuple(
        keras.Model(model.inputs, [flatten.output, model.layers[-1].input]).predict(samples, verbose=0)
    )


def sharing(path: str) -> float:
    """λ: P²·‖mean of the W_p‖² over Σ‖W_p‖² for P places; 1 when nothing is shared, P when all is."""
    file, graph = read_one(path)
    facts = Facts(graph, file.size_bytes)
    head = head_of(facts)
    weights = open_weights(file, graph)
    kernel = weights.read(head.first.param("kernel"))
    parts = flat_map(facts, head.start).kernel(kernel)
    parts = parts.reshape(-1, *parts.shape[-2:])
    return len(parts) ** 2 * float((parts.mean(axis=0) ** 2).sum()) / float((parts**2).sum())


@dataclass(frozen=True)
class Studied:
    """What is known of a task: λ of its network, a row per rewrite, and the rows of the second table."""

    sharing: float
    rows: tuple[Row, ...]
    thresholds: tuple[tuple[str, ...], ...]


def studied(name: str) -> Studied:
    """One task from beginning to end."""
    task = TASKS[name]()
    with tempfile.TemporaryDirectory() as folder:
        original = network(task)
        path = os.path.join(folder, "original.keras")
        original.save(path)
        shared, found = sharing(path), []
        for row in rows(task, original, path):
            print(row, flush=True)
            found.append(row)
        return Studied(shared, tuple(found), tuple(threshold(task, folder, *which) for which in SECOND))


def rows(task: Task, original: keras.Model, path: str) -> Iterator[Row]:
    """The original's row, then one per rewrite."""
    first = said(original, task.test[0])
    file, graph = read_one(path)
    before = Facts(graph)
    yield _row(task, "original", path, first, before)
    for name, edits in rewrites(path, task):
        out = f"{path}.patched.keras"
        write(file, graph, edits, out)
        yield _row(task, name, out, first, before)


def _row(task: Task, name: str, path: str, first: np.ndarray, before: Facts) -> Row:
    model = keras.saving.load_model(path, compile=False)
    facts = Facts(read_one(path)[1])
    guess = said(model, task.test[0])
    return Row(
        task.name,
        name,
        accuracy=float((guess == task.test[1]).mean()),
        agreement=float((guess == first).mean()),
        milliseconds=milliseconds(model, np.resize(task.test[0], (256, *task.test[0].shape[1:]))),
        epochs=trained_on(model, task),
        params=facts.params,
        macs=at_size_of(before, facts).macs or 0,
    )


def threshold(task: Task, folder: str, seed: int, hidden: bool) -> tuple[str, ...]:
    """λ of one network beside what pooling does to it: a row of the second table."""
    path = os.path.join(folder, "original.keras")
    original = network(task, seed, hidden)
    original.save(path)
    file, graph = read_one(path)
    head = head_of(Facts(graph))
    wanted = {"calibrated average, hidden left out", "calibrated average, hidden none"}
    cells = [task.name, "64 → classes" if hidden else "classes", f"{sharing(path):.2f}"]
    cells.append(f"{accuracy(original, task):.3f}")
    nodes = {"flatten": head.start, "dense": head.first}
    pooled = pooling.keep(Facts(graph, file.size_bytes), nodes, {})
    fits = [edits for name, edits in _calibrated(path, task) if name in wanted]
    for edits in (pooled, *fits):
        out = os.path.join(folder, "patched.keras")
        write(file, graph, edits, out)
        cells.append(f"{accuracy(keras.saving.load_model(out, compile=False), task):.3f}")
    print(cells, flush=True)
    return tuple(cells)


def thresholds(found: list[tuple[str, ...]]) -> str:
    """The second table, by λ."""
    lines = [
        "### λ and pooling, two seeds each\n",
        "| task | head | λ | accuracy | pooled, head kept | calibrated average |",
        "|---|---|---|---|---|---|",
    ]
    lines += [f"| {' | '.join(cells)} |" for cells in sorted(found, key=lambda cells: float(cells[2]))]
    return "\n".join(lines) + "\n"


def table(found: Studied) -> str:
    """The rows of one task as Markdown."""
    lines = [
        f"### {found.rows[0].task}: λ = {found.sharing:.2f}\n",
        "| rewrite | accuracy | agreement | after 1 epoch | after 5 | parameters | MACs | ms per 256 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in found.rows:
        rates = (f"{value:.3f}" for value in (row.accuracy, row.agreement, *row.epochs))
        macs = f"{row.macs:,}" if row.macs else ""
        lines.append(
            f"| {row.rewrite} | {' | '.join(rates)} | {row.params:,} | {macs} | {row.milliseconds:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main(names: list[str]) -> None:
    """Runs the tasks, two at a time; when all were run, puts their figures between the marks of the page."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(studied, names or TASKS))
    first = "\n".join(table(one) for one in found)
    text = f"{first}\n{thresholds([cells for one in found for cells in one.thresholds])}"
    print(text)
    if not names:
        page = PAGE.read_text()
        before, after = page.split(START)[0], page.split(END)[1]
        PAGE.write_text(f"{before}{START}\n\n{text}\n{END}{after}")


if __name__ == "__main__":
    main(sys.argv[1:])
