"""Weights for the models of examples: as a trained network has them, except where an example says otherwise.

``weights:`` of an example maps a param (``conv/kernel``) to what it holds:

==========================  ================================================================================
a number                    every element
a list                      one value per unit (last axis); ``null`` leaves that unit as it is
``glorot_uniform`` …        as that initializer draws it: glorot, he or lecun; uniform or normal
``{copy: {1: 0}}``          unit 1 holds what unit 0 holds
``{rank: 8}``               a matrix of that rank
``{scale: 1.0e-39}``        the trained values times a factor
``{shape: [3, 3]}``         not in the file's shape, but in this one
``missing``                 the file does not hold it
==========================  ================================================================================
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from math import prod, sqrt
from typing import Any

from archlint.graph import Array, Graph, Mismatch, Param

KEYS = ("copy", "rank", "scale", "shape")
WORDS = (
    *(f"{name}_{kind}" for name in ("glorot", "he", "lecun") for kind in ("uniform", "normal")),
    "missing",
)


class Planted:
    """Made-up weights of one example. The same params always hold the same values."""

    def __init__(self, graph: Graph, given: Mapping[str, Any]) -> None:
        self._graph = graph
        self._given = given

    def read(self, param: Param) -> Array | None:
        """The contents of a param; None where its shape is not known, is said to differ, or it is missing."""
        wanted = self._given.get(param.name)
        shape = tuple(dim for dim in param.shape or () if isinstance(dim, int))
        if param.shape is None or len(shape) < len(param.shape) or wanted == "missing":
            return None
        values = _trained(param, shape)
        if wanted is None:
            return values
        if isinstance(wanted, dict):
            return _changed(values, wanted)
        if isinstance(wanted, str):
            return _drawn(param.name, shape, wanted)
        return _filled(values, wanted)

    def holds(self, param: Param) -> bool:
        """Whether the example does not say that the param is missing."""
        return self._given.get(param.name) != "missing"

    def mismatches(self) -> tuple[Mismatch, ...]:
        """The params that the example says are stored in another shape, or not at all."""
        found = []
        for node in self._graph.nodes:
            for param in node.params:
                wanted = self._given.get(param.name)
                if wanted == "missing":
                    found.append(Mismatch(param.name, node.name, param.shape, None))
                elif isinstance(wanted, dict) and "shape" in wanted:
                    found.append(Mismatch(param.name, node.name, param.shape, tuple(wanted["shape"])))
        return tuple(found)


def problem(graph: Graph, given: Any) -> str | None:
    """What is wrong with ``weights:`` of an example, as a sentence; None if nothing is."""
    names = {param.name for node in graph.nodes for param in node.params}
    if not isinstance(given, dict):
        return "'weights' maps params to what they hold"
    for name, value in given.items():
        if name not in names:
            return f"the model has no param '{name}'; it has {', '.join(sorted(names))}"
        if isinstance(value, str) and value not in WORDS:
            return f"'{value}' is none of {', '.join(WORDS)}"
        if isinstance(value, dict) and not (value and set(value) <= set(KEYS)):
            return f"what a param holds is said with {', '.join(KEYS)}"
    return None


def _trained(param: Param, shape: tuple[int, ...]) -> Array:
    """Values as training leaves them: kernels with tails, positive variances, gains near 1, small offsets."""
    import numpy as np

    draw = _source(param.name)
    kind = param.role.rpartition("_")[2]
    if kind == "variance":
        values = draw.uniform(0.3, 3.0, shape)
    elif len(shape) < 2:
        values = draw.normal(float(kind == "gamma"), 0.1, shape)
    else:
        values = draw.laplace(0.0, sqrt(1 / max(1, prod(shape[:-1]))), shape)
    found: Array = values.astype(np.float32)
    return found


def _filled(values: Array, wanted: Any) -> Array:
    if not isinstance(wanted, list):
        values[...] = wanted
        return values
    for unit, value in enumerate(wanted):
        if value is not None:
            values[..., unit] = value
    return values


def _changed(values: Array, wanted: Mapping[str, Any]) -> Array | None:
    if "shape" in wanted:
        return None
    for unit, source in wanted.get("copy", {}).items():
        values[..., unit] = values[..., source]
    if "rank" in wanted:
        rank = int(wanted["rank"])
        values = values[:, :rank] @ values[:rank, :]
    found: Array = values * values.dtype.type(wanted.get("scale", 1))
    return found


def _drawn(name: str, shape: tuple[int, ...], word: str) -> Array:
    """As Keras draws it (keras/src/initializers/random_initializers.py)."""
    import numpy as np

    window = prod(shape[:-2])
    fan_in, fan_out = shape[-2] * window, shape[-1] * window
    variances: Mapping[str, Callable[[], float]] = {
        "glorot": lambda: 2 / (fan_in + fan_out),
        "he": lambda: 2 / fan_in,
        "lecun": lambda: 1 / fan_in,
    }
    family, _, kind = word.partition("_")
    variance = variances[family]()
    draw = _source(name)
    if kind == "uniform":
        values = draw.uniform(-1, 1, shape) * sqrt(3 * variance)
    else:
        flat = draw.normal(size=4 * prod(shape))
        kept = flat[np.abs(flat) < 2][: prod(shape)]
        values = kept.reshape(shape) * sqrt(variance) / 0.87962566103423978
    found: Array = values.astype(np.float32)
    return found


def _source(name: str) -> Any:
    import numpy as np

    return np.random.default_rng(zlib.crc32(name.encode()))
