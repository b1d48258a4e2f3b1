"""Least squares in closed form: what a new head is fitted with, and how far it agrees with the old one.

All arrays are numpy, samples first, float64 inside. Nothing here is random and nothing is iterated. Samples
come in blocks and are never all held at once: a fit keeps XᵀX and XᵀZ, or, where there are fewer samples than
numbers in each, X itself; that is why a fit is made only where the smaller of the two ``fits_memory``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from archlint.dataclass import dataclass
from archlint.graph import Array

Blocks = Callable[[], Iterator[tuple[Array, Array]]]
"""Gives features (n, inputs) and what they should become (n, units), some samples at a time, from the start
at each call."""

MOST_NUMBERS = 2**25
"""Numbers of one matrix of a fit, 256 MiB; up to four of them are held at once."""

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
    """Features as their mean and the S and V of U·S·Vᵀ, the rest taken apart; rounding left out."""

    count: int
    middle: Array
    values: Array
    right: Array

    def left(self, features: Array) -> Array:
        """The rows of U that belong to centred features."""
        found: Array = (features @ self.right) / self.values
        return found


def fits_memory(samples: int, inputs: int) -> bool:
    """Whether a fit of so many numbers in each of so many samples can be made."""
    return min(samples, inputs) * inputs <= MOST_NUMBERS


def decomposed(blocks: Blocks) -> Decomposed:
    """Features taken apart by the smaller of their Gram matrices; the costly half of a ridge regression."""
    import numpy as np

    count, middle = _mean(blocks)
    inputs = len(middle)
    wide = inputs > count
    x = np.empty((count if wide else 0, inputs))
    gram, at = np.zeros((0 if wide else inputs,) * 2), 0
    for features, _ in blocks():
        part = np.asarray(features, np.float64) - middle
        if wide:
            x[at : at + len(part)] = part
            at += len(part)
        else:
            gram += part.T @ part
    squares, vectors = np.linalg.eigh(x @ x.T if wide else gram)
    squares, vectors = squares[::-1], vectors[:, ::-1]
    real = squares > max(float(squares[0]), 0.0) * _NULL**2
    values, vectors = np.sqrt(squares[real]), vectors[:, real]
    return Decomposed(count, middle, values, (x.T @ vectors) / values if wide else vectors)


def _mean(blocks: Blocks) -> tuple[int, Array]:
    """The number of samples, and the mean of their features; the first sample is taken off meanwhile."""
    import numpy as np

    count, total, start = 0, np.zeros(()), np.zeros(())
    for features, _ in blocks():
        start = start if count else np.asarray(features[0], np.float64)
        total = total + (features - start).sum(axis=0)
        count += len(features)
    middle: Array = start + total / count
    return count, middle


def ridge(blocks: Blocks, start: Array | None = None, parts: Decomposed | None = None) -> Linear:
    """The W and b that minimise ‖X·W + b − Z‖² + λ‖W − W₀‖², W₀ the start or 0.

    With centred X = U·S·Vᵀ and R = Z − X·W₀: W = W₀ + V·S/(S² + λ)·Uᵀ·R (Hoerl and Kennard 1970,
    https://doi.org/10.1080/00401706.1970.10488634), where Uᵀ·R = S⁻¹·Vᵀ·(Xᵀ·R). λ is the one of ``STRENGTHS``
    for which the error of leaving out each sample in turn is least; it needs no second fit, since sample i
    then errs by rᵢ/(1 − hᵢ), r what the fit leaves and h = 1/N + Σⱼ Uᵢⱼ² sⱼ²/(sⱼ² + λ) (PRESS, Allen 1974,
    https://doi.org/10.1080/00401706.1974.10489157). On equal errors the larger λ stays.
    ``parts`` are those of the features, if they are known.
    """
    import numpy as np

    parts = parts or decomposed(blocks)

    def centred() -> Iterator[tuple[Array, Array]]:
        """Centred features, and what of the targets the start leaves."""
        for features, targets in blocks():
            x = np.asarray(features, np.float64) - parts.middle
            yield x, np.asarray(targets, np.float64) - (0.0 if start is None else x @ start)

    moments, level = np.zeros(()), np.zeros(())
    for x, rest in centred():
        moments, level = moments + x.T @ rest, level + rest.sum(axis=0)
    level = level / parts.count
    seen = (parts.right.T @ moments) / parts.values[:, None]
    top = float(parts.values[0] ** 2) if len(parts.values) else 1.0
    strengths = [share * top for share in STRENGTHS]
    errors = _left_out(parts, centred, level, seen, strengths)
    best, least = len(strengths) - 1, np.inf
    for at in reversed(range(len(strengths))):
        if errors[at] < least * (1 - 1e-9):
            best, least = at, errors[at]
    shrunk = parts.values / (parts.values**2 + strengths[best])
    kernel = parts.right @ (shrunk[:, None] * seen)
    kernel = kernel if start is None else kernel + start
    return Linear(kernel, level - parts.middle @ kernel, strengths[best])


def _left_out(
    parts: Decomposed, centred: Blocks, level: Array, seen: Array, strengths: Sequence[float]
) -> Array:
    """The squared error of leaving out each sample in turn, summed, for each penalty."""
    import numpy as np

    errors = np.zeros(len(strengths))
    for x, rest in centred():
        left, wanted = parts.left(x), rest - level
        squares = left**2
        for at, strength in enumerate(strengths):
            kept = parts.values**2 / (parts.values**2 + strength)
            spare = np.maximum(1 - 1 / parts.count - squares @ kept, 1e-9)
            errors[at] += ((wanted - left @ (kept[:, None] * seen)) ** 2 / spare[:, None] ** 2).sum()
    return errors


def reduced(full: Linear, blocks: Blocks, middle: Array, rank: int) -> tuple[Array, Linear]:
    """The fit squeezed through ``rank`` numbers: a kernel (inputs, rank), and what follows it.

    With the fitted Ŷ = X·W, centred, and V its first right singular vectors: W·V, then Vᵀ. No other pair of
    that rank is nearer to Ŷ (reduced-rank regression; Izenman 1975,
    https://doi.org/10.1016/0047-259X(75)90042-1). ``middle`` is the mean of X.
    """
    import numpy as np

    gram = np.zeros((full.kernel.shape[1],) * 2)
    for features, _ in blocks():
        fitted = (np.asarray(features, np.float64) - middle) @ full.kernel
        gram += fitted.T @ fitted
    _, vectors = np.linalg.eigh(gram)
    basis = vectors[:, ::-1][:, :rank]
    narrow: Array = full.kernel @ basis
    # The directions left out keep their mean, which the bias says.
    bias = full.bias + middle @ full.kernel - (middle @ narrow) @ basis.T
    return narrow, Linear(basis.T, bias, full.strength)


def weighting(full: Linear, places: Iterable[Array], middle: Array) -> Array:
    """A weight per place and channel, (P, C), for blocks of (n, P, C) and a fit of all P·C numbers.

    Channel c adds X_c·M_c to the outputs, M_c of (P, units). Its nearest summary by one number per sample is
    X_c·(M_c·v), v the first right singular vector of the centred X_c·M_c: reduced-rank regression of rank 1
    within each channel. Scaled so that the numbers vary as much as a mean over the map would. All that is
    needed of X_c is X_cᵀ·X_c. ``middle`` is the mean of the maps, (P, C).
    """
    import numpy as np

    count, channels = middle.shape
    parts = full.kernel.reshape(count, channels, -1)
    grams = np.zeros((channels, count, count))
    for block in places:
        x = np.moveaxis(np.asarray(block, np.float64) - middle, -1, 0)
        grams += x.transpose(0, 2, 1) @ x
    found = np.empty((count, channels))
    for channel, gram in enumerate(grams):
        kernel = parts[:, channel]
        _, vectors = np.linalg.eigh(kernel.T @ gram @ kernel)
        weights = kernel @ vectors[:, -1]
        spread, plain = weights @ gram @ weights, gram.sum() / count**2
        even = not (spread > 0 and plain > 0)
        found[:, channel] = 1 / count if even else weights * np.sqrt(plain / spread)
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
