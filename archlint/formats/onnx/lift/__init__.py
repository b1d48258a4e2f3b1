"""Idioms of exporters, each said in one node of the catalogue: a small pass per idiom, each linear."""

from __future__ import annotations

from collections.abc import Mapping

from archlint.formats.onnx.lift import (
    activations,
    attention,
    axes,
    batch_norm,
    dense,
    einsum,
    embedding,
    gelu,
    global_pool,
    layer_norm,
    masks,
    reshape,
    rms_norm,
    settings,
    weights,
)
from archlint.formats.onnx.lift.bench import Bench
from archlint.formats.onnx.lift.finish import finish
from archlint.formats.onnx.lift.survey import stored_transposes, taken_away
from archlint.graph import TensorType

_PASSES = (
    settings.lift,
    weights.lift,
    axes.lift,
    layer_norm.lift,
    rms_norm.lift,
    global_pool.lift,
    reshape.lift,
    activations.lift,
    gelu.lift,
    dense.lift,
    batch_norm.lift,
    einsum.lift,
    masks.lift,
    attention.lift,
    embedding.lift,
)
"""In this order; each sees what those before it have made."""


def run_all(bench: Bench, declared: Mapping[str, TensorType]) -> tuple[str, ...]:
    """Lifts every idiom; shapes are worked out once, on the graph as the file has it.

    Returns the names of the transposes of stored tensors that became part of how weights are read.
    """
    from archlint.ops import infer

    settings.lift(bench)
    bench.tensors = infer(bench.with_named_dims(declared))
    transposes = stored_transposes(bench)
    for lift in _PASSES:
        lift(bench)
    finish(bench)
    return taken_away(bench, transposes)
