"""What the weights of a flattened head say for and against smaller heads in its place.

The thresholds are those that ``docs/patch-study.md`` measured on small trained networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING

from archlint.checks.heads import sight
from archlint.errors import PatchError
from archlint.fixes import Evidence
from archlint.fixes.maps import FlatMap, flat_map
from archlint.fixes.nearest import mean_kept
from archlint.fixes.stored import kernel_of
from archlint.graph import Array, Node
from archlint.ops import attr

if TYPE_CHECKING:
    from archlint.facts import Facts

LEAST_KEPT, LEAST_COMMON = 0.1, 1.6
"""What the mean has to keep, and how far that has to be above chance (``common``). Below either pooling broke
every trained network of the study, of whatever size its map was; above them it did either."""

CALIBRATE = "--calibrate fits a smaller head to what the model says of samples"


def parts_of(facts: Facts, source: FlatMap, dense: Node) -> Array:
    """The stored kernel of a dense layer as (*window, C, U), a view.

    Raises: PatchError: it cannot be read, does not fit the map, or holds what is no number.
    """
    kernel, _ = kernel_of(facts, dense)
    stored = None if facts.weights is None else facts.weights.values(kernel)
    stats = None if facts.weights is None else facts.weights.stats(kernel)
    if stored is None or stats is None:
        raise PatchError(f"the weights of '{dense.name}' cannot be read")
    if stored.ndim != 2 or stored.size != prod(source.lengths) * _units(dense):
        raise PatchError(f"the kernel of '{dense.name}' does not fit the map")
    if stats.nans + stats.infs:
        raise PatchError(f"the kernel of '{dense.name}' holds values that are no numbers")
    return source.kernel(stored.T if dense.attrs.get("kernel_transposed") else stored)


def _units(dense: Node) -> int:
    units = attr(dense, "units")
    if not isinstance(units, int):
        raise PatchError(f"the units of '{dense.name}' are not known")
    return units


def unlearned(facts: Facts, dense: Node) -> str | None:
    """Why the kernel of a layer holds nothing that was learnt; None when it does, or nothing shows it."""
    weights = facts.weights
    stats = None if weights is None else weights.stats(dense.param("kernel"))
    if weights is None or stats is None:
        return None
    if stats.size == stats.zeros:
        return f"the kernel of {dense.name} is all zeros, so nothing that was learnt is lost"
    if weights.is_initial(dense):
        return f"{dense.name} is as it was initialised, so nothing that was learnt is lost"
    return None


def of_pooling(facts: Facts, nodes: Mapping[str, Node]) -> Evidence:
    """Of a global average pool with the dense layers kept."""
    start, dense = nodes["flatten"], nodes["dense"]
    source = flat_map(facts, start)
    lost = "lost: where on the map something is; all its places count alike"
    if facts.weights is None or facts.weights.stats(dense.param("kernel")) is None:
        return Evidence((seen(facts, start, source), lost))
    fresh = unlearned(facts, dense)
    if fresh is not None:
        return Evidence((fresh, seen(facts, start, source), lost))
    places = prod(source.window)
    kept = mean_kept(parts_of(facts, source, dense))
    said = (
        f"{kept:.1%} of the energy of {dense.name}'s weights is the same at all {places:,} places: "
        f"λ = {kept * places:.3g}, by chance 1, at most {places:,}"
    )
    trained = facts.weights.is_initial(dense) is False
    against = trained and places > 1 and (kept < LEAST_KEPT or common(kept, places) < LEAST_COMMON)
    reason = f"{dense.name} uses where things are, which pooling loses; {CALIBRATE}" if against else None
    return Evidence((said, seen(facts, start, source), lost), reason)


def of_collapsing(facts: Facts, nodes: Mapping[str, Node]) -> Evidence:
    """Of a global average pool straight into the last dense layer."""
    found = of_pooling(facts, nodes)
    lost = "lost: where on the map something is, and all that the dense layers have learnt"
    return Evidence((*found.says[:-1], lost), found.against)


def common(kept: float, places: int) -> float:
    """Energy that all places share against energy that they do not: 1 by chance, without end if alike.

    κ·(P − 1)/(1 − κ): near to λ = κ·P where there are many places, and the same scale for few, where λ
    cannot exceed P.
    """
    return kept * (places - 1) / max(1 - kept, 1e-12)


def seen(facts: Facts, start: Node, source: FlatMap) -> str:
    """What a unit of the map sees of the input, as a sentence."""
    size = "×".join(str(length) for length in source.window)
    found = sight(facts, start.inputs[0])
    if found is None:
        return f"how much of the input a unit of the map of {size} sees is not known"
    return f"a unit of the map of {size} sees {min(found):,} of {found[1]:,} pixels along an axis"
