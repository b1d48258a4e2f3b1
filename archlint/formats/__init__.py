"""From paths to graphs: find model files, know what they are, read them.

A reader is loaded when the first file of its format is read, so that a run on Keras files never
imports onnx, and none of them is paid for by ``archlint --help``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from archlint.errors import PatchError
from archlint.formats.base import ModelFile, Prove, Reader, Scanner, Writer
from archlint.formats.find import Found, find
from archlint.graph import Edit, Graph, Hazard, Weights


def _keras() -> tuple[Reader, Scanner]:
    from archlint.formats.keras import read, scan

    return read, scan


def _onnx() -> tuple[Reader, Scanner]:
    from archlint.formats.onnx import read, scan

    return read, scan


READERS: Mapping[str, Callable[[], tuple[Reader, Scanner]]] = {
    "keras": _keras,
    "keras-folder": _keras,
    "keras-h5": _keras,
    "keras-json": _keras,
    "onnx": _onnx,
}
"""Format, as ``find`` names it → what loads its reader and its scanner. A new format is one row, and its
row in ``sniff``."""


def _keras_weights(file: ModelFile, graph: Graph) -> Weights:
    from archlint.formats.keras.variables import KerasWeights

    return KerasWeights(file, graph)


def _onnx_weights(file: ModelFile, graph: Graph) -> Weights:
    from archlint.formats.onnx.weights import OnnxWeights

    return OnnxWeights(file.path)


WEIGHTS: Mapping[str, Callable[[ModelFile, Graph], Weights]] = {
    "keras": _keras_weights,
    "keras-folder": _keras_weights,
    "keras-h5": _keras_weights,
    "onnx": _onnx_weights,
}
"""Format → what gives access to its weights; a bare architecture has none."""


def open_weights(file: ModelFile, graph: Graph) -> Weights | None:
    """Access to the stored tensors of a model that was read from ``file``; None for formats without any.

    Nothing is read here, nothing in the file is run, and no link out of the file or its folder is followed.
    """
    opener = WEIGHTS.get(file.format)
    return None if opener is None else opener(file, graph)


def _keras_writer() -> Writer:
    from archlint.formats.keras.write import write

    return write


def _onnx_writer() -> Writer:
    from archlint.formats.onnx.write import write

    return write


WRITERS: Mapping[str, Callable[[], Writer]] = {
    "keras": _keras_writer,
    "keras-folder": _keras_writer,
    "keras-h5": _keras_writer,
    "keras-json": _keras_writer,
    "onnx": _onnx_writer,
}
"""Format → what loads its writer; files of other formats can only be read."""


def read(file: ModelFile) -> Graph:
    """The graph in a model file.

    Raises:
        ReadError: the file cannot be judged; says where in it, what was expected and what to do.
    """
    return READERS[file.format]()[0](file)


def write(file: ModelFile, graph: Graph, edits: Sequence[Edit], out: str, prove: Prove | None = None) -> None:
    """Writes ``apply(graph, edits)`` to ``out``, where ``graph`` is what was read from ``file``.

    What was written has been read back and is the graph that was asked for, and ``prove``, given the path
    where it waits, has let it pass. The original stays as it is, unless ``out`` is its path.

    Raises:
        PatchError: the format has no writer, or no way to say an edit; nothing is left behind.
    """
    loader = WRITERS.get(file.format)
    if loader is None:
        raise PatchError(f"{file.path}: files of the format {file.format} cannot be written")
    loader()(file, graph, edits, out, prove)


def scan(file: ModelFile) -> tuple[Hazard, ...]:
    """The hazards of a file that cannot be read as a graph, as far as its structure goes.

    ``read`` puts them in the graph by itself. What is too damaged to be looked at adds none.
    """
    return READERS[file.format]()[1](file)


__all__ = ["READERS", "WRITERS", "Found", "ModelFile", "find", "open_weights", "read", "write"]
