"""How far two sets of outputs are apart, and how far they may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = Sequence[NDArray[Any]]

TOLERANCE = {"float64": 1e-10, "float32": 1e-5, "float16": 1e-2, "bfloat16": 5e-2}
"""Coarsest float type of a model → largest difference, relative to the largest output.

An exact rewrite sums the same products in another order. A sum of n terms then moves by about √n rounding
errors (Higham, Accuracy and Stability of Numerical Algorithms, 4.2): at n = 25,088 (VGG16's first dense
layer) 160 × 6e-8 = 1e-5 of the terms' own size. Measured on VGG16: 4e-7. The other types: the same number of
rounding errors, less where that would let everything pass."""

AMPLIFIED = 32
"""Times that the outputs may move by what moving the inputs by one rounding error moves them.

A model can make rounding errors larger, as a softmax does of large scores; then the original's own answer to
another rounding says what "the same" can mean. Every layer rounds, not only the input: hence the factor."""


def gap(left: Arrays, right: Arrays) -> tuple[float, float]:
    """The largest absolute difference, and the largest relative to the greatest value of its output.

    What is not finite on both sides, in the same way, counts as equal; on one side only it is infinite.
    """
    import numpy as np

    absolute = relative = 0.0
    for one, other in zip(left, right, strict=True):
        if one.shape != other.shape:
            return float("inf"), float("inf")
        wide, again = one.astype(np.float64), other.astype(np.float64)
        same = (wide == again) | (np.isnan(wide) & np.isnan(again))
        finite = np.isfinite(wide) & np.isfinite(again)
        if not (same | finite).all():
            return float("inf"), float("inf")
        if same.all():
            continue
        apart = float(np.abs(np.subtract(wide, again, where=finite, out=np.zeros_like(wide))).max())
        largest = float(np.abs(wide, where=finite, out=np.zeros_like(wide)).max())
        absolute = max(absolute, apart)
        relative = max(relative, apart / largest if largest else float("inf"))
    return absolute, relative


def are_finite(outputs: Arrays) -> bool:
    """Whether every number of every output is finite."""
    import numpy as np

    return all(bool(np.isfinite(output.astype(np.float64)).all()) for output in outputs)
