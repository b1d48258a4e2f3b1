"""Least squares in closed form: what a new head is fitted with, and how far it agrees with the old one.

All arrays are numpy, samples first, float64 inside. Nothing here is random and nothing is iterated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archlint.graph import Array

STRENGTHS = tuple(10.0**power for power in range(-8, 4))
"""Ridge penalties that are tried, as multiples of the largest squared singular value of the features."""

_NULL = 1e-6
"""Singular values below this share of the largest are rounding: they come from a Gram matrix in float64."""


@dataclass(frozen=True, slots=True)
class Linear:
    """y = x·kernel + bias, with the penalty that it was fitted with."""

    kernel: Array
    bias: Array
    strength: float = 0.0

    def __call__(self, features: Array) -> Array:
        """(N, inputs) → (N, units)."""
        found: Array = features @ self.kernel + self.bias
        return found


@dataclass(frozen=True, slots=True)
class Decomposed:
    """Features as their mean and the singular value decomposition U·S·Vᵀ of the rest, rounding left out."""

    middle: Array
    left: Array
    values: Array
    right: Array


def decomposed(features: Array) -> Decomposed:
    """(N, inputs) taken apart; the costly half of a ridge regression, the same for all targets."""
    import numpy as np

    x = np.asarray(features, np.float64)
    middle = x.mean(axis=0)
    return Decomposed(middle, *_svd(x - middle))


def ridge(
    features: Array, targets: Array, start: Array | None = None, parts: Decomposed | None = None
) -> Linear:
    """The W and b that minimise ‖X·W + b − Z‖² + λ‖W − W₀‖², W₀ the start or 0.

    With centred X = U·S·Vᵀ and R = Z − X·W₀: W = W₀ + V·S/(S² + λ)·Uᵀ·R (Hoerl and Kennard 1970,
    https://doi.org/10.1080/00401706.1970.10488634). λ is the one of ``STRENGTHS`` for which the error of
    leaving out each sample in turn is least; it needs no second fit, since sample i then errs by
    rᵢ/(1 − hᵢ), r what the fit leaves and h = 1/N + Σⱼ Uᵢⱼ² sⱼ²/(sⱼ² + λ) (PRESS, Allen 1974,
    https://doi.org/10.1080/00401706.1974.10489157). On equal errors the larger λ stays.
    ``parts`` are those of the features, if they are known.
    """
    import numpy as np

    parts = parts or decomposed(features)
    middle, left, values, right = parts.middle, parts.left, parts.values, parts.right
    z = np.asarray(targets, np.float64)
    level = z.mean(axis=0)
    wanted = z - level
    first = np.zeros((len(middle), z.shape[1]))
    if start is not None:
        first = np.asarray(start, np.float64)
        wanted = wanted - (np.asarray(features, np.float64) - middle) @ first
    seen = left.T @ wanted
    best, kernel, least = 0.0, first, np.inf
    for share in reversed(STRENGTHS):
        strength = share * float(values[0] ** 2) if len(values) else share
        kept = values**2 / (values**2 + strength)
        leverage = 1 / len(z) + (left**2) @ kept
        rest = (wanted - left @ (kept[:, None] * seen)) / np.maximum(1 - leverage, 1e-9)[:, None]
        error = float((rest**2).sum())
        if error < least * (1 - 1e-9):
            best, least = strength, error
            kernel = first + right @ ((kept / values)[:, None] * seen)
    return Linear(kernel, level - middle @ kernel, best)


def _svd(x: Array) -> tuple[Array, Array, Array]:
    """U, s, V of the parts of X that are not rounding, from the smaller of its two Gram matrices."""
    import numpy as np

    wide = x.shape[1] > x.shape[0]
    squares, vectors = np.linalg.eigh(x @ x.T if wide else x.T @ x)
    squares, vectors = squares[::-1], vectors[:, ::-1]
    real = squares > max(float(squares[0]), 0.0) * _NULL**2 if len(squares) else squares > 0
    values, vectors = np.sqrt(squares[real]), vectors[:, real]
    other = (x.T @ vectors if wide else x @ vectors) / values
    return (vectors, values, other) if wide else (other, values, vectors)


def reduced(full: Linear, features: Array, rank: int) -> tuple[Array, Linear]:
    """The fit squeezed through ``rank`` numbers: a kernel (inputs, rank), and what follows it.

    With the fitted Ŷ = X·W, centred, and V its first right singular vectors: W·V, then Vᵀ. No other pair of
    that rank is nearer to Ŷ (reduced-rank regression; Izenman 1975,
    https://doi.org/10.1016/0047-259X(75)90042-1).
    """
    import numpy as np

    fitted = np.asarray(features, np.float64) @ full.kernel
    fitted -= fitted.mean(axis=0)
    _, vectors = np.linalg.eigh(fitted.T @ fitted)
    basis = vectors[:, ::-1][:, :rank]
    narrow: Array = full.kernel @ basis
    # The directions left out keep their mean, which the bias says.
    mean = np.asarray(features, np.float64).mean(axis=0)
    bias = full.bias + mean @ full.kernel - (mean @ narrow) @ basis.T
    return narrow, Linear(basis.T, bias, full.strength)


def weighting(full: Linear, places: Array) -> Array:
    """A weight per place and channel, (P, C), for ``places`` of (N, P, C) and a fit of all P·C numbers.

    Channel c adds X_c·M_c to the outputs, M_c of (P, units). Its nearest summary by one number per sample is
    X_c·(M_c·v), v the first right singular vector of the centred X_c·M_c: reduced-rank regression of rank 1
    within each channel. Scaled so that the numbers vary as much as a mean over the map would.
    """
    import numpy as np

    _, count, channels = places.shape
    parts = full.kernel.reshape(count, channels, -1)
    found = np.empty((count, channels))
    for channel in range(channels):
        x = np.asarray(places[:, :, channel], np.float64)
        x = x - x.mean(axis=0)
        added = x @ parts[:, channel]
        _, vectors = np.linalg.eigh(added.T @ added)
        weights = parts[:, channel] @ vectors[:, -1]
        spread, plain = (x @ weights).std(), x.mean(axis=1).std()
        found[:, channel] = weights * (plain / spread) if spread > 0 and plain > 0 else 1 / count
    return found


def agreement(kind: str, old: Array, new: Array) -> float:
    """How far two sets of outputs (N, units) say the same, at most 1.

    ``kind`` "classes": share of samples with the same largest output. "labels": share of samples and labels
    with the same sign. "numbers": R², 1 − Σ(old − new)²/Σ(old − mean)² over all outputs.
    """
    import numpy as np

    if kind == "classes":
        return float((old.argmax(axis=1) == new.argmax(axis=1)).mean())
    if kind == "labels":
        return float(((old > 0) == (new > 0)).mean())
    apart = float(((old - new) ** 2).sum())
    spread = float(((old - old.mean(axis=0)) ** 2).sum())
    return 1 - apart / spread if spread > 0 else float(np.isclose(apart, 0))


def split(count: int, seed: int = 0) -> tuple[Sequence[int], Sequence[int]]:
    """Indices of the samples to fit with, and of the fifth that is held out; the same for the same count."""
    import numpy as np

    order = np.random.default_rng(seed).permutation(count)
    cut = max(1, count // 5)
    return np.sort(order[cut:]).tolist(), np.sort(order[:cut]).tolist()
