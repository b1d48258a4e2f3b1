"""Units of a layer that do nothing, or the same as another: dead, duplicate, never above zero."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check
from archlint.checks.bounds import bounds_of
from archlint.checks.weights import is_fixed
from archlint.graph import Node
from archlint.ops import attr

if TYPE_CHECKING:
    from archlint.facts import Facts, WeightFacts
    from archlint.facts.measure import Units

_LAYER = {"layer": "the layer"}
_COUNTS = {"count": "how many of its units", "units": "units that it has", "share": "their part, 0 to 1"}


@check(nodes=_LAYER, values={"units": "units that it has", "size": "weights in its kernel"})
def identical_units(facts: Facts) -> Iterator[Match | Unsure]:
    """Layers whose units all hold the same weights, which are not all one number."""
    if facts.weights is None:
        return
    for node in facts.weights.layers():
        units, stats = facts.weights.units(node), facts.weights.stats(node.param("kernel"))
        if units is None or stats is None or stats.low == stats.high or is_fixed(node):
            continue
        count = len(units.mark)
        if count < 2 or stats.size < 16 or not _same_units(facts.weights, node, range(count)):
            continue
        yield Match({"layer": node}, {"units": count, "size": stats.size})


@check(nodes=_LAYER, values={**_COUNTS, "sparsity": "part of all kernel weights that are zero"})
def dead_units(facts: Facts) -> Iterator[Match | Unsure]:
    """Layers some of whose units have no weights to speak of: at most 1e-8 of the median unit's largest."""
    if facts.weights is None:
        return
    rows = [(node, facts.weights.units(node)) for node in facts.weights.layers()]
    kernels = [facts.weights.stats(node.param("kernel")) for node, _ in rows]
    known = [stats for stats in kernels if stats is not None]
    sparsity = sum(stats.zeros for stats in known) / max(1, sum(stats.size for stats in known))
    for node, units in rows:
        if units is None or not len(units.peak):
            continue
        middle = sorted(units.peak.tolist())[len(units.peak) // 2]
        dead = int((units.peak <= 1e-8 * middle).sum())
        if middle > 0 and dead and not (dead <= 2 and _reads_signal(node)):
            share = dead / len(units.peak)
            values = {"count": dead, "units": len(units.peak), "share": share, "sparsity": sparsity}
            yield Match({"layer": node}, values)


def _reads_signal(node: Node) -> bool:
    """Whether it slides over one channel, along one axis and without bias, as a stored Fourier transform."""
    kernel, window, filters = node.param("kernel"), node.attrs.get("kernel"), node.attrs.get("filters")
    if node.op != "Conv" or kernel is None or node.param("bias") is not None:
        return False
    if not isinstance(window, tuple) or not isinstance(filters, int):
        return False
    taps = [size for size in window if isinstance(size, int) and size > 1]
    return len(taps) == 1 and kernel.size == filters * taps[0]


@check(nodes=_LAYER, values={**_COUNTS, "first": "a unit", "second": "a unit that is the same"})
def duplicate_units(facts: Facts) -> Iterator[Match | Unsure]:
    """Layers some of whose units have the weights and bias of an earlier unit; dead ones are left out."""
    if facts.weights is None:
        return
    for node in facts.weights.layers():
        units = facts.weights.units(node)
        if units is None or (node.op != "Dense" and attr(node, "groups") != 1):
            continue
        pairs = [pair for pair in _close_pairs(units) if _same_units(facts.weights, node, pair)]
        if pairs and len(pairs) < len(units.mark) - 1:
            first, second = min(pairs)
            count = len(pairs)
            share = count / len(units.mark)
            values = {"count": count, "units": len(units.mark), "share": share}
            yield Match({"layer": node}, {**values, "first": first, "second": second})


@check(
    nodes={"relu": "the activation", "layer": "the layer before it"},
    values={**_COUNTS, "proved": "whether it follows from the bounds of what the layer reads"},
)
def dead_relus(facts: Facts, deviations: float = 6.0) -> Iterator[Match | Unsure]:
    """Relus with channels that are always zero, or that would need a value ``deviations`` σ from the mean."""
    if facts.weights is None:
        return
    for relu in facts.graph.nodes:
        if relu.op != "Relu" or attr(relu, "negative_slope") != 0 or attr(relu, "threshold") != 0:
            continue
        layer = facts.maker(relu.inputs[0])
        if layer is None:
            continue
        dead = _below_zero(facts, facts.weights, layer, deviations)
        count, units = (0, 0) if dead is None else dead
        if count:
            values = {"count": count, "units": units, "share": count / units}
            yield Match(
                {"relu": relu, "layer": layer}, {**values, "proved": layer.op != "BatchNormalization"}
            )


def _close_pairs(units: Units) -> Iterator[tuple[int, int]]:
    """Units, each with an earlier one, whose projections are within 1e-5 of each other."""
    import numpy as np

    order = np.argsort(units.mark, kind="stable")
    marks, peaks = units.mark[order], units.peak[order]
    close = np.diff(marks) <= 1e-5 * np.maximum(np.abs(marks[1:]), peaks[1:])
    for at in np.flatnonzero(close & (peaks[1:] > 1e-8 * np.median(units.peak))):
        first, second = sorted((int(order[at]), int(order[at + 1])))
        yield first, second


def _same_units(weights: WeightFacts, node: Node, units: Sequence[int]) -> bool:
    """Whether these units hold the same kernel, to 1e-6 of their largest weight, and the same bias."""
    import numpy as np

    assert isinstance(units, tuple | range)
    found = weights.units(node)
    chosen = list(units)
    if found is None or np.ptp(found.mark[chosen]) > 1e-5 * max(
        1e-30, float(np.abs(found.mark[chosen]).max())
    ):
        return False
    values = weights.values(node.param("kernel"))
    matrix = None if values is None else weights.matrix(node, values)
    bias = weights.values(node.param("bias"))
    if matrix is None or not np.ptp(matrix[:, chosen], axis=1).max() <= 1e-6 * found.peak[chosen].max():
        return False
    return bias is None or bool(np.ptp(bias.reshape(-1)[chosen]) <= 1e-6 * np.abs(bias).max())


def _below_zero(facts: Facts, weights: WeightFacts, layer: Node, deviations: float) -> tuple[int, int] | None:
    """How many channels never get above zero though they have weights, of how many; None if not known."""
    import numpy as np

    if layer.op == "BatchNormalization" and not layer.attrs.get("folded"):
        gamma, beta = weights.values(layer.param("gamma")), weights.values(layer.param("beta"))
        if beta is None or (gamma is None and layer.param("gamma") is not None):
            return None
        gains = np.ones_like(beta) if gamma is None else np.abs(gamma)
        return int(((beta + deviations * gains < 0) & (gains > 0)).sum()), int(beta.size)
    units = weights.units(layer) if layer.op in ("Dense", "Conv") else None
    bounds = bounds_of(facts, layer.inputs[0]) if units is not None else None
    bias = weights.values(layer.param("bias")) if layer.param("bias") is not None else np.zeros(1)
    if units is None or bounds is None or bias is None:
        return None
    low, high = bounds
    with np.errstate(invalid="ignore"):
        most = np.where(units.positive > 0, units.positive * high, 0) + units.negative * low
    return int(((most + bias.reshape(-1) <= 0) & (units.peak > 0)).sum()), len(units.mark)
