"""Tensors in numbers: statistics of all elements, and of the weights of each unit."""

from __future__ import annotations

from archlint.dataclass import dataclass
from archlint.graph import Array

PIECE = 1 << 20
"""Elements that are measured at a time; larger pieces are slower (they leave the cache)."""

TINY = 1.1754943508222875e-38
"""Smallest normal float32; below it numbers are denormal. Source: IEEE 754, binary32."""


_SQUARABLE = 1e15
"""Below it squares, and sums of a piece of them, stay within float32."""


@dataclass(frozen=True, slots=True)
class Stats:
    """One tensor in numbers. ``low``, ``high`` and ``mean_square`` are those of its finite elements."""

    size: int
    nans: int
    infs: int
    low: float
    high: float
    zeros: int
    denormals: int
    mean_square: float

    @property
    def peak(self) -> float:
        """The largest magnitude of a finite element."""
        return max(abs(self.low), abs(self.high))


@dataclass(frozen=True, slots=True)
class Units:
    """A kernel per unit, each a vector over units: largest magnitude, sums of the positive and of the
    negative weights, and a projection that tells units with other weights apart."""

    peak: Array
    positive: Array
    negative: Array
    mark: Array


def stats_of(values: Array | None) -> Stats | None:
    """The statistics of floats; None for anything else."""
    import numpy as np

    if values is None or not values.size or values.dtype.kind != "f":
        return None
    flat = values.reshape(-1)
    if flat.dtype.itemsize < 4:
        flat = flat.astype(np.float32)
    nans = infs = zeros = denormals = 0
    low, high, squares = np.inf, -np.inf, 0.0
    for start in range(0, flat.size, PIECE):
        piece = flat[start : start + PIECE]
        least, most = float(piece.min()), float(piece.max())
        if not np.isfinite(least + most):
            nans += int(np.isnan(piece).sum())
            infs += int(np.isinf(piece).sum())
            piece = piece[np.isfinite(piece)]
            least, most = (float(piece.min()), float(piece.max())) if piece.size else (np.inf, -np.inf)
        low, high = min(low, least), max(high, most)
        none = piece.size - int(np.count_nonzero(piece))
        zeros += none
        denormals += int(np.count_nonzero(np.abs(piece) < TINY)) - none
        wide = piece if max(-least, most) < _SQUARABLE else piece.astype(np.float64)
        squares += float(wide @ wide)
    finite = flat.size - nans - infs
    if not finite:
        low = high = 0.0
    return Stats(flat.size, nans, infs, low, high, zeros, denormals, squares / max(finite, 1))


def units_of(matrix: Array) -> Units:
    """The sums per unit of a matrix (weights of a unit, units)."""
    import numpy as np

    rows, count = matrix.shape
    step = max(1, PIECE // max(count, 1))
    draw = np.random.default_rng(0)
    peak, total, size, mark = (np.zeros(count) for _ in range(4))
    for start in range(0, rows, step):
        piece = matrix[start : start + step].astype(np.float64)
        mark += draw.standard_normal(len(piece)) @ piece
        total += piece.sum(axis=0)
        np.abs(piece, out=piece)
        peak = np.maximum(peak, piece.max(axis=0))
        size += piece.sum(axis=0)
    # Both sums round alike, so that a unit without a positive weight has a positive sum of exactly 0.
    positive = (size + total) / 2
    return Units(peak, positive, total - positive, mark)
