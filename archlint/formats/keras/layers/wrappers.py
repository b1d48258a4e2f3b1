"""Wrappers: layers that hold another layer, and layers that change nothing an op could say."""

from __future__ import annotations

from dataclasses import replace

from archlint.formats.keras.builder import Val
from archlint.formats.keras.call import STEPWISE, Call, Translator, translate
from archlint.formats.keras.raw import Raw
from archlint.graph import Param, TensorType


def held(call: Call, inner: Raw, per_step: bool = False) -> Call:
    """The call of the layer that a wrapper holds, under the wrapper's own name."""
    layer = replace(call.layer, cls=inner["class_name"].text(), raw=inner, config=inner["config"])
    return replace(call, layer=layer, per_step=per_step or call.per_step)


def time_distributed(call: Call) -> list[Val]:
    """TimeDistributed: the node of the inner layer; ops that do not act per element say so.

    An op that needs no wrapper keeps its trace: the file calls its node a TimeDistributed.
    """
    first = len(call.builder.nodes)
    values = translate(
        held(replace(call, args=call.args[:1], kwargs={}), call.config["layer"], per_step=True)
    )
    nodes = call.builder.nodes
    for index, node in enumerate(nodes[first:], first):
        if node.op in STEPWISE:
            nodes[index] = replace(node, origin=replace(node.origin, native="TimeDistributed"))
    return values


def spectral_normalization(call: Call) -> list[Val]:
    """SpectralNormalization: the inner layer, and the vector u of its power iteration.

    Source: Miyato et al. 2018, arXiv:1802.05957; Keras keeps u as (1, last axis of the kernel), not trained.
    """
    first = len(call.builder.nodes)
    values = translate(held(call, call.config["layer"]))
    for index in range(first, len(call.builder.nodes)):
        node = call.builder.nodes[index]
        kernel = node.param("kernel") or node.param("embeddings")
        if kernel is not None:
            last = kernel.shape[-1] if kernel.shape else None
            vector = Param(f"{node.name}/vector_u", "vector_u", (1, last), kernel.dtype, trainable=False)
            call.builder.nodes[index] = replace(node, params=(*node.params, vector))
            break
    return values


def code(call: Call) -> list[Val]:
    """Lambda: Python code, which is not read; of a shape, when the file states one without the batch axis."""
    values = call.unknown()
    stated = call.config["output_shape"]
    if isinstance(stated.value, list) and stated.value and not call.per_step:
        plain = all(type(dim) is int or dim is None for dim in stated.value)
        source = call.builder.tensors[call.inputs[0]].shape if call.inputs else None
        if plain and (batch := source[:1] if source else (None,)):
            shape = stated.shape() or ()
            call.builder.declare(values[0], TensorType(None, (*batch, *shape)))
    return values


WRAPPERS: dict[str, Translator] = {
    "Lambda": code,
    "SpectralNormalization": spectral_normalization,
    "TimeDistributed": time_distributed,
}
