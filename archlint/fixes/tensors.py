"""Stored tensors that are changed, or left out, where no number that the model gives depends on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from archlint.fixes import PatchError, rewrite
from archlint.fixes.stored import FLOATS, Names, is_onnx, own_params
from archlint.graph import OVERRIDABLE, Array, Attr, Edit, Made, Node, Param, Seal, Splice

if TYPE_CHECKING:
    from archlint.facts import Facts


@rewrite(nodes={"layer": "a layer with denormal weights"})
def no_denormals(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """w ↦ 0 where 0 < |w| < the smallest normal number of its type (1.18e-38 for float32).

    An output changes by less than inputs · 1.2e-38 · the largest of what is read: nothing that is rounded to
    float32 shows it, but processors take up to a hundred times longer for such numbers.
    Source: https://onnxruntime.ai/docs/performance/tune-performance/troubleshooting.html (denormals).
    """
    layer = nodes["layer"]
    params = own_params(facts, layer, *(param.role for param in layer.params))
    names = Names(facts.graph)
    tensors: dict[str, Made] = {}
    changed: list[Param] = []
    for role, param in params.items():
        # In Keras this is the name that the param has already.
        new = names.param(layer, role, param.shape, param)
        tensors[new.name] = Made((param.name,), _normal)
        changed.append(new)
    added = replace(layer, params=tuple(changed))
    return (Splice(frozenset({layer.name}), (added,), tensors=tensors),)


def _normal(stored: Array) -> Array:
    import numpy as np

    return np.where(np.abs(stored) < np.finfo(stored.dtype).tiny, stored.dtype.type(0), stored)


@rewrite()
def one_copy(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """Every node that reads a tensor that is byte for byte another one reads that other one.

    In a Keras file each layer keeps its own weights, which train apart; there nothing is joined.
    """
    if not is_onnx(facts.graph) or facts.weights is None:
        raise PatchError("each layer of a Keras file keeps weights of its own")
    seen: dict[object, Param] = {}
    instead: dict[str, Param] = {}
    for node in facts.graph.nodes:
        for param in node.params if node.op != "Constant" else ():
            if param.name in instead or param.dtype not in FLOATS or (param.size or 0) < 2:
                continue
            contents = facts.weights.values(param)
            if contents is not None:
                digest = blake2b(contents.tobytes(), digest_size=32).digest()
                first = seen.setdefault((param.dtype, param.shape, digest), param)
                instead[param.name] = first
    added = tuple(
        replace(node, params=tuple(_as(param, instead) for param in node.params))
        for node in facts.graph.nodes
        if any(instead.get(param.name, param).name != param.name for param in node.params)
    )
    if not added:
        raise PatchError("no node reads a copy of another node's weights")
    return (Splice(frozenset(node.name for node in added), added),)


def _as(param: Param, instead: Mapping[str, Param]) -> Param:
    return replace(param, name=instead.get(param.name, param).name)


@rewrite()
def sealed(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """Stored weights are no inputs any more; a caller who gives none gets what it got.

    Source: https://github.com/onnx/onnx/blob/main/docs/IR.md (an initializer of an input is its default).
    """
    if not facts.graph.metadata.get(OVERRIDABLE):
        raise PatchError(
            "no stored weight is an input that may be left out; before IR version 4 all have to be"
        )
    return (Seal(),)
