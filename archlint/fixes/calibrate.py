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
variant is judged by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from archlint.errors import PatchError
from archlint.fixes.calibrate_fit import (
    Decomposed,
    Linear,
    agreement,
    decomposed,
    reduced,
    ridge,
    split,
    weighting,
)
from archlint.fixes.calibrate_head import Head, Step, linear_of, steps_of
from archlint.fixes.calibrate_variants import (
    GRIDS,
    MOST_NUMBERS,
    RANKS,
    Nodes,
    Places,
    Stem,
    average,
    average_and_maximum,
    grid_means,
    stored,
)
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
    """A variant before its dense layers: numbers for all samples, and how its nodes come about.

    ``first`` is given where the kernel of the first dense layer follows from how the numbers were chosen;
    ``grid`` is the number of cells along each axis of a grid.
    """

    name: str
    features: Array
    stem: Stem
    nodes: Nodes
    grid: int | None = None
    first: Linear | None = None


class Calibration:
    """The variants of one head, fitted to ``flat`` (N, P·C), what Flatten gives, and ``last`` (N, inputs),
    what the last dense layer reads; both as the framework ran them.

    Raises: PatchError: too few samples, or the weights of the file do not give what was run.
    """

    def __init__(self, facts: Facts, weights: Weights, head: Head, flat: Array, last: Array) -> None:
        import numpy as np

        if len(flat) < FEWEST:
            raise PatchError(f"{len(flat)} samples are too few to fit and to judge by; {FEWEST} are needed")
        self._facts, self._weights, self.head = facts, weights, head
        self._places = Places(head.source, flat)
        self._wanted = linear_of(facts, weights, head.last)(np.asarray(last, np.float64))
        self._fit, self.held = (np.array(part) for part in split(len(flat)))

    @cached_property
    def steps(self) -> tuple[Step, ...] | None:
        """The chain as functions; None when a node of it, or before it, does what is not known here."""
        import numpy as np

        if self._vector is None:
            return None
        try:
            steps = steps_of(self._facts, self._weights, self.head.chain)
        except PatchError:
            return None
        few = self.held[:64]
        made = self._vector[few]
        for step in steps:
            made = step(made)
        apart, largest = np.abs(made - self._wanted[few]).max(), np.abs(self._wanted).max()
        if apart > _FAR * largest:
            raise PatchError("the head does not compute what the weights in the file say")
        return steps

    @cached_property
    def _vector(self) -> Array | None:
        """What the first dense layer reads, (N, P·C); None when it is not known."""
        import numpy as np

        found: Array = np.asarray(self._places.flat, np.float64)
        try:
            for step in steps_of(self._facts, self._weights, self.head.before):
                found = step(found)
        except PatchError:
            return None
        return found

    def fitted(self) -> Iterator[Fitted]:
        """Every variant that can be built, with the hidden layers left out and, where known, kept."""
        ways = ["left out" if self.head.hidden else "none"]
        if self.head.hidden and self.steps is not None:
            ways.append("refitted")
        for hidden in ways:
            target = self._wanted if hidden != "refitted" else self._first_targets
            for sketch in self._sketches(target):
                yield self._one(sketch, hidden)

    @cached_property
    def _first_targets(self) -> Array:
        assert self.steps is not None
        assert self._vector is not None
        return self.steps[0](self._vector)

    def _sketches(self, target: Array) -> Iterator[Sketch]:
        places, graph = self._places, self._facts.graph
        like = kernel_of(self._facts, self.head.first)[0]

        def nodes() -> Nodes:
            return Nodes(graph, Names(graph), self.head)

        new = nodes()
        yield Sketch("average", average(places), new.average(), new)
        new = nodes()
        yield Sketch("average + maximum", average_and_maximum(places), new.average_and_maximum(), new)
        for count in GRIDS:
            if count < max(places.source.window):
                new = nodes()
                means = grid_means(places, count).reshape(len(places.flat), -1)
                name = "grid " + "×".join(str(min(count, length)) for length in places.source.window)
                yield Sketch(name, means, new.grid(count), new, grid=count)
        if places.flat.size > MOST_NUMBERS:
            return
        full = ridge(places.flat[self._fit], target[self._fit], None, self._whole)
        if target is self._wanted and self.head.hidden:
            new = nodes()
            yield Sketch("whole map", places.flat, new.whole(), new, first=full)
        new = nodes()
        weights = weighting(self._by_place(full), places.rows[self._fit])
        sums = (places.rows * weights).sum(axis=1)
        yield Sketch("weighting", sums, new.weighted(weights, like), new)
        for rank in RANKS:
            if rank < min(target.shape[1], full.kernel.shape[0]):
                new = nodes()
                kernel, rest = reduced(full, places.flat[self._fit], rank)
                narrow = new.narrow(kernel, like)
                yield Sketch(f"low rank {rank}", places.flat @ kernel, narrow, new, first=rest)

    @cached_property
    def _whole(self) -> Decomposed:
        return decomposed(self._places.flat[self._fit])

    def _by_place(self, full: Linear) -> Linear:
        """A fit of the vector as one of the map, its rows (P·C) with the channels last."""
        source = self.head.source
        return replace(full, kernel=source.kernel(full.kernel).reshape(full.kernel.shape))

    def _ridge(self, features: Array, target: Array, start: Array | None = None) -> Linear:
        return ridge(features[self._fit], target[self._fit], start)

    def _one(self, sketch: Sketch, hidden: str) -> Fitted:
        layers = self._layers(sketch, hidden)
        made = sketch.features
        for _, step in layers:
            made = step(made)
        found = agreement(self.head.kind, self._wanted[self.held], made[self.held])
        return Fitted(sketch.name, hidden, found, (self._edit(sketch, layers),))

    def _layers(self, sketch: Sketch, hidden: str) -> Sequence[tuple[Node, Step]]:
        """The nodes of the new head with what each computes, dense layers fitted."""
        target = self._first_targets if hidden == "refitted" else self._wanted
        first = sketch.first or self._ridge(sketch.features, target)
        if hidden != "refitted" or self.steps is None:
            return [(self.head.last, first)]
        layers: list[tuple[Node, Step]] = [(self.head.first, first)]
        old, new = self._first_targets, first(sketch.features)
        for node, step in zip(self.head.chain[1:], self.steps[1:], strict=True):
            old = step(old)
            if isinstance(step, Linear):
                step = self._ridge(new, old, step.kernel)
            layers.append((node, step))
            new = step(new)
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
