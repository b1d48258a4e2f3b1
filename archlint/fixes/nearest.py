"""Smaller kernels that are near to one that reads a flattened map, and how much of it each keeps.

W_p of (C, U) is the part of the kernel that reads place p of the P places of a map, so that Flatten and a
dense layer compute y = Σ_p W_pᵀ X_p + b. A replacement computes it with other parts W̃_p; what it *keeps*
is the share of the energy that is not lost, 1 − Σ‖W_p − W̃_p‖² / Σ‖W_p‖² (squared Frobenius norms). Of inputs
without any structure this is the share of the outputs' variance that stays; real maps differ from that in
either direction (docs/patch-study.md). Sums are in float64, one place at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from archlint.errors import PatchError
from archlint.graph import Array

LONGEST = 1024
"""Longest short side of a matrix that is taken apart: two seconds on one core."""


def energy(parts: Array) -> float:
    """Σ‖W_p‖² of (*window, C, U)."""
    return sum(float((part**2).sum()) for _, part in _places(parts))


def mean_kept(parts: Array) -> float:
    """κ = P·‖mean of the W_p‖² / Σ‖W_p‖², what one matrix for all places keeps.

    κ·P is 1 on average for parts that have nothing in common, and P where they are all the same.
    """
    import numpy as np

    total = np.zeros(parts.shape[-2:])
    for _, part in _places(parts):
        total += part
    count = _count(parts)
    return float((total**2).sum()) / (count * energy(parts))


def for_cells(parts: Array, windows: Sequence[tuple[int, int]]) -> tuple[Array, float]:
    """(*cells, C, U) for means over windows, each (length, stride) along an axis; and what they keep.

    **W'_cell = Σ_p W_p / m_p** over the places of the cell, m_p being in how many cells place p lies (they
    overlap where they have to). Then Σ W'_cell = Σ W_p, so a map that is the same everywhere gives the same
    numbers; without overlap no other kernel on these means is nearer.
    """
    import numpy as np

    inside = [_inside(length, *window) for length, window in zip(parts.shape, windows, strict=False)]
    shape = (*(axis.shape[0] for axis in inside), *parts.shape[-2:])
    found = np.zeros(shape)
    for place, part in _places(parts):
        for cell, weight in _cells(inside, place):
            found[cell] += weight * part
    size = float(np.prod([window for window, _ in windows]))
    lost = 0.0
    for place, part in _places(parts):
        near = sum(found[cell] for cell, _ in _cells(inside, place)) / size
        lost += float(((part - near) ** 2).sum())
    return found, 1 - lost / energy(parts)


def _inside(length: int, window: int, stride: int) -> Array:
    """(cells, length): the share of each place that goes to each cell of its axis."""
    import numpy as np

    found = np.zeros(((length - window) // stride + 1, length))
    for cell, row in enumerate(found):
        row[cell * stride : cell * stride + window] = 1
    found /= np.maximum(found.sum(axis=0), 1)
    return found


def _cells(inside: Sequence[Array], place: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], float]]:
    """The cells that hold a place, each with the share of it that is theirs."""
    rows = [axis[:, index] for axis, index in zip(inside, place, strict=True)]
    for cell in product(*(row.nonzero()[0].tolist() for row in rows)):
        share = 1.0
        for row, index in zip(rows, cell, strict=True):
            share *= float(row[index])
        yield cell, share


def one_weighting(parts: Array) -> tuple[Array, Array, float]:
    """A weight per place and channel, (P, C), a matrix (C, U) behind it, and what the two keep.

    Channel c has M_c of (P, U), place by unit; its nearest matrix of rank 1 is σ·u·vᵀ, its first singular
    value and vectors (Eckart and Young 1936, https://doi.org/10.1007/BF02288367). The weights are u/√P, which
    is the mean for a u that is the same everywhere.

    Raises: PatchError: both sides of the M_c are too long.
    """
    import numpy as np

    count, (channels, units) = _count(parts), parts.shape[-2:]
    if min(count, units) > LONGEST:
        raise PatchError(f"{count:,} places by {units:,} units are too many to take apart")
    weights, rest, kept = np.empty((count, channels)), np.empty((channels, units)), 0.0
    for channel in range(channels):
        matrix = np.asarray(parts[..., channel, :], np.float64).reshape(count, units)
        left, value, right = _first(matrix)
        sign = 1.0 if left.sum() >= 0 else -1.0
        weights[:, channel] = sign * left / count**0.5
        rest[channel] = sign * value * right * count**0.5
        kept += value**2
    return weights, rest, kept / energy(parts)


def _first(matrix: Array) -> tuple[Array, float, Array]:
    """The first singular vectors and value, from the smaller of the two products (Golub & Van Loan, 8.6)."""
    import numpy as np

    wide = matrix.shape[1] > matrix.shape[0]
    squares, vectors = np.linalg.eigh(matrix @ matrix.T if wide else matrix.T @ matrix)
    one = vectors[:, -1]
    value = float(np.sqrt(max(float(squares[-1]), 0.0)))
    other = (matrix.T @ one if wide else matrix @ one) / (value or 1.0)
    return (one, value, other) if wide else (other, value, one)


def factors(matrix: Array, rank: int | None = None, least: float = 1.0) -> tuple[Array, Array, float]:
    """(n, r) and (r, U) whose product is near to a matrix (n, U), and the share of its energy that they keep.

    W = U·S·Vᵀ gives U_r·√S_r and √S_r·V_rᵀ: no other pair of that rank is nearer (Eckart and Young 1936).
    The rank is the given one, or the smallest that keeps ``least``.

    Raises: PatchError: both sides are too long.
    """
    import numpy as np

    if min(matrix.shape) > LONGEST:
        raise PatchError(f"a matrix of {matrix.shape[0]:,} by {matrix.shape[1]:,} is too large to take apart")
    wide = matrix.shape[1] > matrix.shape[0]
    tall = matrix.T if wide else matrix
    gram = np.zeros((tall.shape[1], tall.shape[1]))
    for rows in _blocks(tall):
        gram += rows.T @ rows
    squares, vectors = np.linalg.eigh(gram)
    squares, vectors = np.clip(squares[::-1], 0, None), vectors[:, ::-1]
    shares = np.cumsum(squares) / squares.sum()
    if rank is None:
        rank = min(int(np.searchsorted(shares, least)) + 1, len(shares))
    basis, scale = vectors[:, :rank], np.maximum(squares[:rank], 1e-300) ** 0.25
    first = np.concatenate([rows @ basis for rows in _blocks(tall)]) / scale
    second = (basis * scale).T
    pair = (second.T, first.T) if wide else (first, second)
    return *pair, float(shares[rank - 1])


def _blocks(matrix: Array, rows: int = 4096) -> Iterator[Array]:
    import numpy as np

    for start in range(0, len(matrix), rows):
        yield np.asarray(matrix[start : start + rows], np.float64)


def _places(parts: Array) -> Iterator[tuple[tuple[int, ...], Array]]:
    """Every place with its (C, U), in float64."""
    import numpy as np

    for place in np.ndindex(*parts.shape[:-2]):
        yield place, np.asarray(parts[place], np.float64)


def _count(parts: Array) -> int:
    total = 1
    for length in parts.shape[:-2]:
        total *= length
    return total
