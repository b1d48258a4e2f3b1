"""What changes nothing at inference but would in training: norms folded away, dropout left out.

A batch norm at inference is gain · x + offset with s = γ/√(σ² + ε), t = β − μ·s. Behind a layer that is
K' = K·s along the axis of its outputs and b' = b·s + t, whatever its padding. Two in a row are one with
γ = γ₁·s₂, β = s₂·β₁ + t₂ over the first one's μ and σ².
Source: Jacob et al. 2018, https://arxiv.org/abs/1712.05877, section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from archlint.checks import Match
from archlint.checks.graph_noops import idle_at_inference
from archlint.fixes import PatchError, rewrite
from archlint.fixes.affine import ROLES, affine_of
from archlint.fixes.maps import only_reader
from archlint.fixes.stored import Names, computed, is_onnx, kernel_of, own_params
from archlint.fixes.wiring import instead
from archlint.graph import Array, Attr, Edit, Made, Node, Param, Splice
from archlint.ops import attr

if TYPE_CHECKING:
    from archlint.facts import Facts


@rewrite(nodes={"layer": "the layer", "norm": "the batch norm that alone reads it"}, inference=True)
def into_layer(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """The layer with the norm in its weights, under the name of the layer; its value is the norm's."""
    layer, norm = nodes["layer"], nodes["norm"]
    kernel, bias = kernel_of(facts, layer)
    affine = affine_of(facts, norm)
    units = attr(layer, "units" if layer.op == "Dense" else "filters")
    if not isinstance(units, int) or kernel.shape is None:
        raise PatchError(f"the units of '{layer.name}' are not known")
    if only_reader(facts.graph, layer.outputs[0]) is not norm or affine.params[0].size != units:
        raise PatchError(f"'{norm.name}' does not read the channels of '{layer.name}' alone")
    names = Names(facts.graph)
    onnx = is_onnx(facts.graph)
    place = replace(layer, outputs=norm.outputs) if onnx else layer
    new = names.param(place, "kernel", kernel.shape, kernel)
    offset = names.param(place, "bias", (units,), bias or kernel)
    spread = _spread(layer, kernel, onnx)

    def scaled(stored: Array, *rest: Array) -> Array:
        gain, _ = affine.gain_and_offset(*rest)
        found: Array = stored * gain.reshape(spread)
        return found

    def shifted(*arrays: Array) -> Array:
        own, rest = (arrays[0].reshape(-1), arrays[1:]) if bias is not None else (None, arrays)
        gain, shift = affine.gain_and_offset(*rest)
        return shift if own is None else own * gain + shift

    tensors: dict[str, Made] = {
        new.name: computed(new, (kernel, *affine.params), scaled),
        offset.name: computed(offset, (*(() if bias is None else (bias,)), *affine.params), shifted),
    }
    attrs = {key: item for key, item in layer.attrs.items() if key != "use_bias"}
    added = replace(place, attrs=attrs, params=(new, offset))
    if onnx:
        return (Splice(frozenset({layer.name, norm.name}), (added,), tensors=tensors),)
    edit = instead(facts.graph, [norm], {norm.outputs[0]: layer.outputs[0]})
    return (replace(edit, removed=edit.removed | {layer.name}, added=(added,), tensors=tensors),)


def _spread(layer: Node, kernel: Param, onnx: bool) -> tuple[int, ...]:
    """The shape by which one number per output channel meets a kernel."""
    rank = len(kernel.shape or ())
    groups = 1 if layer.op == "Dense" else attr(layer, "groups")
    if layer.op == "Dense":
        return (-1, 1) if layer.attrs.get("kernel_transposed") else (1, -1)
    if layer.op == "ConvTranspose":
        if groups != 1:
            raise PatchError(f"'{layer.name}' is a grouped transposed convolution")
        return (1, -1, *(1,) * (rank - 2)) if onnx else (*(1,) * (rank - 2), -1, 1)
    if layer.op != "Conv":
        raise PatchError(f"'{layer.name}' is no layer that a norm is folded into")
    if onnx:
        return (-1, *(1,) * (rank - 1))
    last = (kernel.shape or (1,))[-1]
    if attr(layer, "filters") == last:
        return (*(1,) * (rank - 1), -1)
    if not isinstance(last, int):
        raise PatchError(f"the kernel of '{layer.name}' is not known")
    return (*(1,) * (rank - 2), -1, last)


@rewrite(nodes={"first": "a batch norm", "second": "the one that alone reads it"}, inference=True)
def norms(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """One norm with the statistics of the first, under the name of the second."""
    first, second = nodes["first"], nodes["second"]
    one, two = affine_of(facts, first), affine_of(facts, second)
    alike = ("channel_axis", "training", "folded")
    if only_reader(facts.graph, first.outputs[0]) is not second:
        raise PatchError(f"more than '{second.name}' reads '{first.name}'")
    if any(attr(first, key) != attr(second, key) for key in alike):
        raise PatchError(f"'{first.name}' and '{second.name}' do not work on the same axis in the same way")
    names = Names(facts.graph)
    size = one.params[0].shape
    held = {param.role: param for param in (*first.params, *second.params)}
    params: dict[str, Param] = {}
    tensors: dict[str, Made] = {}
    split = len(one.params)

    def gain(*arrays: Array) -> Array:
        own = dict(zip((param.role for param in one.params), arrays[:split], strict=True))
        later, _ = two.gain_and_offset(*arrays[split:])
        return own["gamma"].reshape(-1) * later if "gamma" in own else later

    def shift(*arrays: Array) -> Array:
        own = dict(zip((param.role for param in one.params), arrays[:split], strict=True))
        later, offset = two.gain_and_offset(*arrays[split:])
        return own["beta"].reshape(-1) * later + offset if "beta" in own else offset

    for role, compute in (("gamma", gain), ("beta", shift)):
        like = held.get(role) or replace(one.params[0], role=role, trainable=True)
        params[role] = names.param(second, role, size, like)
        tensors[params[role].name] = computed(params[role], (*one.params, *two.params), compute)
    own = own_params(facts, first, *ROLES)
    for role in () if attr(first, "folded") else ("moving_mean", "moving_variance"):
        params[role] = names.param(second, role, size, own[role])
        tensors[params[role].name] = computed(params[role], (own[role],), lambda stored: stored)
    dropped = ("epsilon", "momentum", "center", "scale")
    attrs = {key: item for key, item in second.attrs.items() if key not in dropped}
    attrs |= {key: first.attrs[key] for key in ("epsilon", "momentum") if key in first.attrs}
    added = replace(second, inputs=first.inputs, attrs=attrs, params=tuple(params.values()))
    return (Splice(frozenset({first.name, second.name}), (added,), tensors=tensors),)


@rewrite(nodes={"node": "a node that acts only in training"}, inference=True)
def idle(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """Takes out a layer that acts only in training, at all places where it is called."""
    address = nodes["node"].origin.address
    found = {match.nodes["node"].name for match in idle_at_inference(facts) if isinstance(match, Match)}
    calls = [
        one
        for one in facts.graph.nodes
        if one is nodes["node"] or (address and one.origin.address == address)
    ]
    other = next((one for one in calls if one.name not in found), None)
    if other is not None:
        raise PatchError(f"'{other.name}' is of the same layer, and is not known to change nothing")
    moved: dict[str, str] = {}
    for (
        node
    ) in calls:  # in the order of the graph, so that a call that reads another one's value looks through it
        moved[node.outputs[0]] = moved.get(node.inputs[0], node.inputs[0])
    return (instead(facts.graph, calls, moved),)
