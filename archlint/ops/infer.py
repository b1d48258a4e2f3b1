"""Type, shape and small contents of every value of a graph, in one pass over its nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TypeVar

from archlint.dataclass import dataclass
from archlint.graph import Dim, Graph, Node, Shape, TensorType
from archlint.ops.base import UNKNOWN, Tensor, at, integer, integers
from archlint.ops.dims import agree, axis_of
from archlint.ops.table import TABLE, complete, outputs_of
from archlint.ops.values import value_of

_T = TypeVar("_T")

# Marks a dim that has no name of its own, so that it can be told apart from others while a graph is
# inferred: (batch, 7, 7, 512) flattens to (batch, 25088) although the batch is unknown.
_PRIVATE = "\0"

_TRUSTED_LOOPS = 3
"""Loops nested deeper than this get unknown states: a second try doubles the work at each level."""


@dataclass(slots=True)
class Inference:
    """What is known of a graph: its values, the insides of its control nodes, and contradictions.

    ``bodies`` maps (node name, body label) to what is known inside. ``conflicts`` are the values whose
    declared shape contradicts the inferred one: (value, inferred, declared).
    """

    tensors: dict[str, Tensor]
    bodies: dict[tuple[str, str], Inference] = field(default_factory=dict)
    conflicts: list[tuple[str, Shape, Shape]] = field(default_factory=list)


def infer(graph: Graph) -> dict[str, Tensor]:
    """Every value of the graph and of its bodies; where a name stands twice, the outer value."""
    found = inference(graph)
    flat: dict[str, Tensor] = {}
    level = [found]
    while level:
        for one in level:
            for value, tensor in one.tensors.items():
                flat.setdefault(value, tensor)
        level = [body for one in level for body in one.bodies.values()]
    return flat


def inference(graph: Graph) -> Inference:
    """What is known of every value; linear in the number of nodes.

    What the file declares fills what is unknown; where the two contradict, the inferred shape stands and
    the contradiction is kept. Unknown dims are never equal to each other in the result.
    """
    inputs = {name: _named(name, type_) for name, type_ in graph.inputs}
    found = _run(graph, inputs, {}, 0)
    _forget(found)
    return found


def _named(name: str, type_: TensorType) -> Tensor:
    if type_.shape is None:
        return Tensor(type_.dtype)
    dims = [f"{_PRIVATE}{name}:{axis}" if dim is None else dim for axis, dim in enumerate(type_.shape)]
    return Tensor(type_.dtype, tuple(dims))


def _forget(found: Inference) -> None:
    """Turn the private names into unknown again, everywhere."""
    rest = [found]
    while rest:
        one = rest.pop()
        for value, tensor in one.tensors.items():
            one.tensors[value] = Tensor(tensor.dtype, _public(tensor.shape), _public(tensor.value))
        one.conflicts[:] = [(value, _public(a), _public(b)) for value, a, b in one.conflicts]
        rest.extend(one.bodies.values())


def _public(items: tuple[_T, ...] | None) -> tuple[_T | None, ...] | None:
    if items is None:
        return None
    return tuple(None if isinstance(item, str) and item.startswith(_PRIVATE) else item for item in items)


def _run(graph: Graph, inputs: Mapping[str, Tensor], outer: Mapping[str, Tensor], depth: int) -> Inference:
    tensors: dict[str, Tensor] = {
        **{value: outer[value] for value in graph.captures if value in outer},
        **inputs,
    }
    found = Inference(tensors)
    for node in graph.nodes:
        ins = [tensors.get(value, UNKNOWN) if value else UNKNOWN for value in node.inputs]
        made = _BODIES[node.op](node, ins, found, depth) if node.op in _BODIES else _outputs(node, ins)
        for value, tensor in zip(node.outputs, made, strict=True):
            if value:
                tensors[value] = _settled(found, value, tensor, graph.declared.get(value))
    return found


def _outputs(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    made = outputs_of(node, ins)
    if not made:
        return made
    op = TABLE.get(node.op)
    value = value_of(complete(node, op), ins, made[0]) if op is not None else None
    return made if value is None else (Tensor(made[0].dtype, made[0].shape, value), *made[1:])


def _settled(found: Inference, value: str, tensor: Tensor, declared: TensorType | None) -> Tensor:
    """What stands after the declared type has filled what is unknown."""
    if declared is None:
        return tensor
    dtype = tensor.dtype or declared.dtype
    if declared.shape is None:
        return Tensor(dtype, tensor.shape, tensor.value)
    if tensor.shape is None:
        return Tensor(dtype, _named(value, declared).shape, tensor.value)
    pairs = list(zip(tensor.shape, declared.shape, strict=False))
    clash = any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in pairs)
    if clash or len(tensor.shape) != len(declared.shape):
        found.conflicts.append((value, tensor.shape, declared.shape))
        return Tensor(dtype, tensor.shape, tensor.value)
    return Tensor(dtype, tuple(_better(a, b) for a, b in pairs), tensor.value)


def _better(inferred: Dim, declared: Dim) -> Dim:
    """The number if one of them is; else the inferred name, unless it is private and the file has one."""
    if isinstance(inferred, str) and inferred.startswith(_PRIVATE) and isinstance(declared, int | str):
        # Keep following the inferred name: it may cancel further down, which the declared one cannot.
        return declared if isinstance(declared, int) else inferred
    return agree(inferred, declared)


def _merged(left: Tensor, right: Tensor) -> Tensor:
    """What holds of a value that is one or the other."""
    dtype = left.dtype if left.dtype == right.dtype else None
    shape: Shape = None
    if left.shape is not None and right.shape is not None and len(left.shape) == len(right.shape):
        shape = tuple(a if a == b else None for a, b in zip(left.shape, right.shape, strict=True))
    return Tensor(dtype, shape, left.value if left.value == right.value else None)


def _body(
    node: Node, index: int, inputs: Sequence[Tensor], found: Inference, depth: int
) -> tuple[Graph, list[Tensor]]:
    """A body and the tensors of its outputs, given the tensors of its inputs."""
    label, body = node.bodies[index]
    entries = {}
    for position, (name, type_) in enumerate(body.inputs):
        entry = at(inputs, position)
        entries[name] = (
            _settled(found, name, entry, type_) if entry.shape is not None else _named(name, type_)
        )
        if entry.dtype is not None and entries[name].dtype is None:
            entries[name] = Tensor(entry.dtype, entries[name].shape, entries[name].value)
    inside = _run(body, entries, found.tensors, depth + 1)
    found.bodies[node.name, label] = inside
    return body, [inside.tensors.get(value, found.tensors.get(value, UNKNOWN)) for value in body.outputs]


def _if(node: Node, ins: Sequence[Tensor], found: Inference, depth: int) -> Sequence[Tensor]:
    branches = [_body(node, index, (), found, depth)[1] for index in range(len(node.bodies))]
    made = []
    for position in range(len(node.outputs)):
        ways = [at(branch, position) for branch in branches]
        one = ways[0] if ways else UNKNOWN
        for way in ways[1:]:
            one = _merged(one, way)
        made.append(one)
    return made


def _states(
    node: Node, first: Sequence[Tensor], entries: Sequence[Tensor], skip: int, found: Inference, depth: int
) -> list[Tensor]:
    """Body outputs when the states keep the shapes they start with, or, if they do not, unknown ones.

    ``entries`` are the body's inputs, of which ``first`` are the states, from position ``skip`` on; the
    body's outputs begin with the states after its own first output of a Loop, the condition.
    """
    after = 1 if node.op == "Loop" else 0
    count = len(first)
    if depth < _TRUSTED_LOOPS:
        _, outs = _body(node, 0, entries, found, depth)
        kept = [_same_shape(at(outs, after + index), first[index]) for index in range(count)]
        if all(kept):
            return outs
        entries = list(entries)
        for index, same in enumerate(kept):
            if not same:
                entries[skip + index] = _merged(first[index], at(outs, after + index))
    else:
        entries = [*entries[:skip], *(Tensor(one.dtype) for one in first), *entries[skip + count :]]
    return _body(node, 0, entries, found, depth)[1]


def _same_shape(left: Tensor, right: Tensor) -> bool:
    return left.shape is not None and left.shape == right.shape


def _without_contents(tensor: Tensor) -> Tensor:
    """A state's contents change from step to step."""
    return Tensor(tensor.dtype, tensor.shape)


def _loop(node: Node, ins: Sequence[Tensor], found: Inference, depth: int) -> Sequence[Tensor]:
    """States after the last step, then one stack per scan output. Source: ONNX Loop."""
    if len(node.bodies) != 1:
        return (UNKNOWN,) * len(node.outputs)
    states = [_without_contents(tensor) for tensor in ins[2:]]
    entries = [Tensor("int64", ()), Tensor("bool", ()), *states]
    outs = _states(node, states, entries, 2, found, depth)
    trips = at(ins, 0).value
    steps: Dim = trips[0] if trips and isinstance(trips[0], int) and not ins[1].dtype else None
    made = [_merged(_without_contents(at(outs, 1 + index)), state) for index, state in enumerate(states)]
    for index in range(len(states), len(node.outputs)):
        one = at(outs, 1 + index)
        made.append(Tensor(one.dtype, None if one.shape is None else (steps, *one.shape)))
    return made[: len(node.outputs)]


def _scan(node: Node, ins: Sequence[Tensor], found: Inference, depth: int) -> Sequence[Tensor]:
    """States after the last step, then one stack per scan output. Source: ONNX Scan from opset 9."""
    scanned = integer(node, "num_scan_inputs")
    # Opset 8 had sequence lengths as a further input, and a batch axis.
    with_batch = len(node.bodies) == 1 and len(ins) > len(node.bodies[0][1].inputs)
    if len(node.bodies) != 1 or with_batch or scanned is None or not 0 < scanned <= len(ins):
        return (UNKNOWN,) * len(node.outputs)
    count = len(ins) - scanned
    states = [_without_contents(tensor) for tensor in ins[:count]]
    axes = integers(node, "scan_input_axes") or (0,) * scanned
    steps: Dim = None
    slices = []
    for tensor, axis in zip(ins[count:], axes, strict=False):
        place = None if tensor.shape is None else axis_of(axis, len(tensor.shape))
        if tensor.shape is None or place is None:
            slices.append(Tensor(tensor.dtype))
            continue
        steps = agree(steps, tensor.shape[place])
        slices.append(Tensor(tensor.dtype, tensor.shape[:place] + tensor.shape[place + 1 :]))
    outs = _states(node, states, [*states, *slices], 0, found, depth)
    made = [_merged(_without_contents(at(outs, index)), state) for index, state in enumerate(states)]
    out_axes = integers(node, "scan_output_axes") or ()
    for index in range(count, len(node.outputs)):
        one = at(outs, index)
        axis = out_axes[index - count] if index - count < len(out_axes) else 0
        made.append(Tensor(one.dtype, _inserted(one.shape, axis, steps)))
    return made[: len(node.outputs)]


def _inserted(shape: Shape, axis: int, dim: Dim) -> Shape:
    place = None if shape is None else axis_of(axis, len(shape) + 1)
    return None if shape is None or place is None else (*shape[:place], dim, *shape[place:])


_BODIES = {"If": _if, "Loop": _loop, "Scan": _scan}
