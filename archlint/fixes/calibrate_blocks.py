"""The samples that a head is fitted to, some at a time, and what variants keep of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from archlint.dataclass import dataclass
from archlint.fixes.calibrate_fit import Blocks, split
from archlint.fixes.calibrate_variants import Places, grid_means
from archlint.fixes.maps import FlatMap
from archlint.graph import Array

BLOCK_NUMBERS = 2**20
"""Numbers of the maps that are taken up at a time, 8 MiB as float64."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some samples: their maps, and what the last dense layer of the original reads of them."""

    places: Places
    last: Array


Feature = Callable[[Block], Array]
"""(n, numbers) of a block of n samples."""


class Sampled:
    """All samples: ``flat`` (N, P·C), what Flatten gives, and ``last`` (N, inputs), what the last dense layer
    reads, in memory or in a file. ``fit`` and ``held`` are the indices to fit with and those held out."""

    def __init__(self, source: FlatMap, flat: Array, last: Array) -> None:
        import numpy as np

        self.source, self._flat, self._last = source, flat, last
        self.fit, self.held = (np.array(part) for part in split(len(flat)))

    @property
    def width(self) -> int:
        """Numbers of a map."""
        return int(self._flat.shape[1])

    def block(self, rows: Array) -> Block:
        """Some of the samples, by index."""
        return Block(Places(self.source, self._flat[rows]), self._last[rows])

    def blocks(self, rows: Array) -> Iterator[Block]:
        """The same in pieces that are small."""
        size = max(1, BLOCK_NUMBERS // self.width)
        for at in range(0, len(rows), size):
            yield self.block(rows[at : at + size])

    def pairs(self, features: Feature, target: Feature) -> Blocks:
        """Features and targets of the samples to fit with."""
        return lambda: ((features(block), target(block)) for block in self.blocks(self.fit))


def whole(block: Block) -> Array:
    """All numbers of the map."""
    return block.places.flat


def cells_of(block: Block, count: int) -> Array:
    """The means over a grid, in a row."""
    means = grid_means(block.places, count)
    return means.reshape(len(means), -1)


def weighted(block: Block, weights: Array) -> Array:
    """One sum per channel, for weights of (P, C)."""
    found: Array = (block.places.rows * weights).sum(axis=1)
    return found


def narrowed(block: Block, kernel: Array) -> Array:
    """All numbers of the map, through a kernel."""
    found: Array = block.places.flat @ kernel
    return found


def followed(features: Feature, steps: Sequence[Callable[[Array], Array]]) -> Feature:
    """The features of a block, through further steps."""

    def run(block: Block) -> Array:
        found = features(block)
        for step in steps:
            found = step(found)
        return found

    return run
