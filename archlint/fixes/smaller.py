"""Smaller heads that are near to a flattened one by its weights alone: no samples, no labels.

They stand in for Flatten and its first dense layer, whose kernel W they replace by what is nearest to it
(``nearest``); the layers behind stay. They are offered where that keeps enough, to be trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

from archlint.dataclass import dataclass
from archlint.fixes import Evidence, PatchError, rewrite
from archlint.fixes.evidence import CALIBRATE, parts_of, seen, unlearned
from archlint.fixes.maps import FlatMap, flat_map, only_reader
from archlint.fixes.nearest import factors, for_cells, one_weighting
from archlint.fixes.stems import Nodes, Stem, cells, stored
from archlint.fixes.stored import Names, kernel_of
from archlint.graph import Array, Attr, Edit, Made, Node, Splice
from archlint.ops import attr, has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts

CELLS = 2
"""Cells of a grid along each axis."""

LEAST = {"grid": 0.6, "spatial": 0.6, "low-rank": 0.99}
"""What each has to keep of the energy of the weights to be offered (docs/patch-study.md)."""

ANY_HEAD = "--head keep or collapse does as well before training"

_ROLES = {"flatten": "the Flatten of a map", "dense": "the dense layer that reads it"}


def of_grid(facts: Facts, nodes: Mapping[str, Node]) -> Evidence:
    """Of means over cells."""
    return _weighed(facts, _head_of(facts, nodes), "grid", _grid_kept)


def _grid_kept(head: _Head, parts: Array) -> tuple[float, str, str]:
    windows = cells(head.source, CELLS)
    _, kept = for_cells(parts, windows)
    counts = [min(CELLS, length) for length in head.source.window]
    chance = prod(counts) / prod(head.source.window)
    said = f"means over {_by(counts)} cells of {_by(window for window, _ in windows)} places"
    return kept, f"{said} keep {{}} (by chance {chance:.1%})", "lost: where within a cell something is"


@rewrite(nodes=_ROLES, head="grid", evidence=of_grid)
def grid(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """An average pool that leaves 2 cells along each axis in front of Flatten, and a kernel for those."""
    head = _head_of(facts, nodes)
    kernel, _ = for_cells(head.parts(facts), cells(head.source, CELLS))
    new = Nodes(facts.graph, Names(facts.graph), head.start, head.source)
    rows = kernel.reshape(-1, kernel.shape[-1])
    return (_splice(facts, head, new.names, new.grid(CELLS), new.grid_rows(rows, CELLS)),)


def of_spatial(facts: Facts, nodes: Mapping[str, Node]) -> Evidence:
    """Of a weighted sum per channel."""
    return _weighed(facts, _head_of(facts, nodes), "spatial", _spatial_kept)


def _spatial_kept(head: _Head, parts: Array) -> tuple[float, str, str]:
    *_, kept = one_weighting(parts)
    count, units = prod(head.source.window), parts.shape[-1]
    # The largest singular value of a random matrix is near to √P + √U (Geman 1980,
    # https://doi.org/10.1214/aop/1176994775).
    chance = min(1.0, (count**0.5 + units**0.5) ** 2 / (count * units))
    said = f"one weighting of the {count:,} places per channel keeps {{}} (by chance {chance:.1%})"
    return kept, said, f"lost: that each unit of {head.dense.name} weighs the places in its own way"


@rewrite(nodes=_ROLES, head="spatial", evidence=of_spatial)
def spatial(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """A depthwise convolution over the full map in front of Flatten, and a kernel (C, U)."""
    head = _head_of(facts, nodes)
    weights, kernel, _ = one_weighting(head.parts(facts))
    new = Nodes(facts.graph, Names(facts.graph), head.start, head.source)
    stem = new.weighted(weights, kernel_of(facts, head.dense)[0])
    return (_splice(facts, head, new.names, stem, kernel),)


def of_low_rank(facts: Facts, nodes: Mapping[str, Node]) -> Evidence:
    """Of two thin layers for the first dense layer."""
    start, dense = nodes["flatten"], nodes["dense"]
    source = flat_map(facts, start)
    fresh = unlearned(facts, dense)
    if fresh is not None:
        return Evidence((fresh,), f"there is nothing to keep; {ANY_HEAD}")
    matrix = _matrix(facts, dense)
    first, _, kept = factors(matrix, None, LEAST["low-rank"])
    rank, (inputs, units) = first.shape[1], matrix.shape
    says = (
        f"{rank:,} of {min(inputs, units):,} singular values of {dense.name}'s weights hold {kept:.1%} of "
        "their energy",
        seen(facts, start, source),
        f"lost: the rest of what {dense.name} tells apart",
    )
    if 2 * rank * (inputs + units) > inputs * units:
        return Evidence(says, f"two layers of rank {rank:,} would not halve the weights of {dense.name}")
    return Evidence(says)


@rewrite(nodes=_ROLES, head="low-rank", evidence=of_low_rank)
def low_rank(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """Two dense layers for the first, of the smallest rank that keeps enough of its energy."""
    dense = nodes["dense"]
    first, second, _ = factors(_matrix(facts, dense), None, LEAST["low-rank"])
    return (_two_layers(facts, dense, first, second),)


@rewrite(nodes={"layer": "the dense layer"}, values={"rank": "rank of the two layers"})
def of_rank(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """Two dense layers for one, of a given rank; the same function where its kernel has no higher one."""
    layer, rank = nodes["layer"], values["rank"]
    if layer.op != "Dense" or not isinstance(rank, int):
        raise PatchError(f"'{layer.name}' is no dense layer")
    first, second, _ = factors(_matrix(facts, layer), rank)
    return (_two_layers(facts, layer, first, second),)


@dataclass(frozen=True, slots=True)
class _Head:
    """Flatten, the map that it reads, and the dense layer behind it, with only dropout between."""

    start: Node
    source: FlatMap
    dense: Node

    def parts(self, facts: Facts) -> Array:
        """The kernel as (*window, C, U)."""
        return parts_of(facts, self.source, self.dense)


def _head_of(facts: Facts, nodes: Mapping[str, Node]) -> _Head:
    start, dense = nodes["flatten"], nodes["dense"]
    node = only_reader(facts.graph, start.outputs[0])
    while node is not None and node.name != dense.name:
        if not (has_trait(node, "random") or has_trait(node, "transparent")):
            raise PatchError(f"'{node.name}' works on the vector between '{start.name}' and '{dense.name}'")
        node = only_reader(facts.graph, node.outputs[0])
    if node is None:
        raise PatchError(f"'{start.name}' feeds more than '{dense.name}'")
    source = flat_map(facts, start)
    if prod(source.window) < 2:
        raise PatchError(f"the map that '{start.name}' reads has one place")
    return _Head(start, source, dense)


def _weighed(
    facts: Facts, head: _Head, name: str, kept_by: Callable[[_Head, Array], tuple[float, str, str]]
) -> Evidence:
    fresh = unlearned(facts, head.dense)
    if fresh is not None:
        return Evidence((fresh,), f"there is nothing to keep; {ANY_HEAD}")
    kept, said, lost = kept_by(head, head.parts(facts))
    says = said.format(f"{kept:.1%} of the energy of {head.dense.name}'s weights")
    against = f"that keeps less than {LEAST[name]:.0%}; {CALIBRATE}" if kept < LEAST[name] else None
    return Evidence((says, seen(facts, head.start, head.source), lost), against)


def _by(lengths: Iterable[int]) -> str:
    return "×".join(str(length) for length in lengths)


def _splice(facts: Facts, head: _Head, names: Names, stem: Stem, kernel: Array) -> Splice:
    """Flatten behind its stem, and the dense layer with a kernel (inputs, units) for what that leaves."""
    tensors: dict[str, Made] = dict(stem.tensors)
    dense = _with_kernel(facts, names, head.dense, kernel, tensors)
    source = head.source
    gone = (head.start, head.dense, *source.gone, *source.moved)
    return Splice(frozenset(node.name for node in gone), (*stem.nodes, dense), tensors=tensors)


def _two_layers(facts: Facts, dense: Node, first: Array, second: Array) -> Splice:
    if len(facts.in_shape(dense) or ()) < 2 or attr(dense, "axis") != -1:
        raise PatchError(f"'{dense.name}' does not work on the last axis")
    names = Names(facts.graph)
    old, _ = kernel_of(facts, dense)
    tensors: dict[str, Made] = {}
    narrow = names.beside(dense, "Dense", dense.inputs, "narrow")
    param = names.param(narrow, "kernel", first.shape, old)
    tensors[param.name] = stored(first, param)
    attrs: dict[str, Attr] = {"units": first.shape[1], "use_bias": False}
    narrow = replace(narrow, attrs=attrs, params=(param,))
    last = replace(_with_kernel(facts, names, dense, second, tensors), inputs=narrow.outputs)
    return Splice(frozenset({dense.name}), (narrow, last), tensors=tensors)


def _with_kernel(facts: Facts, names: Names, dense: Node, kernel: Array, tensors: dict[str, Made]) -> Node:
    old, bias = kernel_of(facts, dense)
    values = kernel.T if dense.attrs.get("kernel_transposed") else kernel
    new = names.param(dense, "kernel", values.shape, old)
    tensors[new.name] = stored(values, new)
    return replace(dense, params=(new,) if bias is None else (new, bias))


def _matrix(facts: Facts, dense: Node) -> Array:
    """The stored kernel as (inputs, units)."""
    import numpy as np

    kernel, _ = kernel_of(facts, dense)
    found = None if facts.weights is None else facts.weights.values(kernel)
    if found is None or found.ndim != 2 or not np.isfinite(found).all() or not found.any():
        raise PatchError(f"the kernel of '{dense.name}' cannot be read, or holds nothing")
    return found.T if dense.attrs.get("kernel_transposed") else found
