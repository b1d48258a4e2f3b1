"""ONNX Runtime's fused operators, said in ONNX's own: a call becomes the steps that it stands for.

before: ``y = com.microsoft.SkipLayerNormalization(x, skip, gamma, beta)``
after: ``s = Add(x, skip)``, ``y = LayerNormalization(s, gamma, beta)``

A call that a recipe cannot say stays as it is, and is Unknown. Source of inputs, outputs and attributes:
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

from dataclasses import replace

from archlint.formats.onnx.contrib.fused import FUSED
from archlint.formats.onnx.contrib.quantized import QUANTIZED
from archlint.formats.onnx.contrib.steps import Steps
from archlint.formats.onnx.records import RawGraph, RawNode

DOMAIN = "com.microsoft"
_RECIPES = {**FUSED, **QUANTIZED}


def expanded(graph: RawGraph) -> RawGraph:
    """The graph, bodies included, with every call that has a recipe in ONNX's own operators."""
    if not any(_may_change(node) for node in graph.nodes):
        return graph
    ranks = {item.name: len(item.shape) for item in graph.initializers}
    nodes: list[RawNode] = []
    for node in graph.nodes:
        recipe = _RECIPES.get(node.op) if node.domain == DOMAIN or (node.domain, node.op) in _PLAIN else None
        steps = Steps(node, ranks)
        done = recipe is not None and recipe(steps) and steps.is_whole
        nodes.extend(steps.made if done else [_with_bodies(node)])
    return replace(graph, nodes=nodes)


_PLAIN = {("", "SimplifiedLayerNormalization")}
"""What ONNX Runtime writes as if it were ONNX's own."""


def _may_change(node: RawNode) -> bool:
    return (
        node.domain == DOMAIN
        or (node.domain, node.op) in _PLAIN
        or any(isinstance(value, RawGraph) for value in node.attrs.values())
    )


def _with_bodies(node: RawNode) -> RawNode:
    bodies = {key: expanded(value) for key, value in node.attrs.items() if isinstance(value, RawGraph)}
    return replace(node, attrs={**node.attrs, **bodies}) if bodies else node
