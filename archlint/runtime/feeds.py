"""What the models are fed: names, types and shapes of their inputs, and the numbers that they accept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archlint.checks import Match
from archlint.checks.portability import batch_in_reshape
from archlint.dataclass import dataclass
from archlint.graph import Dim, Graph, Node

if TYPE_CHECKING:
    from archlint.facts import Facts

BATCH = 2
"""Samples per run where the batch is free: enough to see that samples do not mix."""

FREE_LENGTHS = (16, 64, 224)
"""Lengths tried for an axis that the original leaves free, until it runs at one of them."""

STEPS = ((32, 32), (64, 32))
"""How much longer the first and the other freed axes are made; unequal ones show axes that were swapped."""

_ROUGHEST = ("bfloat16", "float16", "float32", "float64")
"""Float types, the coarsest first."""

_BOUNDS = {"Embedding": "input_dim", "CategoryEncoding": "num_tokens"}
"""Op → its setting that every number it reads must stay below."""

_PASSING = frozenset(
    {
        "Identity",
        "Cast",
        "Reshape",
        "Flatten",
        "Squeeze",
        "Unsqueeze",
        "Transpose",
        "Slice",
        "Split",
        "Concat",
    }
)
"""Ops that hand on the numbers that they read."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One model input: its type, its shape with every length set, and ``below`` for numbers of things.

    ``below`` None: any real numbers (or integers from 0 to 7); else integers from 0 up to it.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    below: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be compared: two files, ``feeds`` to try until the original takes one, larger ``sizes``.

    ``exact`` asks that the outputs agree; else the patched model only has to run. ``precision`` is the
    coarsest float type that the model computes in, ``weights`` how many numbers it stores.
    """

    original: str
    patched: str
    format: str
    feeds: tuple[tuple[Feed, ...], ...]
    larger: tuple[tuple[Feed, ...], ...]
    precision: str
    exact: bool
    weights: int


def job_for(paths: tuple[str, str], before: Facts, after: Facts, format_: str, exact: bool) -> Job | str:
    """The comparison of a file and its patch; a sentence that says why there can be none."""
    graph = before.graph
    for name, tensor in graph.inputs:
        if tensor.dtype is None or tensor.shape is None or tensor.dtype == "string":
            return (
                f"the input '{name}' takes {tensor.dtype or 'what is not known'}, for which none can be drawn"
            )
    lengths = FREE_LENGTHS if any(_is_free(graph, at) for at in range(len(graph.inputs))) else (1,)
    feeds = tuple(_feeds(before, batch, length) for batch in _batches(before) for length in lengths)
    larger = tuple(filter(None, dict.fromkeys(_larger(before, after, feeds[0], steps) for steps in STEPS)))
    return Job(*paths, format_, feeds, larger, _precision(before), exact, before.params)


def _is_free(graph: Graph, at: int) -> bool:
    shape = graph.inputs[at][1].shape or ()
    return any(not isinstance(dim, int) for dim in shape[1:])


def _batches(facts: Facts) -> tuple[int, ...]:
    """The batches to run: one that a reshape asks for, though the input leaves it free, or the usual one."""
    matches = (match for match in batch_in_reshape(facts) if isinstance(match, Match))
    asked = sorted({batch for match in matches if isinstance(batch := match.values["batch"], int)})
    return tuple(asked) or (BATCH,)


def _feeds(facts: Facts, batch: int, length: int) -> tuple[Feed, ...]:
    return tuple(
        Feed(name, tensor.dtype or "", _set(tensor.shape or (), batch, length), _bound(facts, name))
        for name, tensor in facts.graph.inputs
    )


def _set(shape: tuple[Dim, ...], batch: int, length: int) -> tuple[int, ...]:
    free = (batch if axis == 0 else length for axis in range(len(shape)))
    return tuple(dim if isinstance(dim, int) else other for dim, other in zip(shape, free, strict=True))


def _larger(before: Facts, after: Facts, feeds: tuple[Feed, ...], steps: tuple[int, int]) -> tuple[Feed, ...]:
    """The feeds at lengths that only the patched model accepts; empty when it accepts no others."""
    found, grown = [], False
    types = dict(after.graph.inputs)
    for feed, (name, tensor) in zip(feeds, before.graph.inputs, strict=True):
        old = tensor.shape or ()
        new = (types[name].shape if name in types else None) or old
        pairs = enumerate(zip(old, new, strict=True))
        freed = [axis for axis, (was, now) in pairs if isinstance(was, int) and not isinstance(now, int)]
        shape = list(feed.shape)
        spatial = [axis for axis in freed if axis > 0]
        for axis in freed:
            shape[axis] += 1 if axis == 0 else steps[axis != spatial[0]]
        grown = grown or bool(freed)
        found.append(Feed(name, feed.dtype, tuple(shape), feed.below))
    return tuple(found) if grown else ()


def _precision(facts: Facts) -> str:
    """The coarsest float type among all values and weights: sums differ by its rounding."""
    seen = {tensor.dtype for tensor in facts.tensors.values()}
    seen |= {param.dtype for node in facts.graph.nodes for param in node.params}
    return next((name for name in _ROUGHEST if name in seen), "float32")


def _bound(facts: Facts, name: str) -> int | None:
    """The least number that nothing behind an input accepts, as a row of a table; None when none reads it."""
    limits = [limit for node in _readers(facts.graph, name) if (limit := _limit(facts, node)) is not None]
    return min(limits, default=None)


def _limit(facts: Facts, node: Node) -> int | None:
    """How many things a node can tell apart by number."""
    setting = node.attrs.get(_BOUNDS.get(node.op, ""))
    if isinstance(setting, int):
        return setting
    if node.op == "Gather" and node.inputs:
        axis, shape = node.attrs.get("axis", 0), facts.shape(node.inputs[0])
        if isinstance(axis, int) and shape is not None and -len(shape) <= axis < len(shape):
            length = shape[axis]
            return length if isinstance(length, int) else None
    return None


def _readers(graph: Graph, name: str) -> Iterator[Node]:
    """The nodes that read the numbers of an input as they are, or what only hands them on."""
    waiting, seen = [name], {name}
    while waiting:
        for node in graph.consumers.get(waiting.pop(), ()):
            yield node
            for value in node.outputs if node.op in _PASSING else ():
                if value not in seen:
                    seen.add(value)
                    waiting.append(value)
