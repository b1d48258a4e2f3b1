"""The weights of a graph that edits have changed, before any file holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from archlint.graph import Array, Edit, Made, Mismatch, Param, Splice, Weights


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

    def mismatches(self) -> tuple[Mismatch, ...]:
        """The stored params that do not fit what is stored; made ones fit."""
        return self._stored.mismatches()


def of_stored(edit: Edit, made: Mapping[str, Made]) -> Edit:
    """An edit that says the same of the file as this one says of a graph whose tensors ``made`` were changed.

    A rewrite that reads ``bn/moving_mean`` means what an earlier fix has put there; the file still holds
    what was there first.
    """
    if not isinstance(edit, Splice) or not made:
        return edit
    return replace(edit, tensors={name: _composed(new, made) for name, new in edit.tensors.items()})


def made_by(edits: tuple[Edit, ...]) -> Mapping[str, Made]:
    """Name of a new tensor → how it comes about."""
    splices = (edit for edit in edits if isinstance(edit, Splice))
    return {name: made for edit in splices for name, made in edit.tensors.items()}


def _composed(new: Made, made: Mapping[str, Made]) -> Made:
    if not made.keys() & set(new.sources):
        return new
    parts = [made.get(name) or Made((name,), lambda values: values) for name in new.sources]

    def compute(*values: object) -> object:
        waiting = iter(values)
        return new.compute(*(part.compute(*(next(waiting) for _ in part.sources)) for part in parts))

    return Made(tuple(name for part in parts for name in part.sources), compute)
