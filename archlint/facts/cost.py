"""Multiply-accumulates for a batch of one."""

from __future__ import annotations

from archlint.facts.basis import Basis
from archlint.graph import Node
from archlint.ops import macs_of
from archlint.ops.dims import axis_of


def node_macs(basis: Basis, node: Node) -> int | None:
    """Multiply-accumulates of one node, its bodies included; None when not known.

    A body of If counts its dearest branch; one of Loop or Scan once per step.
    """
    if not node.bodies:
        return macs_of(node, basis.ins(node), basis.outs(node))
    inner = [total_macs(basis.body(node, label))[1] for label, _ in node.bodies]
    known = [macs for macs in inner if macs is not None]
    if len(known) < len(inner):
        return None
    most = max(known, default=0)
    if most == 0 or node.op == "If":
        return most
    steps = _steps(basis, node)
    return None if steps is None else most * steps


def _steps(basis: Basis, node: Node) -> int | None:
    """How often the body of a Loop or Scan runs; None when data decides."""
    ins = basis.ins(node)
    if node.op == "Loop":
        count = ins[0].value[0] if ins and ins[0].value else None
        stops = len(node.inputs) > 1 and node.inputs[1] != "" and ins[1].value != (True,)
        return count if isinstance(count, int) and not stops else None
    scanned = node.attrs.get("num_scan_inputs")
    if node.op != "Scan" or not isinstance(scanned, int) or not 0 < scanned <= len(ins):
        return None
    axes = node.attrs.get("scan_input_axes")
    first = axes[0] if isinstance(axes, tuple) and axes and isinstance(axes[0], int) else 0
    shape = ins[len(ins) - scanned].shape
    place = None if shape is None else axis_of(first, len(shape))
    steps = shape[place] if shape is not None and place is not None else None
    return steps if isinstance(steps, int) else None


def total_macs(basis: Basis) -> tuple[int, int | None]:
    """(sum of what is known, the sum when all of it is known else None)."""
    known, exact = 0, True
    for node in basis.graph.nodes:
        macs = node_macs(basis, node)
        known += macs or 0
        exact = exact and macs is not None
    return known, known if exact else None
