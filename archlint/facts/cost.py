"""Multiply-accumulates for a batch of one.

The ops count one for the first axis, as it is the batch. Where a model folds other axes into it (heads in
(N · heads, T, T), windows in (N · windows, 49, C)) or puts time there, its length for a batch of one is what
remains to be multiplied.
"""

from __future__ import annotations

from dataclasses import replace

from archlint.facts.basis import Basis
from archlint.graph import Dim, Node, TensorType
from archlint.ops import has_trait, inference, macs_of
from archlint.ops.dims import axis_of


def batch_of_one(basis: Basis) -> Basis:
    """The same graph for a batch of one, when some node may fold other axes into the batch.

    A batch of fixed length stays as it is; it is divided out.
    """
    graph = basis.graph
    folds = any(
        node.bodies or (has_trait(node, "reshaping") and node.op != "Flatten") for node in graph.nodes
    )
    open_inputs = any(type_.shape and not isinstance(type_.shape[0], int) for _, type_ in graph.inputs)
    if not folds or not open_inputs:
        return basis
    single = replace(graph, inputs=tuple((name, _single(type_)) for name, type_ in graph.inputs))
    return Basis(single, inference(single))


def _single(type_: TensorType) -> TensorType:
    if not type_.shape or isinstance(type_.shape[0], int):
        return type_
    return TensorType(type_.dtype, (1, *type_.shape[1:]))


def _folded(basis: Basis, node: Node) -> Dim:
    """What the batch axis of a node holds besides the batch; None when that is not known."""
    tensors = basis.ins(node) if has_trait(node, "recurrent") else basis.outs(node)
    place = 1 if has_trait(node, "recurrent") and node.attrs.get("time_axis") == 0 else 0
    shape = tensors[0].shape if tensors else None
    if shape is None or len(shape) <= place:
        return 1
    first = shape[place]
    batches = {type_.shape[0] for _, type_ in basis.graph.inputs if type_.shape and len(type_.shape) > 1}
    if any(not isinstance(batch, int) for batch in batches):
        return 1
    batch = batches.pop() if len(batches) == 1 else 1
    if not isinstance(first, int) or not isinstance(batch, int) or batch < 1:
        return 1 if isinstance(first, str) else None
    return max(first // batch, 1)


def node_macs(basis: Basis, node: Node) -> int | None:
    """Multiply-accumulates of one node, its bodies included; None when not known.

    A body of If counts its dearest branch; one of Loop or Scan once per step.
    """
    if not node.bodies:
        macs = macs_of(node, basis.ins(node), basis.outs(node))
        return _times(macs, _folded(basis, node)) if macs else macs
    inner = [total_macs(basis.body(node, label))[1] for label, _ in node.bodies]
    known = [macs for macs in inner if macs is not None]
    if len(known) < len(inner):
        return None
    most = max(known, default=0)
    if most == 0 or node.op == "If":
        return most
    steps = _steps(basis, node)
    return None if steps is None else most * steps


def _times(macs: int, folded: Dim) -> int | None:
    return macs * folded if isinstance(folded, int) else None


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
