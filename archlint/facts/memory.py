"""Bytes of activations, and how many of them live at the same time."""

from __future__ import annotations

from collections.abc import Sequence

from archlint.dataclass import dataclass
from archlint.facts.basis import Basis
from archlint.graph import Node
from archlint.ops import Tensor, has_trait
from archlint.ops.dims import per_sample

_BYTES = {
    "float64": 8,
    "int64": 8,
    "uint64": 8,
    "complex64": 8,
    "complex128": 16,
    "float32": 4,
    "int32": 4,
    "uint32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int16": 2,
    "uint16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}

_SAME_MEMORY = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze"})


@dataclass(frozen=True, slots=True)
class Peak:
    """Most bytes of activations that live at once, and the node that runs then."""

    size_bytes: int
    node: Node


def tensor_bytes(tensor: Tensor) -> int | None:
    """Bytes of one sample of a tensor; None when its type or a length is not known."""
    elements = 1 if tensor.shape == () else per_sample(tensor.shape)
    width = _BYTES.get(tensor.dtype or "")
    if width is None and tensor.dtype is not None and tensor.dtype.startswith("float8"):
        width = 1
    return None if elements is None or width is None else elements * width


def activation_peak(basis: Basis) -> Peak | None:
    """The peak over the nodes in order, batch of one; None when the bytes of some activation are not known.

    A value lives from the node that makes it to the last one that reads it, graph outputs to the end.
    Reshapes, and layers that do nothing at inference, share the memory of their input. A node that treats
    elements one by one, or scales channels, writes over an input of its size that nothing reads after it.
    Constants are weights, not activations.

    Source for writing over inputs: kernels that declare ``MayInplace`` in ONNX Runtime, and
    ``forward_input_or_allocate_output`` in TensorFlow; both fold a batch norm into the convolution before it.
    The inputs of the model stay: they belong to the caller.
    """
    memory = _Memory.of(basis)
    if any(size is None for size in memory.sizes.values()):
        return None
    given = [name for name, _ in basis.graph.inputs]
    live = sum(memory.sizes[name] or 0 for name in given if name in memory.last)
    kept = set(given)
    peak: Peak | None = None
    for place, node in enumerate(basis.graph.nodes):
        freed = memory.ends.get(place, [])
        made = [value for value in node.outputs if memory.root.get(value) == value]
        over = _written_over(node, memory, [value for value in freed if value not in kept]) if made else None
        live += sum(memory.sizes[value] or 0 for value in (made[1:] if over else made))
        if peak is None or live > peak.size_bytes:
            peak = Peak(live, node)
        live -= sum(memory.sizes[value] or 0 for value in freed if value != over)
    return peak


@dataclass(frozen=True, slots=True)
class _Memory:
    """Per value the one whose memory it shares; of those their bytes and the place of their last reader."""

    root: dict[str, str]
    last: dict[str, int]
    sizes: dict[str, int | None]
    ends: dict[int, list[str]]

    @staticmethod
    def of(basis: Basis) -> _Memory:
        graph = basis.graph
        root: dict[str, str] = {name: name for name, _ in graph.inputs}
        last: dict[str, int] = {}
        for place, node in enumerate(graph.nodes):
            for value in (*node.inputs, *(name for _, body in node.bodies for name in body.captures)):
                if value in root:
                    last[root[value]] = place
            shared = _shares_memory(node) and node.inputs and node.inputs[0] in root
            for position, value in enumerate(node.outputs):
                if value and not has_trait(node, "constant"):
                    root[value] = root[node.inputs[0]] if shared and position == 0 else value
                    last[root[value]] = place
        for value in graph.outputs:
            if value in root:
                last[root[value]] = len(graph.nodes)
        ends: dict[int, list[str]] = {}
        for value, place in last.items():
            ends.setdefault(place, []).append(value)
        return _Memory(root, last, {value: tensor_bytes(basis.tensor(value)) for value in last}, ends)


def _shares_memory(node: Node) -> bool:
    return node.op in _SAME_MEMORY or has_trait(node, "transparent") or has_trait(node, "random")


def _written_over(node: Node, memory: _Memory, freed: Sequence[str]) -> str | None:
    """The value whose memory the first output of a node takes; None when it needs its own."""
    if not has_trait(node, "elementwise") and not has_trait(node, "affine"):
        return None
    read = {memory.root.get(value) for value in node.inputs}
    size = memory.sizes.get(node.outputs[0])
    return next((value for value in freed if value in read and memory.sizes[value] == size), None)
