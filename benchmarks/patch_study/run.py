"""What rewrites of a Flatten head cost and save on small trained networks, for docs/patch-study.md.

``python benchmarks/patch_study/run.py`` (TensorFlow, scikit-learn and Pillow; some minutes on two cores).
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
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
"""Training images, without labels, that the calibrated heads are fitted to."""

SHOWN = (
    ("average", "left out"),
    ("average", "refitted"),
    ("average + maximum", "left out"),
    ("grid 2×2", "refitted"),
    ("grid 3×3", "left out"),
    ("weighting", "left out"),
    ("low rank 8", "refitted"),
)
"""Calibrated variants that the table holds."""

TRAINED = {"pool, head kept", "pool, head collapsed", "calibrated average, hidden left out"}
"""Rewrites that are trained on."""


@dataclass(frozen=True)
class Row:
    """One rewrite of one network; accuracies on images that no training saw."""

    task: str
    rewrite: str
    accuracy: float
    agreement: float
    epochs: tuple[float, ...]
    params: int
    macs: int
    milliseconds: float


def network(task: Task, seed: int = 0, hidden: bool = True, pools: int = 2) -> keras.Model:
    """Three convolutions, two pools, Flatten of 6×6×32, a dense layer of 64; trained until it stops."""
    keras.utils.set_random_seed(seed)
    classes = int(task.train[1].max()) + 1
    layers = keras.layers
    trunk: list[keras.layers.Layer] = []
    for index, filters in enumerate((16, 32, 32)):
        trunk.append(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        trunk += [layers.MaxPooling2D()] if index < pools else []
    model = keras.Sequential(
        [
            keras.Input(task.train[0].shape[1:], name="image"),
            *trunk,
            layers.Flatten(),
            *([layers.Dense(64, activation="relu")] if hidden else []),
            layers.Dense(classes, activation="softmax"),
        ]
    )
    functional = keras.Model(model.inputs, model.outputs)
    _compile(functional)
    stop = keras.callbacks.EarlyStopping("val_loss", patience=3, restore_best_weights=True)
    functional.fit(*task.train, validation_split=0.15, epochs=25, batch_size=64, callbacks=[stop], verbose=0)
    return functional


def _compile(model: keras.Model) -> None:
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])


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
        if (fit.name, fit.hidden) in SHOWN or fit.hidden == "none":
            yield f"calibrated {fit.name}, hidden {fit.hidden}", fit.edits


def _inside(path: str, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    model = keras.saving.load_model(path)
    flatten = next(layer for layer in model.layers if isinstance(layer, keras.layers.Flatten))
    return tuple(
        keras.Model(model.inputs, [flatten.output, model.layers[-1].input]).predict(images, verbose=0)
    )


def sharing(path: str) -> float:
    """λ: HW·‖mean of the W_p‖² times HW over Σ‖W_p‖²; 1 when nothing is shared, HW when all is."""
    file, graph = read_one(path)
    facts = Facts(graph, file.size_bytes)
    head = head_of(facts)
    weights = open_weights(file, graph)
    kernel = weights.read(head.first.param("kernel"))
    parts = flat_map(facts, head.start).kernel(kernel)
    parts = parts.reshape(-1, *parts.shape[-2:])
    return len(parts) ** 2 * float((parts.mean(axis=0) ** 2).sum()) / float((parts**2).sum())


def rows(task: Task, folder: str) -> Iterator[Row | float]:
    """The original's row, then one per rewrite; λ of the original first."""
    original = network(task)
    path = os.path.join(folder, "original.keras")
    original.save(path)
    yield sharing(path)
    said = original.predict(task.test[0], verbose=0).argmax(axis=1)
    file, graph = read_one(path)
    before = Facts(graph)
    yield _row(task, "original", path, said, before)
    for name, edits in rewrites(path, task):
        out = os.path.join(folder, "patched.keras")
        write(file, graph, edits, out)
        yield _row(task, name, out, said, before)


def _row(task: Task, name: str, path: str, said: np.ndarray, before: Facts) -> Row:
    model = keras.saving.load_model(path)
    _compile(model)
    facts = Facts(read_one(path)[1])
    guess = model.predict(task.test[0], verbose=0).argmax(axis=1)
    time_ms = _milliseconds(model, np.resize(task.test[0], (256, *task.test[0].shape[1:])))
    epochs = []
    for count in (1, 4) if name in TRAINED else ():
        model.fit(*task.train, epochs=count, batch_size=16, verbose=0)
        epochs.append(_accuracy(model, task))
    accuracy = float((guess == task.test[1]).mean())
    macs = at_size_of(before, facts).macs or 0
    return Row(
        task.name, name, accuracy, float((guess == said).mean()), tuple(epochs), facts.params, macs, time_ms
    )


def _accuracy(model: keras.Model, task: Task) -> float:
    return float((model.predict(task.test[0], verbose=0).argmax(axis=1) == task.test[1]).mean())


def _milliseconds(model: keras.Model, images: np.ndarray) -> float:
    """Median of 20 runs of 256 images, after five to warm up."""
    times = []
    for _ in range(25):
        began = time.perf_counter()
        model.predict_on_batch(images)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times[5:])


def threshold(task: Task, folder: str, seed: int, hidden: bool) -> tuple[str, ...]:
    """λ of one network beside what pooling does to it: a row of the second table."""
    path = os.path.join(folder, "original.keras")
    original = network(task, seed, hidden)
    original.save(path)
    file, graph = read_one(path)
    head = head_of(Facts(graph))
    wanted = {"calibrated average, hidden left out", "calibrated average, hidden none"}
    cells = [task.name, "64 → classes" if hidden else "classes", f"{sharing(path):.2f}"]
    cells.append(f"{_accuracy(original, task):.3f}")
    nodes = {"flatten": head.start, "dense": head.first}
    pooled = pooling.keep(Facts(graph, file.size_bytes), nodes, {})
    fits = [edits for name, edits in _calibrated(path, task) if name in wanted]
    for edits in (pooled, *fits):
        out = os.path.join(folder, "patched.keras")
        write(file, graph, edits, out)
        cells.append(f"{_accuracy(keras.saving.load_model(out), task):.3f}")
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


def table(found: list[Row], shared: dict[str, float]) -> str:
    """The rows as Markdown, a table per task."""
    parts = []
    for name in dict.fromkeys(row.task for row in found):
        parts.append(f"### {name}: λ = {shared[name]:.2f}\n")
        parts.append(
            "| rewrite | accuracy | agreement | after 1 epoch | after 5 | parameters | MACs | ms per 256 |"
        )
        parts.append("|---|---|---|---|---|---|---|---|")
        for row in (row for row in found if row.task == name):
            one, five = (f"{value:.3f}" for value in row.epochs) if row.epochs else ("", "")
            cells = (f"{row.accuracy:.3f}", f"{row.agreement:.3f}", one, five, f"{row.params:,}")
            macs = f"{row.macs:,}" if row.macs else ""
            parts.append(f"| {row.rewrite} | {' | '.join(cells)} | {macs} | {row.milliseconds:.1f} |")
        parts.append("")
    return "\n".join(parts)


def main(names: list[str]) -> None:
    """Runs the tasks, and puts their figures between the marks of the page when all were run."""
    found: list[Row] = []
    shared: dict[str, float] = {}
    for name in names or TASKS:
        task = TASKS[name]()
        with tempfile.TemporaryDirectory() as folder:
            for row in rows(task, folder):
                if isinstance(row, float):
                    shared[task.name] = row
                else:
                    found.append(row)
                    print(row, flush=True)
    rest: list[tuple[str, ...]] = []
    for name in names or TASKS:
        task = TASKS[name]()
        for seed, hidden in ((1, True), (2, True), (1, False), (2, False)):
            with tempfile.TemporaryDirectory() as folder:
                rest.append(threshold(task, folder, seed, hidden))
                print(rest[-1], flush=True)
    text = f"{table(found, shared)}\n{thresholds(rest)}"
    print(text)
    if not names:
        page = PAGE.read_text() if PAGE.exists() else f"{START}\n{END}\n"
        before, after = page.split(START)[0], page.split(END)[1]
        PAGE.write_text(f"{before}{START}\n\n{text}\n{END}{after}")


if __name__ == "__main__":
    main(sys.argv[1:])
