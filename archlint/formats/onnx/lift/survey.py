"""What lifting takes out of sight although a rule speaks of it: transposes of stored tensors."""

from __future__ import annotations

from archlint.formats.onnx.lift.bench import Bench
from archlint.graph import Node


def stored_transposes(bench: Bench) -> tuple[Node, ...]:
    """The transposes of the file's own graph that read a stored tensor."""
    return tuple(
        node
        for node in bench.nodes("Transpose")
        if bench.is_stored(node.inputs[0]) and len(node.origin.address) == 1
    )


def taken_away(bench: Bench, nodes: tuple[Node, ...]) -> tuple[str, ...]:
    """The names of those nodes that no longer stand."""
    return tuple(node.name for node in nodes if bench.maker(node.outputs[0]) is not node)
