"""Whether a kernel is still what an initializer drew, judged from its values alone.

Uniform initializers draw from a hard range, and Keras's normal ones are cut off: a kernel whose largest
weight reaches that limit and none goes beyond, with the mean square of the distribution, next to a bias of
zeros, has not been trained.
"""

from __future__ import annotations

from math import sqrt

from archlint.facts.measure import Stats

LEAST = 256
"""Smallest kernel that is judged: with fewer elements chance decides too often."""

LEAST_WITHOUT_BIAS = 4096
"""The same without a bias, the first thing to move. After two steps of Adam on MobileNetV2 a depthwise
kernel of 288 weights still looked as it was drawn; of larger ones some weight leaves the range."""

_ROUND = 1 + 1e-5
_NORMAL_REACH = 2 / 0.87962566103423978
"""Keras draws "normal" kernels from a normal distribution cut off at two standard deviations and widened by
the constant, so that its deviation stays. Source: keras/src/initializers/random_initializers.py."""

_INITIALIZERS: tuple[tuple[float, str, bool], ...] = tuple(
    (scale, mode, normal)
    for scale, mode in ((1.0, "average"), (2.0, "in"), (1.0, "in"), (2.0, "out"), (1 / 3, "out"))
    for normal in (False, True)
)
"""Glorot, He and LeCun, and the two of EfficientNet, uniform and normal: scale, the fan that divides it,
and the distribution. Source: keras/src/applications/efficientnet.py for the latter."""


def is_drawn(kernel: Stats, bias: Stats | None, has_bias: bool, fans: tuple[int, int]) -> bool | None:
    """Whether a kernel, and the bias if it has one, are as drawn; None for kernels that are not judged.

    PyTorch draws both evenly from ±1/√inputs (torch.nn.Linear.reset_parameters), the others keep zeros.
    """
    least = LEAST if has_bias else LEAST_WITHOUT_BIAS
    unsound = kernel.nans + kernel.infs or kernel.size == kernel.zeros
    if kernel.size < least or unsound or (has_bias and bias is None):
        return None
    spread = 1 / sqrt(fans[0])
    if bias is not None and bias.peak > 0:
        return bias.peak <= spread * _ROUND and _is_uniform(kernel, spread)
    return any(_fits(kernel, fans, row) for row in _INITIALIZERS)


def _fits(stats: Stats, fans: tuple[int, int], initializer: tuple[float, str, bool]) -> bool:
    scale, mode, normal = initializer
    variance = scale / {"in": fans[0], "out": fans[1], "average": sum(fans) / 2}[mode]
    if not normal:
        return _is_uniform(stats, sqrt(3 * variance))
    limit = _NORMAL_REACH * sqrt(variance)
    # kurtosis 2.36 of that cut-off normal: Var(x²) = 1.36 σ⁴
    return _reaches(stats, limit, 60) and _near(stats, variance, sqrt(1.36) * variance)


def _is_uniform(stats: Stats, limit: float) -> bool:
    """Whether a tensor looks drawn evenly from ±limit: by its largest element and its mean square."""
    return _reaches(stats, limit, 20) and _near(stats, limit**2 / 3, limit**2 * sqrt(4 / 45))


def _reaches(stats: Stats, limit: float, slack: float) -> bool:
    return limit * (1 - min(slack / stats.size, 0.2)) <= stats.peak <= limit * _ROUND


def _near(stats: Stats, expected: float, deviation: float) -> bool:
    return abs(stats.mean_square - expected) <= 5 * deviation / sqrt(stats.size)
