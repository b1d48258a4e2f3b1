"""From paths to graphs: find model files, know what they are, read them.

A reader is loaded when the first file of its format is read, so that a run on Keras files never
imports onnx, and none of them is paid for by ``archlint --help``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from archlint.formats.base import ModelFile, Reader
from archlint.formats.find import Found, find
from archlint.graph import Graph


def _keras() -> Reader:
    from archlint.formats.keras import read

    return read


def _onnx() -> Reader:
    from archlint.formats.onnx import read

    return read


READERS: Mapping[str, Callable[[], Reader]] = {
    "keras": _keras,
    "keras-folder": _keras,
    "keras-h5": _keras,
    "keras-json": _keras,
    "onnx": _onnx,
}
"""Format, as ``find`` names it → what loads its reader. A new format is one row, and its row in ``sniff``."""


def read(file: ModelFile) -> Graph:
    """The graph in a model file.

    Raises:
        ReadError: the file cannot be judged; says where in it, what was expected and what to do.
    """
    return READERS[file.format]()(file)


__all__ = ["READERS", "Found", "ModelFile", "find", "read"]
