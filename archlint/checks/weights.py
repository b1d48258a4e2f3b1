"""What the stored weights of a model show: broken values, units that do nothing, layers that never learned.

Every check is silent without weights; tensors that cannot be read are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check
from archlint.graph import Attr, Node, Param
from archlint.ops import attr, has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts, WeightFacts

_LAYER = {"layer": "the layer"}


@check(
    nodes={"layer": "the layer that holds them"},
    values={
        "roles": "which of its params",
        "nans": "elements that are NaN",
        "infs": "elements that are infinite",
        "size": "elements of those params",
    },
)
def not_finite(facts: Facts) -> Iterator[Match | Unsure]:
    """Layers with NaN or infinite weights. Constants that no layer owns, such as masks, are left out."""
    if facts.weights is None:
        return
    for node, params in _owned(facts):
        found = [(param, facts.weights.stats(param)) for param in params]
        bad = [(param, stats) for param, stats in found if stats is not None and stats.nans + stats.infs]
        if bad:
            values: dict[str, Attr] = {
                "roles": tuple(param.role for param, _ in bad),
                "nans": sum(stats.nans for _, stats in bad),
                "infs": sum(stats.infs for _, stats in bad),
                "size": sum(stats.size for _, stats in bad),
            }
            yield Match({"layer": node}, values)


@check(
    nodes=_LAYER,
    values={
        "value": "the value that all weights have",
        "size": "weights in its kernel",
        "units": "its units",
    },
)
def constant_kernels(facts: Facts) -> Iterator[Match | Unsure]:
    """Kernels of which all weights are the same number.

    Left out: fixed filters (frozen, or one filter per channel), sums (one unit), zero kernels on a branch
    that is added or multiplied in or that an output is read from, as zero initialisation wants it, and models
    of nothing but zeros.
    """
    if facts.weights is None or _is_blank(facts.weights):
        return
    for node in facts.weights.layers():
        stats, units = facts.weights.stats(node.param("kernel")), _unit_count(node)
        if stats is None or stats.low != stats.high or stats.nans or stats.size < 16 or is_fixed(node):
            continue
        if stats.low == 0 and (_is_added(facts, node) or _is_zero_head(facts, node)):
            continue
        if stats.low != 0 and (units is None or units < 2):
            continue
        yield Match({"layer": node}, {"value": stats.low, "size": stats.size, "units": units})


@check(values={"layers": "layers with weights", "params": "how many parameters they hold"})
def blank_models(facts: Facts) -> Iterator[Match | Unsure]:
    """Models of two or more layers whose kernels hold nothing but zeros."""
    if facts.weights is not None and _is_blank(facts.weights):
        yield Match({}, {"layers": len(list(facts.weights.layers())), "params": facts.params})


@check(
    nodes=_LAYER,
    values={"count": "denormal weights", "size": "weights that are not 0", "share": "their part"},
)
def denormals(facts: Facts) -> Iterator[Match | Unsure]:
    """Layers with float32 weights below the smallest normal number."""
    if facts.weights is None:
        return
    for node, params in _owned(facts):
        found = [facts.weights.stats(param) for param in params if param.dtype == "float32"]
        known = [stats for stats in found if stats is not None]
        count = sum(stats.denormals for stats in known)
        size = sum(stats.size - stats.zeros for stats in known)
        if count:
            yield Match({"layer": node}, {"count": count, "size": size, "share": count / size})


@check(
    nodes={"norm": "the batch normalization"},
    values={
        "count": "channels concerned",
        "channels": "channels that it has",
        "lowest": "the smallest moving variance",
        "epsilon": "what is added to it",
        "gain": "the largest factor that such a channel is multiplied with",
        "broken": "channels whose variance plus epsilon is below zero",
    },
)
def bad_variances(facts: Facts, limit: float = 1e-10) -> Iterator[Match | Unsure]:
    """Batch normalizations with moving variances at or below ``limit`` in channels whose gain is not zero."""
    import numpy as np

    for node in facts.graph.nodes if facts.weights is not None else ():
        if node.op != "BatchNormalization" or facts.weights is None:
            continue
        variance = facts.weights.values(node.param("moving_variance"))
        gamma = facts.weights.values(node.param("gamma"))
        epsilon = attr(node, "epsilon")
        if variance is None or not np.isfinite(variance).all() or not isinstance(epsilon, float):
            continue
        gains = np.ones_like(variance) if gamma is None else np.abs(gamma)
        bad = (variance <= limit) & (gains > 0)
        if bad.any():
            with np.errstate(divide="ignore", invalid="ignore"):
                factors = np.nan_to_num((gains / np.sqrt(variance + epsilon))[bad])
            values = {
                "count": int(bad.sum()),
                "channels": int(variance.size),
                "lowest": float(variance.min()),
                "epsilon": epsilon,
                "gain": float(factors.max()),
                "broken": int((variance + epsilon <= 0).sum()),
            }
            yield Match({"norm": node}, values)


@check(nodes=_LAYER, values={"count": "weights beyond", "peak": "the largest magnitude", "role": "its param"})
def beyond_half(facts: Facts, limit: float = 65504.0) -> Iterator[Match | Unsure]:
    """Layers with weights whose magnitude is above ``limit``, the largest float16."""
    if facts.weights is None:
        return
    for node, params in _owned(facts):
        found = [(stats.peak, param) for param in params if (stats := facts.weights.stats(param)) is not None]
        peak, worst = max(found, key=lambda row: row[0], default=(0.0, None))
        if worst is None or peak <= limit:
            continue
        values = facts.weights.values(worst)
        count = 0 if values is None else int((abs(values) > limit).sum())
        yield Match({"layer": node}, {"count": count, "peak": peak, "role": worst.role})


@check(
    nodes=_LAYER,
    values={"initial": "layers as they were initialized", "judged": "layers judged"},
)
def initial_layers(facts: Facts) -> Iterator[Match | Unsure]:
    """Layers that still hold what an initializer drew, in models where others have learned."""
    if facts.weights is None:
        return
    initial, judged = facts.weights.initial_share
    for node in facts.weights.layers() if 0 < initial < judged and facts.weights.has_learned else ():
        if facts.weights.is_initial(node):
            yield Match({"layer": node}, {"initial": initial, "judged": judged})


@check(values={"layers": "layers that could be judged"})
def initial_models(facts: Facts) -> Iterator[Match | Unsure]:
    """Models of which every layer that can be judged still holds what an initializer drew."""
    initial, judged = facts.weights.initial_share if facts.weights is not None else (0, 0)
    if facts.weights is not None and judged and initial == judged and not facts.weights.has_learned:
        yield Match({}, {"layers": judged})


@check(nodes={"norm": "the batch normalization"}, values={"channels": "channels that it has"})
def untouched_statistics(facts: Facts) -> Iterator[Match | Unsure]:
    """Batch normalizations with mean 0 and variance 1 in every channel, in models that were trained.

    Their own gain or offset, if they have one, has to have moved: one that was frozen from the start has not.
    """
    if facts.weights is None:
        return
    for node in facts.graph.nodes if facts.weights.has_learned else ():
        mean = facts.weights.stats(node.param("moving_mean"))
        variance = facts.weights.stats(node.param("moving_variance"))
        if node.op != "BatchNormalization" or mean is None or variance is None or mean.nans + variance.nans:
            continue
        own = [facts.weights.stats(node.param(role)) for role in ("gamma", "beta")]
        moved = [stats.low != stats.high for stats in own if stats is not None]
        if mean.peak == 0 and variance.low == variance.high == 1 and (any(moved) or not moved):
            yield Match({"norm": node}, {"channels": mean.size})


@check(
    nodes=_LAYER,
    values={
        "rank": "singular values that hold the energy",
        "exact_rank": "singular values above 1e-6 of the largest",
        "full": "rank that its shape allows",
        "params": "weights in its kernel",
        "merged": "weights of two layers with that rank",
    },
)
def low_rank(
    facts: Facts, energy: float = 0.99, saving: float = 0.5, least: int = 256, most: int = 1024
) -> Iterator[Match | Unsure]:
    """Dense layers and 1×1 convolutions, ``least`` to ``most`` on the short side, by singular values.

    Given are those that two layers of lower rank replace with ``saving`` of the weights saved.
    """
    if facts.weights is None:
        return
    for node in facts.weights.layers():
        kernel = node.param("kernel")
        shape = [dim for dim in (kernel.shape or () if kernel else ()) if isinstance(dim, int) and dim > 1]
        if len(shape) != 2 or not least <= min(shape) <= most or facts.weights.is_initial(node):
            continue
        found = facts.weights.ranks(node, energy, (1 - saving) * shape[0] * shape[1] / sum(shape))
        if found is not None:
            needed, exact = found
            values = {"rank": needed, "exact_rank": exact, "full": min(shape)}
            sizes = {"params": shape[0] * shape[1], "merged": needed * sum(shape)}
            yield Match({"layer": node}, {**values, **sizes})


@check(
    nodes=_LAYER,
    values={
        "role": "the param",
        "expected": "the shape that the architecture asks for",
        "found": "the shape that is stored, or none",
        "count": "params of the layer that do not fit",
        "missing": "whether the file holds no such tensor",
    },
)
def mismatches(facts: Facts) -> Iterator[Match | Unsure]:
    """Layers whose stored weights are not of the shapes that the architecture asks for."""
    if facts.weights is None:
        return
    wrong = {row.param: row for row in facts.weights.mismatches}
    for node, params in _owned(facts):
        rows = [(param, wrong[param.name]) for param in params if param.name in wrong]
        if rows:
            param, row = rows[0]
            values = {"role": param.role, "expected": row.expected, "found": row.found, "count": len(rows)}
            yield Match({"layer": node}, {**values, "missing": row.found is None})


def _owned(facts: Facts) -> Iterator[tuple[Node, tuple[Param, ...]]]:
    """The nodes with weights of their own, and those of their params that no earlier node has."""
    seen: set[str] = set()
    for node in facts.graph.nodes:
        mine = (
            tuple(param for param in node.params if param.name not in seen) if node.op != "Constant" else ()
        )
        seen.update(param.name for param in mine)
        if mine:
            yield node, mine


def _is_blank(weights: WeightFacts) -> bool:
    """Whether there are several layers, and all their kernels are zero."""
    found = [weights.stats(node.param("kernel")) for node in weights.layers()]
    return len(found) > 1 and all(stats is not None and stats.zeros == stats.size for stats in found)


def is_fixed(node: Node) -> bool:
    """Whether a kernel is meant to stay as it is: frozen, or a filter for each channel on its own."""
    kernel = node.param("kernel")
    return kernel is None or not kernel.trainable or (node.op != "Dense" and attr(node, "groups") != 1)


def _unit_count(node: Node) -> int | None:
    count = attr(node, "units" if node.op == "Dense" else "filters")
    return count if isinstance(count, int) else None


def _is_zero_head(facts: Facts, node: Node) -> bool:
    """Whether an output is read from a layer that was told to start from zeros, and no learned layer follows.

    Its own gradient is not zero, so it leaves zero with the first step; the TensorFlow forecasting tutorial
    (https://www.tensorflow.org/tutorials/structured_data/time_series) starts all its heads so.
    """
    if node.attrs.get("kernel_init") != "zeros":
        return False
    value = node.outputs[0]
    for _ in range(8):
        user = facts.single_user(value)
        if user is None or user.param("kernel") is not None or not user.outputs:
            return user is None and value in facts.graph.outputs
        value = user.outputs[0]
    return False


def _is_added(facts: Facts, node: Node) -> bool:
    """Whether what a node gives is, after norms and the like, added to or multiplied with something else."""
    value = node.outputs[0]
    for _ in range(8):
        user = facts.single_user(value)
        if user is None or user.op in ("Add", "Sub", "Mul", "Sum", "Concat"):
            return user is not None
        if not (has_trait(user, "norm") or has_trait(user, "random") or has_trait(user, "elementwise")):
            return False
        value = user.outputs[0]
    return False
