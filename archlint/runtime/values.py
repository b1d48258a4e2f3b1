"""Values inside a model for samples that the user gives, had from a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archlint.errors import PatchError
from archlint.graph import Array
from archlint.runtime.launch import environment, last_words

if TYPE_CHECKING:
    from archlint.graph import Graph, Node

SECONDS = 1_800
"""Longest that running a model over the samples may take."""


@dataclass(frozen=True, slots=True)
class Place:
    """A value inside a model, as its format finds it: what a Keras layer reads or makes, or an ONNX value."""

    layer: str
    side: str
    value: str


def place_of(graph: Graph, node: Node, side: str) -> Place:
    """Where the "input" or "output" of a node is found in the file.

    Raises: PatchError: it stands inside a nested model, whose values cannot be had from outside.
    """
    address = node.origin.address
    if not graph.format.startswith("onnx") and len(address) != 1:
        raise PatchError(f"'{node.name}' stands inside a nested model, which cannot be looked into")
    value = node.inputs[0] if side == "input" else node.outputs[0]
    return Place(address[-1] if address else node.name, side, value)


def values_at(
    path: str,
    format_: str,
    inputs: Mapping[str, Array],
    places: Sequence[Place],
    batch: int,
    seconds: float = SECONDS,
) -> list[Array]:
    """An array per place and then per model output, samples first.

    Raises: PatchError: the framework does not load the model or does not run it on the samples.
    """
    import numpy as np

    with tempfile.TemporaryDirectory(prefix="archlint-") as folder:
        files = {name: f"input-{at}.npy" for at, name in enumerate(inputs)}
        for name, array in inputs.items():
            np.save(Path(folder) / files[name], array)
        request = {
            "path": path,
            "format": format_,
            "folder": folder,
            "inputs": files,
            "batch": batch,
            "places": [{"layer": p.layer, "side": p.side, "value": p.value} for p in places],
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
        found = sorted(Path(folder).glob("value-*.npy"), key=lambda file: int(file.stem[6:]))
        return [np.load(file) for file in found]
