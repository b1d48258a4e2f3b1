"""The weights of a graph that edits have changed, before any file holds them."""

from __future__ import annotations

from collections.abc import Mapping

from archlint.graph import Array, Made, Mismatch, Param, Weights


class PatchedWeights:
    """Stored tensors, and those that edits make of them: computed again at every call, none is kept.

    ``params`` are the stored ones by name, since what is made names its sources only by name.
    """

    def __init__(self, stored: Weights, params: Mapping[str, Param], made: Mapping[str, Made]) -> None:
        self._stored = stored
        self._params = params
        self._made = made

    def read(self, param: Param) -> Array | None:
        """The contents of a param of the changed graph; None when they cannot be had."""
        made = self._made.get(param.name)
        if made is None:
            return self._stored.read(param)
        import numpy as np

        sources = [self._stored.read(self._params[name]) for name in made.sources]
        if any(values is None for values in sources):
            return None
        return np.asanyarray(made.compute(*sources))

    def holds(self, param: Param) -> bool:
        """Whether the file stores a param, or all that a made one comes of."""
        made = self._made.get(param.name)
        if made is None:
            return self._stored.holds(param)
        return all(self._stored.holds(self._params[name]) for name in made.sources)

    def mismatches(self) -> tuple[Mismatch, ...]:
        """The stored params that do not fit what is stored; made ones fit."""
        return self._stored.mismatches()
