"""A smaller head in place of a flattened one, fitted to what that one says of samples without labels.

The trunk stays. Of the map X in front of Flatten a variant keeps fewer numbers φ(X), and a dense layer is
fitted to what the original computes before its activation: z ≈ φ(X)·W + b, by ridge regression
(``calibrate_fit.ridge``). The hidden dense layers are either fitted anew one after another, each to the
original's own numbers and towards its own kernel (so that few samples leave it as it is), or left out: then
φ(X) is fitted to the last dense layer at once.

=================  ==========================================================================
average            φ = mean over the map
average + maximum  mean and largest number, side by side
grid g×g           means over g×g cells
weighting          one weighted sum per channel, a depthwise convolution over the full map
low rank r         the whole map through r numbers
whole map          all of it, where only hidden layers are left out
=================  ==========================================================================

A fifth of the samples takes no part in the fits; the share of them on which new and old head agree is what a
variant is judged by. Samples are read in blocks; variants whose fit would need too much memory are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from math import prod
from typing import TYPE_CHECKING

from archlint.dataclass import dataclass
from archlint.errors import PatchError
from archlint.fixes.calibrate_blocks import (
    Block,
    Feature,
    Sampled,
    cells_of,
    followed,
    narrowed,
    weighted,
    whole,
)
from archlint.fixes.calibrate_fit import (
    MOST_NUMBERS,
    Decomposed,
    Linear,
    agreement,
    decomposed,
    fits_memory,
    reduced,
    ridge,
    weighting,
)
from archlint.fixes.calibrate_head import Head, Step, linear_of, steps_of
from archlint.fixes.calibrate_variants import (
    GRIDS,
    RANKS,
    Places,
    average,
    average_and_maximum,
)
from archlint.fixes.stems import Nodes, Stem, stored
from archlint.fixes.stored import Names, kernel_of
from archlint.graph import Array, Edit, Made, Node, Splice, Weights
from archlint.ops import has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts

FEWEST = 50
"""Samples below which nothing is fitted: a fifth of them would say too little."""

_FAR = 1e-3
"""How far the head computed here may be from the one the framework ran, relative to its largest number."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted variant: its name, whether hidden layers are kept, its agreement, and the edits for it."""

    name: str
    hidden: str
    agreement: float
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Sketch:
    """A variant before its dense layers: its numbers for a block of samples, and how its nodes come about.

    ``first`` is given where the kernel of the first dense layer follows from how the numbers were chosen;
    ``grid`` is the number of cells along each axis of a grid.
    """

    name: str
    features: Feature
    stem: Stem
    nodes: Nodes
    grid: int | None = None
    first: Linear | None = None


class Calibration:
    """The variants of one head, fitted to ``flat`` (N, P·C), what Flatten gives, and ``last`` (N, inputs),
    what the last dense layer reads; both as the framework ran them, in memory or in a file.

    Raises: PatchError: too few samples, or the weights of the file do not give what was run.
    """

    def __init__(self, facts: Facts, weights: Weights, head: Head, flat: Array, last: Array) -> None:

        if len(flat) < FEWEST:
            raise PatchError(f"{len(flat)} samples are too few to fit and to judge by; {FEWEST} are needed")
        self._facts, self._weights, self.head = facts, weights, head
        self._samples = Sampled(head.source, flat, last)
        self._linear = linear_of(facts, weights, head.last)
        self.held = self._samples.held

    @cached_property
    def steps(self) -> tuple[Step, ...] | None:
        """The chain as functions; None when a node of it, or before it, does what is not known here."""
        import numpy as np

        if self._before is None:
            return None
        try:
            steps = steps_of(self._facts, self._weights, self.head.chain)
        except PatchError:
            return None
        few = self._samples.block(self.held[:64])
        made, wanted = followed(self._vector, steps)(few), self._wanted(few)
        if np.abs(made - wanted).max() > _FAR * np.abs(wanted).max():
            raise PatchError("the head does not compute what the weights in the file say")
        return steps

    @cached_property
    def _before(self) -> tuple[Step, ...] | None:
        """What stands between Flatten and the first dense layer; None when it is not known."""
        try:
            return steps_of(self._facts, self._weights, self.head.before)
        except PatchError:
            return None

    def _wanted(self, block: Block) -> Array:
        """What the last dense layer gives, (n, units)."""
        import numpy as np

        return self._linear(np.asarray(block.last, np.float64))

    def _vector(self, block: Block) -> Array:
        """What the first dense layer reads, (n, P·C)."""
        import numpy as np

        found: Array = np.asarray(block.places.flat, np.float64)
        for step in self._before or ():
            found = step(found)
        return found

    def _first_targets(self, block: Block) -> Array:
        """What the first dense layer gives, (n, units)."""
        assert self.steps is not None
        return self.steps[0](self._vector(block))

    def fitted(self) -> Iterator[Fitted]:
        """Every variant that can be built, with the hidden layers left out and, where known, kept."""
        ways = ["left out" if self.head.hidden else "none"]
        if self.head.hidden and self.steps is not None:
            ways.append("refitted")
        for hidden in ways:
            refitted = hidden == "refitted"
            for sketch in self._sketches(self._first_targets if refitted else self._wanted, refitted):
                yield self._one(sketch, hidden)

    def _sketches(self, target: Feature, refitted: bool) -> Iterator[Sketch]:
        """The variants that fit into memory."""
        source, fits = self.head.source, partial(fits_memory, len(self._samples.fit))
        channels = source.channels
        if fits(channels):
            new = self._nodes()
            yield Sketch("average", lambda block: average(block.places), new.average(), new)
        if fits(2 * channels):
            new = self._nodes()
            both = new.average_and_maximum()
            yield Sketch("average + maximum", lambda block: average_and_maximum(block.places), both, new)
        for count in GRIDS:
            lengths = [min(count, length) for length in source.window]
            if count < max(source.window) and fits(prod(lengths) * channels):
                new = self._nodes()
                name = "grid " + "×".join(map(str, lengths))
                yield Sketch(name, partial(cells_of, count=count), new.grid(count), new, grid=count)
        if fits(self._samples.width):
            yield from self._of_all(target, refitted)

    def _of_all(self, target: Feature, refitted: bool) -> Iterator[Sketch]:
        """The variants that begin with a fit of all numbers of the map."""
        like = kernel_of(self._facts, self.head.first)[0]
        blocks = self._samples.pairs(whole, target)
        full = ridge(blocks, None, self._whole)
        if not refitted and self.head.hidden:
            new = self._nodes()
            yield Sketch("whole map", whole, new.whole(), new, first=full)
        source = self.head.source
        middle = Places(source, self._whole.middle[None]).rows[0]
        if source.channels * len(middle) ** 2 <= MOST_NUMBERS:
            new = self._nodes()
            rows = (block.places.rows for block in self._samples.blocks(self._samples.fit))
            weights = weighting(self._by_place(full), rows, middle)
            sums = partial(weighted, weights=weights)
            yield Sketch("weighting", sums, new.weighted(weights, like), new)
        for rank in RANKS:
            if rank < min(full.kernel.shape):
                new = self._nodes()
                kernel, rest = reduced(full, blocks, self._whole.middle, rank)
                narrow = new.narrow(kernel, like)
                yield Sketch(f"low rank {rank}", partial(narrowed, kernel=kernel), narrow, new, first=rest)

    def _nodes(self) -> Nodes:
        return Nodes(self._facts.graph, Names(self._facts.graph), self.head.start, self.head.source)

    @cached_property
    def _whole(self) -> Decomposed:
        return decomposed(self._samples.pairs(whole, whole))

    def _by_place(self, full: Linear) -> Linear:
        """A fit of the vector as one of the map, its rows (P·C) with the channels last."""
        source = self.head.source
        return replace(full, kernel=source.kernel(full.kernel).reshape(full.kernel.shape))

    def _one(self, sketch: Sketch, hidden: str) -> Fitted:
        import numpy as np

        layers = self._layers(sketch, hidden)
        made = followed(sketch.features, [step for _, step in layers])
        pairs = [(self._wanted(block), made(block)) for block in self._samples.blocks(self.held)]
        old, new = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        found = agreement(self.head.kind, old, new)
        return Fitted(sketch.name, hidden, found, (self._edit(sketch, layers),))

    def _layers(self, sketch: Sketch, hidden: str) -> Sequence[tuple[Node, Step]]:
        """The nodes of the new head with what each computes, dense layers fitted."""
        if hidden != "refitted" or self.steps is None:
            first = sketch.first or ridge(self._samples.pairs(sketch.features, self._wanted))
            return [(self.head.last, first)]
        first = sketch.first or ridge(self._samples.pairs(sketch.features, self._first_targets))
        layers: list[tuple[Node, Step]] = [(self.head.first, first)]
        for at, (node, step) in enumerate(zip(self.head.chain, self.steps, strict=True)):
            if at == 0:
                continue
            if isinstance(step, Linear):
                new = followed(sketch.features, [step for _, step in layers])
                old = followed(self._vector, self.steps[: at + 1])
                step = ridge(self._samples.pairs(new, old), step.kernel)
            layers.append((node, step))
        return layers

    def _edit(self, sketch: Sketch, layers: Sequence[tuple[Node, Step]]) -> Splice:
        head, names = self.head, sketch.nodes.names
        tensors: dict[str, Made] = dict(sketch.stem.tensors)
        added: list[Node] = list(sketch.stem.nodes)
        value = sketch.stem.value
        for node in head.before:
            if has_trait(node, "random"):
                added.append(replace(node, inputs=(value,)))
                value = node.outputs[0]
        for node, step in layers:
            if isinstance(step, Linear):
                kernel = step.kernel
                if sketch.grid is not None and node is layers[0][0]:
                    kernel = sketch.nodes.grid_rows(kernel, sketch.grid)
                node = self._dense(names, node, Linear(kernel, step.bias), tensors)
            added.append(replace(node, inputs=(value,)))
            value = node.outputs[0]
        old = {node.name for node in (*head.before, *head.chain)}
        if not sketch.stem.keeps_start:
            old |= {head.start.name, *(n.name for n in (*head.source.gone, *head.source.moved))}
        return Splice(frozenset(old), tuple(added), tensors=tensors)

    def _dense(self, names: Names, node: Node, fit: Linear, tensors: dict[str, Made]) -> Node:
        old, bias = kernel_of(self._facts, node)
        values = fit.kernel.T if node.attrs.get("kernel_transposed") else fit.kernel
        kernel = names.param(node, "kernel", values.shape, old)
        offset = names.param(node, "bias", fit.bias.shape, bias or old)
        tensors[kernel.name] = stored(values, kernel)
        tensors[offset.name] = stored(fit.bias, offset)
        attrs = {name: value for name, value in node.attrs.items() if name != "use_bias"}
        return replace(node, attrs=attrs, params=(kernel, offset))
