"""Values inside a model for samples that the user gives, had from a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archlint.dataclass import dataclass
from archlint.errors import PatchError
from archlint.graph import Array
from archlint.runtime.launch import MEMORY_BYTES, WEIGHT_BYTES, environment, last_words
from archlint.runtime.samples import Samples

if TYPE_CHECKING:
    from archlint.graph import Graph, Node

SECONDS = 1_800
"""Longest that running a model over the samples may take."""


@dataclass(frozen=True, slots=True)
class Place:
    """A value inside a model, as its format finds it: what a Keras layer reads or makes, or an ONNX value.

    ``layer`` are the names of the models that it stands in, the outermost first, and its own.
    """

    layer: tuple[str, ...]
    side: str
    value: str


def place_of(graph: Graph, node: Node, side: str) -> Place:
    """Where the "input" or "output" of a node is found in the file.

    Raises: PatchError: its layer is called more than once, so that its values are not those of one node.
    """
    address = node.origin.address
    if not graph.format.startswith("onnx"):
        calls = {address}
        for other in graph.nodes:
            if other is not node and other.origin.address in calls and other.op == node.op:
                raise PatchError(f"the layer of '{node.name}' is called more than once")
    value = node.inputs[0] if side == "input" else node.outputs[0]
    return Place(address or (node.name,), side, value)


def values_at(
    path: str,
    format_: str,
    samples: Samples,
    places: Sequence[Place],
    batch: int,
    folder: str,
    weights: int = 0,
    seconds: float = SECONDS,
) -> list[Array]:
    """An array per place and then per model output, samples first; they stay files of ``folder``.

    ``weights`` is how many numbers the model stores; the process may take ``MEMORY_BYTES`` beside them, and
    what the samples fill. It holds a batch at a time.

    Raises: PatchError: the framework does not load the model or does not run it on the samples.
    """
    import numpy as np

    place = tempfile.mkdtemp(dir=folder)
    given = sum(os.path.getsize(file) for file in samples.files.values())
    request = {
        "path": path,
        "format": format_,
        "folder": place,
        "inputs": samples.files,
        "dtypes": samples.dtypes,
        "batch": batch,
        "places": [{"layer": p.layer, "side": p.side, "value": p.value} for p in places],
        "memory_bytes": MEMORY_BYTES + WEIGHT_BYTES * weights + given,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "archlint.runtime.trunk"],
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=seconds,
            env=environment(),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        what = f"{path}: running it over the samples took longer than {seconds:g} s"
        raise PatchError(what) from error
    if done.returncode:
        raise PatchError(f"{path}: it was not run over the samples: {last_words(done)}")
    found = sorted(Path(place).glob("value-*.npy"), key=lambda file: int(file.stem[6:]))
    return [np.load(file, mmap_mode="r") for file in found]
