"""The layers of a model before and after, as a unified diff of two tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import TextIO

from archlint.facts import Facts
from archlint.graph import Graph, Shape
from archlint.reporters.view import View, clipped

CONTEXT = 2
"""Rows shown before and after each change."""

Row = tuple[str, str, str, str]
"""Name, op, shape of the output, parameters."""

_HEAD: Row = ("name", "op", "output", "parameters")


def render_diff(before: Facts, after: Facts, patched: Graph, out: TextIO, view: View) -> None:
    """Writes the rows that differ with their neighbours; nothing when no row differs.

    ``after`` are facts about the ``patched`` graph at the input sizes of ``before``, so that shapes compare.
    """
    lines = list(diff(rows(before, before.graph), rows(after, patched)))
    if not lines:
        return
    widths = [max(len(row[at]) for _, row in [("", _HEAD), *lines]) for at in range(len(_HEAD))]
    for mark, row in [("", _HEAD), *lines]:
        name, op, shape, params = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        line = f"{mark or ' '} {name}  {op}  {shape}  {params.strip().rjust(widths[3])}".rstrip()
        out.write(view.paint(_STYLES[mark], line) + "\n" if mark in _STYLES else line + "\n")


_STYLES = {"-": "error", "+": "info", "…": "dim"}


def diff(old: Sequence[Row], new: Sequence[Row]) -> Iterator[tuple[str, Row]]:
    """Rows with "-" for what goes, "+" for what comes, " " for what stays, and "…" for rows left out."""
    groups = SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(CONTEXT)
    end = 0
    for group in groups:
        if group[0][1] > end:
            yield _left_out(group[0][1] - end)
        for kind, first, last, start, stop in group:
            if kind == "equal":
                yield from ((" ", row) for row in old[first:last])
            else:
                yield from (("-", row) for row in old[first:last])
                yield from (("+", row) for row in new[start:stop])
        end = group[-1][2]
    if end and end < len(old):
        yield _left_out(len(old) - end)


def rows(facts: Facts, graph: Graph) -> Sequence[Row]:
    """A row per input of a graph, and per node of the one that the facts are about, in their order."""
    found = [(clipped(name), "input", _shape(tensor.shape), "") for name, tensor in graph.inputs]
    for node in facts.graph.nodes:
        params = facts.params_of(node)
        count = "?" if params is None else f"{params:,}" if params else ""
        found.append((clipped(node.name), node.op, _shape(facts.out_shape(node)), count))
    return found


def _left_out(count: int) -> tuple[str, Row]:
    return "…", (f"{count:,} more", "", "", "")


def _shape(shape: Shape) -> str:
    if shape is None:
        return "?"
    return "×".join("?" if dim is None else str(dim) for dim in shape) or "scalar"
