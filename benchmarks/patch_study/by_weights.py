"""What heads that are chosen by the weights alone keep, for the last table of docs/patch-study.md.

``python benchmarks/patch_study/by_weights.py [FOLDER]`` (as run.py; ten minutes on two cores). Networks that
lie in FOLDER are not trained again.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
from networks import network
from run import PAGE
from tasks import TASKS, Task

from archlint.api import read_one
from archlint.facts import Facts
from archlint.fixes import pooling, smaller
from archlint.fixes.calibrate_head import head_of
from archlint.fixes.evidence import common, parts_of
from archlint.fixes.nearest import factors, for_cells, mean_kept, one_weighting
from archlint.fixes.stems import cells
from archlint.formats import open_weights, write

START, END = "<!-- by weights: written by by_weights.py -->", "<!-- end of by weights -->"

NETWORKS = ((2, True, 1), (2, False, 1), (3, True, 1), (1, True, 1))
"""(pools, hidden layer, seed): maps of 6×6, 6×6 without the hidden layer, 3×3 and 12×12."""

CHOSEN = ("centred", "jittered", "shifted", "quadrant", "texture")
"""The tasks that the thresholds of archlint come from."""

REWRITES = (pooling.keep, smaller.grid, smaller.spatial, smaller.low_rank)


def row(task: Task, path: str, folder: str) -> tuple[str, ...]:
    """One network: what each head keeps of the weights, and how often it then says what the original says."""
    file, graph = read_one(path)
    facts = Facts(graph, file.size_bytes, open_weights(file, graph))
    head = head_of(facts)
    parts = parts_of(facts, head.source, head.first)
    original = keras.saving.load_model(path)
    said = original.predict(task.test[0], verbose=0).argmax(axis=1)
    agreed = []
    for rewrite in REWRITES:
        out = os.path.join(folder, "patched.keras")
        write(file, graph, rewrite(facts, {"flatten": head.start, "dense": head.first}, {}), out)
        found = keras.saving.load_model(out).predict(task.test[0], verbose=0).argmax(axis=1)
        agreed.append(f"{(found == said).mean():.3f}")
    kept, places = mean_kept(parts), int(np.prod(head.source.window))
    matrix = parts.reshape(-1, parts.shape[-1])
    thin = factors(matrix, None, smaller.LEAST["low-rank"])[0].shape[1]
    return (
        task.name,
        "×".join(map(str, head.source.window)),
        "64 → classes" if head.hidden else "classes",
        f"{(said == task.test[1]).mean():.3f}",
        f"{kept * places:.2f}",
        f"{common(kept, places):.2f}",
        f"{kept:.3f} → {agreed[0]}",
        f"{for_cells(parts, cells(head.source, smaller.CELLS))[1]:.3f} → {agreed[1]}",
        f"{one_weighting(parts)[2]:.3f} → {agreed[2]}",
        f"{thin} of {min(matrix.shape)} → {agreed[3]}",
    )


def rows(nets: Path, folder: str) -> Iterator[tuple[str, ...]]:
    """A row per task and network."""
    for name in CHOSEN:
        task = TASKS[name]()
        for pools, hidden, seed in NETWORKS:
            path = nets / f"{name}-{pools}-{int(hidden)}-{seed}.keras"
            if not path.exists():
                network(task, seed, hidden, pools).save(path)
            yield row(task, str(path), folder)


def main(nets: Path) -> None:
    """Writes the table between its marks."""
    lines = [
        "| task | map | head | accuracy | λ | shared : not | mean | grid 2×2 | weighting | rank for 99 % |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for cells_ in rows(nets, folder):
            print(cells_, flush=True)
            lines.append(f"| {' | '.join(cells_)} |")
    before, rest = PAGE.read_text().split(START)
    PAGE.write_text(f"{before}{START}\n\n{chr(10).join(lines)}\n\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as trained:
            main(Path(trained))
