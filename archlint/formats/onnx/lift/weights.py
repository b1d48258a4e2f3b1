"""Stored inputs of learning ops become params.

before: ``Conv(x, w, b)``
after: ``Conv(x) filters=64 kernel=(3,3) | kernel float32[64,3,3,3], bias float32[64]``
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from archlint.formats.onnx.lift.bench import Bench, Held
from archlint.formats.onnx.normal import row_of
from archlint.graph import Attr, Node, Param, Shape

_FROZEN = frozenset({"moving_mean", "moving_variance"})


def lift(bench: Bench) -> None:
    """Takes the weights of every node that has them stored; all of a node's, or none."""
    for node in bench.nodes():
        roles = row_of(node.origin.native).weights
        if not roles or node.op == "Unknown":
            continue
        held = {role: bench.held(node.inputs[at]) for at, role in roles.items() if _has(node, at)}
        attrs = {**node.attrs, **_switches(node, held.keys())}
        params = [param_of(item, role) for role, item in held.items() if item is not None]
        if len(params) < len(held):
            bench.replace(node, replace(node, attrs={**attrs, **_sizes(node, bench.shape(node.inputs[1]))}))
            continue
        kernel = held.get("kernel")
        attrs.update(_sizes(node, kernel.shape if kernel else None))
        inputs = [value for at, value in enumerate(node.inputs) if at not in roles]
        while inputs and not inputs[-1]:
            inputs.pop()
        bench.replace(node, replace(node, inputs=tuple(inputs), attrs=attrs, params=tuple(params)))


def param_of(held: Held, role: str) -> Param:
    """The stored tensor in a role; running statistics are not trained."""
    return replace(held.param, role=role, value=None, trainable=role not in _FROZEN)


def _has(node: Node, at: int) -> bool:
    return at < len(node.inputs) and node.inputs[at] != ""


def _switches(node: Node, present: Collection[str]) -> dict[str, Attr]:
    if node.op in ("Conv", "ConvTranspose"):
        return {"use_bias": "bias" in present}
    if node.op == "LayerNormalization":
        return {"center": "beta" in present}
    return {}


def _sizes(node: Node, kernel: Shape) -> dict[str, Attr]:
    """Filters and window, from a kernel (M, C/groups, k…) or, transposed, (C, M/groups, k…)."""
    if node.op not in ("Conv", "ConvTranspose") or kernel is None or len(kernel) < 3:
        return {}
    groups = node.attrs.get("groups", 1)
    filters = kernel[0] if node.op == "Conv" else kernel[1]
    if node.op == "ConvTranspose" and isinstance(filters, int) and isinstance(groups, int):
        filters *= groups
    window = tuple(dim for dim in kernel[2:] if isinstance(dim, int))
    found: dict[str, Attr] = {"filters": filters} if isinstance(filters, int) else {}
    return {**found, "kernel": window} if len(window) == len(kernel) - 2 else found
