"""What every reader takes, and the bounds that hold for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from archlint.graph import Graph

MAX_TEXT_BYTES = 256 * 2**20
"""Largest architecture text (JSON) or weight-free ONNX structure that is read; the largest seen is 0.7 MB."""

MAX_NODES = 2_000_000
"""Most nodes a graph may have once functions and nested models are inlined."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file found and sniffed by its content, not yet read. ``path`` is as the user wrote it.

    ``format`` is a key of ``archlint.formats.READERS``: "keras" (zip), "keras-folder", "keras-h5",
    "keras-json", "onnx".
    """

    path: str
    format: str
    size_bytes: int


Reader = Callable[[ModelFile], Graph]
"""Reads structure, never weights, and runs nothing.

Raises:
    ReadError: the file cannot be judged; says where in it, what was expected and what to do.
"""
