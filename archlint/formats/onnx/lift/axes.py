"""Axes that old opsets count from the front, once the number of axes is known.

before (opset < 13): ``Softmax(x[N,10]) flatten_from=1``; after: ``Softmax(x)``
before: ``LayerNormalization(x[N,T,D]) axis=2``; after: ``LayerNormalization(x) axes=(-1,)``
"""

from __future__ import annotations

from dataclasses import replace

from archlint.formats.onnx.lift.bench import Bench


def lift(bench: Bench) -> None:
    """Lifts softmax kinds that flatten nothing, and normalisations that say only where they begin."""
    for node in bench.nodes("Softmax", "LogSoftmax", "Hardmax"):
        start, rank = node.attrs.get("flatten_from"), bench.rank(node.inputs[0])
        if isinstance(start, int) and rank is not None and start % max(rank, 1) == rank - 1:
            bench.replace(node, replace(node, attrs={"axis": -1}))
    for node in bench.nodes("LayerNormalization", "RMSNormalization"):
        start, rank = node.attrs.get("axis"), bench.rank(node.inputs[0])
        if isinstance(start, int) and rank is not None and start < rank:
            attrs = {key: value for key, value in node.attrs.items() if key != "axis"}
            bench.replace(node, replace(node, attrs={**attrs, "axes": tuple(range(start - rank, 0))}))
