"""Rows gathered from a stored matrix are an embedding.

before: ``Gather(table[V, D], ids) axis=0``; after: ``Embedding(ids) input_dim=V output_dim=D | embeddings``
"""

from __future__ import annotations

from dataclasses import replace

from archlint.formats.onnx.lift.bench import Bench
from archlint.formats.onnx.lift.weights import param_of


def lift(bench: Bench) -> None:
    """Lifts Gather nodes that pick rows of a stored matrix of floats by computed numbers."""
    for node in bench.nodes("Gather"):
        held = bench.held(node.inputs[0])
        if held is None or held.shape is None or len(held.shape) != 2 or node.attrs.get("axis", 0) != 0:
            continue
        rows, columns = held.shape
        if not (held.param.dtype or "").endswith(("float32", "float16", "float64")) or held.transposed:
            continue
        if not isinstance(rows, int) or not isinstance(columns, int):
            continue
        params = (param_of(held, "embeddings"),)
        attrs = {"input_dim": rows, "output_dim": columns}
        bench.replace(node, replace(node, op="Embedding", inputs=node.inputs[1:], attrs=attrs, params=params))
