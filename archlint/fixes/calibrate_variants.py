"""What can be kept of a map in front of its dense layers: numbers per sample."""

from __future__ import annotations

from functools import cached_property

from archlint.fixes.maps import FlatMap
from archlint.fixes.stems import cells
from archlint.graph import Array

GRIDS = (2, 3, 4)
"""Cells along each axis of the map that are tried; a 7×7 map keeps a third of its places at 4."""

RANKS = (2, 4, 8, 16, 32, 64)
"""Widths of a low-rank dense layer that are tried."""


class Places:
    """The maps of some samples, from what Flatten made of them, (N, P·C)."""

    def __init__(self, source: FlatMap, flat: Array) -> None:
        self.source, self.flat = source, flat

    @cached_property
    def grid(self) -> Array:
        """(N, *spatial, C), a view where numpy can."""
        import numpy as np

        found: Array = np.moveaxis(self.source.kernel(self.flat.T), -1, 0)
        return found

    @property
    def rows(self) -> Array:
        """(N, P, C)."""
        return self.grid.reshape(len(self.flat), -1, self.source.channels)


def average(places: Places) -> Array:
    """(N, C): the mean over the map."""
    import numpy as np

    found: Array = places.rows.mean(axis=1, dtype=np.float64)
    return found


def average_and_maximum(places: Places) -> Array:
    """(N, 2·C): the mean over the map, then its largest numbers."""
    import numpy as np

    return np.concatenate([average(places), places.rows.max(axis=1)], axis=1)


def grid_means(places: Places, count: int) -> Array:
    """(N, *cells, C): the mean over each window of ``cells``."""
    import numpy as np

    found = places.grid
    for axis, (window, stride) in enumerate(cells(places.source, count), start=1):
        view = np.lib.stride_tricks.sliding_window_view(found, window, axis=axis)
        picked = np.take(view, range(0, view.shape[axis], stride), axis=axis)
        found = picked.mean(axis=-1, dtype=np.float64)
    return found
