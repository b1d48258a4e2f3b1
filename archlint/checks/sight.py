"""How much of the image a place sees, and what ties a model to one image size."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check, maps
from archlint.checks.heads import after, full_map_pools, is_plain
from archlint.checks.orientation import swapped_images
from archlint.facts.blockers import Blocker
from archlint.graph import Attr, Node
from archlint.ops import has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts


@check(
    nodes={
        "flatten": "the flattening that ties the model to its image size",
        "dense": "the layer that reads it",
    },
    values={
        "input": "name of the input",
        "size": "its fixed spatial lengths",
        "map": "spatial lengths of the flattened map",
    },
)
def fixed_only_by_flatten(facts: Facts) -> Iterator[Match | Unsure]:
    """The flattenings of a model whose image size nothing else fixes; sequences are left out."""
    yield from _fixed_by_flatten(facts, 2)


@check(
    nodes={
        "flatten": "what makes features of steps",
        "dense": "the layer that reads it",
    },
    values={
        "input": "name of the input",
        "size": "its fixed length",
        "map": "steps that are flattened",
    },
)
def length_fixed_only_by_flatten(facts: Facts) -> Iterator[Match | Unsure]:
    """The flattenings of a model of sequences whose length nothing else fixes."""
    yield from _fixed_by_flatten(facts, 1)


def _fixed_by_flatten(facts: Facts, rank: int) -> Iterator[Match | Unsure]:
    """The flattenings of a model with inputs of one spatial axis, or of two and more (``rank`` 2)."""
    # Of an image whose axes are swapped, what looks like its size is not: image-axes-swapped says so.
    swapped = {match.values["input"] for match in swapped_images(facts) if isinstance(match, Match)}
    images = [
        (name, axes)
        for name, axes in facts.spatial_inputs
        if min(len(axes), 2) == rank and name not in swapped
    ]
    blockers = facts.spatial_blockers if images else ()
    if not blockers or not all(_is_flattened(blocker) for blocker in blockers):
        return
    unknown = next((node for node in facts.graph.nodes if has_trait(node, "unknown")), None)
    if unknown is not None:
        yield Unsure(unknown, f"what '{unknown.name}' asks of its input is unknown")
        return
    seen: set[str] = set()
    for blocker in (one for one in blockers if one.kind == "features"):
        flatten = blocker.maker
        name, axes = next((row for row in images if row[0] == blocker.origins[0][0]), ("", ()))
        size = None if flatten is None else maps.map_size(facts, flatten) or _spatial(facts, flatten)
        if (
            flatten is None
            or not axes
            or size is None
            or flatten.name in seen
            or not facts.conv_upstream(flatten)
        ):
            continue
        seen.add(flatten.name)
        shape = facts.shape(name) or ()
        lengths = tuple(shape[axis] for axis in axes)
        nodes = {"flatten": flatten, "dense": blocker.node}
        yield Match(nodes, {"input": name, "size": lengths, "map": size})


@check(
    nodes={"pool": "the global pool in front of the output"},
    values={
        "seen": "pixels that a unit of the map sees, along the axis where it sees most",
        "shortest": "length of the shortest spatial axis of the input",
        "size": "spatial lengths of the input",
        "one_channel": "whether the input has a single channel",
    },
)
def pool_sight(facts: Facts) -> Iterator[Match | Unsure]:
    """Global pools in front of an output, with what the units that they pool see of an image.

    A pool whose window is the whole map is one too.
    """
    windows = {match.nodes["pool"].name for match in full_map_pools(facts) if isinstance(match, Match)}
    for pool in facts.graph.nodes:
        pools = has_trait(pool, "global_pool") or pool.name in windows
        if not pools or not pool.outputs or not facts.conv_upstream(pool):
            continue
        if not _is_head(facts, pool):
            continue
        field = facts.receptive_field(pool.inputs[0])
        if field is None:
            yield Unsure(pool, "the receptive field is unknown")
            continue
        shape = facts.shape(field.input) or ()
        size = [shape[axis] for axis in field.axes]
        known = [length for length in size if isinstance(length, int)]
        if len(size) < 2 or inf in field.largest:
            continue
        if len(known) < len(size):
            yield Unsure(pool, "the size of the input is unknown")
            continue
        seen = int(max(field.largest))
        rest = [shape[axis] for axis in range(1, len(shape)) if axis not in field.axes]
        values: dict[str, Attr] = {
            "seen": seen,
            "shortest": min(known),
            "size": tuple(known),
            "one_channel": rest == [1],
        }
        yield Match({"pool": pool}, values)


def _spatial(facts: Facts, flatten: Node) -> tuple[int | None, ...] | None:
    """Lengths of the axes that follow an input's, where which axis holds channels is not known."""
    axes, shape = facts.axes(flatten.inputs[0]), facts.in_shape(flatten)
    if axes is None or shape is None or len(axes) != len(shape):
        return None
    found = tuple(dim for dim, origins in zip(shape, axes, strict=True) if origins)
    return tuple(dim if isinstance(dim, int) else None for dim in found) or None


def _is_flattened(blocker: Blocker) -> bool:
    """Whether a Flatten alone ties a node to a size: it multiplies the vector, or scales its elements."""
    scales = blocker.kind == "norm" and blocker.node.op == "BatchNormalization"
    return (
        blocker.maker is not None and blocker.maker.op == "Flatten" and (scales or blocker.kind == "features")
    )


def _is_head(facts: Facts, pool: Node) -> bool:
    """Whether nothing but dense layers and activations stands between a pool and an output."""
    chain = after(facts, pool)
    ends = facts.reaches_output(chain[-1].outputs[0] if chain else pool.outputs[0])
    return ends and all(is_plain(node) for node in chain)
