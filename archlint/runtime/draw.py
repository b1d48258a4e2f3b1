"""Random inputs of a type and shape, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archlint.runtime.feeds import Feed

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator
    from numpy.typing import NDArray

    Arrays = list[NDArray[Any]]

DRAWS: Mapping[str, Callable[[Generator, tuple[int, ...]], NDArray[Any]]] = {
    "normal": lambda source, shape: source.normal(size=shape),
    "uniform": lambda source, shape: source.uniform(size=shape),
    "large": lambda source, shape: 100 * source.normal(size=shape),
}
"""Kind → numbers: as after normalizing, as of an image scaled to [0, 1], as of one that was not scaled."""


def drawn(feeds: Sequence[Feed], kind: str) -> Arrays:
    """An array per feed."""
    import numpy as np

    source = np.random.default_rng([*kind.encode()])
    return [_one(source, feed, kind) for feed in feeds]


def nudged(arrays: Arrays) -> Arrays:
    """The arrays with every real number moved by one rounding error up, down, or not at all."""
    import numpy as np

    source = np.random.default_rng(1)
    found = []
    for array in arrays:
        whole = array.dtype.kind != "f" or bool((array == np.floor(array)).all())
        way = source.integers(-1, 2, array.shape)
        found.append(array if whole else (array * (1 + way * np.finfo(array.dtype).eps)).astype(array.dtype))
    return found


def _one(source: Generator, feed: Feed, kind: str) -> NDArray[Any]:
    import numpy as np

    if feed.dtype == "bool":
        return source.integers(0, 2, feed.shape).astype(np.bool_)
    dtype = _dtype(feed.dtype)
    if feed.below is not None:
        return source.integers(0, max(1, feed.below), feed.shape).astype(dtype)
    if dtype.kind in "iu":
        return source.integers(0, 8, feed.shape).astype(dtype)
    return DRAWS[kind](source, feed.shape).astype(dtype)


def _dtype(name: str) -> np.dtype[Any]:
    import numpy as np

    if name == "bfloat16":
        import ml_dtypes

        found: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return found
    return np.dtype(name)
