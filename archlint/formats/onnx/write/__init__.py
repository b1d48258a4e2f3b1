"""Writes patched ONNX files: what an edit does not name is copied from the original, byte for byte."""

from __future__ import annotations

import os
from collections.abc import Sequence

from archlint.errors import PatchError
from archlint.formats import patch
from archlint.formats.base import ModelFile, Prove
from archlint.formats.onnx import read
from archlint.formats.onnx.wire import File
from archlint.formats.onnx.write.assemble import build
from archlint.formats.onnx.write.beside import Beside
from archlint.formats.onnx.write.layout import layout
from archlint.formats.onnx.write.pieces import write_pieces
from archlint.graph import OVERRIDABLE, Edit, Graph, Seal, SetTraining

STORAGE = frozenset(
    {
        "external_data",
        "external_data_missing",
        "external_data_escapes",
        "external_data_out_of_range",
        OVERRIDABLE,
        "sparse_weights",
        "damaged_weights",
        "reordered_graphs",
        "constant_nodes",
    }
)
"""Metadata of an ONNX graph that says how it is stored; a patch may change it."""


def write(
    file: ModelFile,
    graph: Graph,
    edits: Sequence[Edit],
    out: str,
    prove: Prove | None = None,
) -> None:
    """Writes ``apply(graph, edits)`` to ``out``, where ``graph`` is what was read from ``file``.

    Neither the original nor its data files are touched, unless ``out`` is the path of the original; then the
    model is replaced, and the data files stay. New tensors beside it are in a data file of their own, whose
    name no other has. ``prove`` sees the model before it is in its place. Memory: the tensors that an edit
    computes, one at a time.

    Raises:
        PatchError: an edit cannot be said in ONNX or in the opset of the file, or what was written reads
            otherwise than ``apply`` says; nothing is left behind.
    """
    if any(isinstance(edit, SetTraining) for edit in edits):
        raise PatchError("an ONNX file holds no compile settings that could be changed")
    sealed = any(isinstance(edit, Seal) for edit in edits)
    check = patch.law(read, graph, edits, STORAGE - {OVERRIDABLE} if sealed else STORAGE)
    try:
        with open(file.path, "rb") as original, Beside(file.path, out) as beside:
            beside.bring(graph)
            source = File(original.fileno(), os.fstat(original.fileno()).st_size)

            def fill(path: str) -> None:
                data = patch.data_beside(path)
                built = build(file.path, layout(file.path, source), graph, edits, os.path.basename(data))
                if built.outside:
                    with open(data, "xb") as target:
                        built.write_data(target)
                with open(path, "r+b") as target:
                    write_pieces(built.pieces, original.fileno(), target)

            patch.put(file, out, fill, check, prove)
    except OSError as error:
        raise PatchError(f"{error.filename or out}: {error.strerror}") from error
