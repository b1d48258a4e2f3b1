"""Writes patched Keras files: what an edit does not name stays as it is in the original."""

from __future__ import annotations

from collections.abc import Sequence

from archlint.formats.base import ModelFile, Prove
from archlint.graph import Edit, Graph

__all__ = ["dropped_state", "write"]


def write(file: ModelFile, graph: Graph, edits: Sequence[Edit], out: str, prove: Prove | None = None) -> None:
    """Writes ``apply(graph, edits)`` to ``out``, where ``graph`` is what was read from ``file``.

    The original is not touched unless ``out`` is its path; ``prove`` sees the file before it is there.
    Memory: a few MB and the tensors that an edit computes, one at a time; those from 1 MB up that it only
    reshapes are copied from file to file.

    Raises:
        PatchError: Keras has no way to say an edit, or what was written reads otherwise than ``apply`` says;
            nothing is left behind.
    """
    from archlint.formats.keras.write.patching import Patching

    Patching(file, graph, edits).write(out, prove)


def dropped_state(file: ModelFile, graph: Graph, edits: Sequence[Edit]) -> str:
    """Why the optimizer's state would not be in the patched file; "" when it stays or there is none.

    Raises: PatchError: the edits do not fit the graph.
    """
    from archlint.formats.keras.write.patching import Patching

    return Patching(file, graph, edits).dropped_state
