"""A bias directly before a normalization of each channel cancels.

y = γ·(Wx + b − μ)/√(σ² + ε) + β is the same with μ' = μ − b and no b. In training the batch's mean holds b
and takes it out again, and the moving mean goes on from μ'. An exporter's folded norm γ·(Wx + b) + β becomes
γ·Wx + β' with β' = β + γ·b. InstanceNormalization takes its mean from the map itself: b just goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from archlint.fixes import PatchError, rewrite
from archlint.fixes.affine import ROLES
from archlint.fixes.maps import only_reader
from archlint.fixes.stored import Names, computed, own_params
from archlint.graph import Array, Attr, Edit, Node, Splice
from archlint.ops import attr

if TYPE_CHECKING:
    from archlint.facts import Facts


@rewrite(nodes={"layer": "the layer with the bias", "norm": "the norm behind it"})
def before_norm(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """The bias goes; the moving mean, or the offset of a folded norm, takes it up."""
    layer, norm = nodes["layer"], nodes["norm"]
    bias = own_params(facts, layer, "kernel", "bias").get("bias")
    if bias is None or only_reader(facts.graph, layer.outputs[0]) is not norm:
        raise PatchError(f"'{layer.name}' has no bias of its own, or more than '{norm.name}' reads it")
    bare = replace(
        layer,
        attrs={**layer.attrs, "use_bias": False},
        params=tuple(param for param in layer.params if param.role != "bias"),
    )
    if norm.op == "InstanceNormalization":
        return (Splice(frozenset({layer.name}), (bare,)),)
    if norm.op != "BatchNormalization":
        raise PatchError(f"'{norm.name}' takes its mean over more than one channel")
    params = own_params(facts, norm, *ROLES)
    role = "beta" if attr(norm, "folded") else "moving_mean"
    if role not in params or params[role].size != bias.size:
        raise PatchError(f"'{norm.name}' has no {role.replace('_', ' ')} to take up the bias")
    old = params[role]
    new = Names(facts.graph).param(norm, role, old.shape, old)
    gamma = params.get("gamma") if role == "beta" else None
    sources = (old, bias) if gamma is None else (old, bias, gamma)
    made = computed(new, sources, _shifted if role == "beta" else _lowered)
    absorbing = replace(norm, params=tuple(new if one.role == role else one for one in norm.params))
    return (Splice(frozenset({layer.name, norm.name}), (bare, absorbing), tensors={new.name: made}),)


def _lowered(mean: Array, bias: Array) -> Array:
    found: Array = mean - bias.reshape(mean.shape)
    return found


def _shifted(beta: Array, bias: Array, gamma: Array | None = None) -> Array:
    gained: Array = bias.reshape(-1) if gamma is None else gamma.reshape(-1) * bias.reshape(-1)
    found: Array = beta + gained.reshape(beta.shape)
    return found
