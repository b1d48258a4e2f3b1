"""Idioms of exporters, each said in one node of the catalogue: one small pass per idiom, linear in the graph."""

from __future__ import annotations

from collections.abc import Mapping

from archlint.formats.onnx.lift import dense, settings, weights
from archlint.formats.onnx.lift.bench import Bench
from archlint.formats.onnx.lift.finish import finish
from archlint.graph import TensorType

_PASSES = (settings.lift, weights.lift, dense.lift)
"""In this order; each sees what those before it have made."""


def run_all(bench: Bench, declared: Mapping[str, TensorType]) -> None:
    """Lifts every idiom; shapes are worked out once, on the graph as the file has it."""
    from archlint.ops import infer

    settings.lift(bench)
    bench.tensors = infer(bench.graph("", "", declared, {}))
    for lift in _PASSES:
        lift(bench)
    finish(bench)
