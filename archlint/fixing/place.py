"""Where a patched file is put: proven under another name first, then in its place in one step."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from archlint.errors import PatchError
from archlint.formats import ModelFile, write
from archlint.graph import Edit, Graph

TRIAL = ".archlint-trial"
"""Part of the name of a file that is not proven yet."""


def default_out(path: str) -> str:
    """The path of a patch when none is given: ``model.fixed.onnx`` beside ``model.onnx``."""
    stem, suffix = os.path.splitext(path.rstrip(os.sep))
    return f"{stem}.fixed{suffix}"


def put(
    file: ModelFile, graph: Graph, edits: Sequence[Edit], out: str, prove: Callable[[str], None] | None
) -> None:
    """Makes ``out`` the patched model once ``prove``, given the path of a trial, has let it pass.

    Raises: PatchError: it cannot be written, is not what was asked for, or does not pass; nothing is left.
    """
    if prove is None:
        write(file, graph, edits, out)
        return
    before = _stamp(file.path)
    with _trial(file, graph, out) as trial:
        write(file, graph, edits, trial)
        prove(trial)
        if _stamp(file.path) != before:
            raise PatchError(f"{file.path}: it was changed by someone else meanwhile; try again")
        if os.path.isfile(trial) and not _own_data(trial):
            os.replace(trial, out)
        else:
            write(file, graph, edits, out)


@contextmanager
def _trial(file: ModelFile, graph: Graph, out: str) -> Iterator[str]:
    """A path beside ``out`` whose file goes away with the block, and what came with it if that fails."""
    folder, name = os.path.split(out)
    stem, suffix = os.path.splitext(name)
    path = os.path.join(folder, f".{stem}{TRIAL}{suffix}")
    locations = graph.metadata.get("external_data", ())
    data = [os.path.join(folder, str(one)) for one in locations] if isinstance(locations, tuple) else []
    brought = [one for one in data if not os.path.lexists(one)]
    try:
        yield path
    except BaseException:
        for one in filter(os.path.isfile, brought):
            os.unlink(one)
        raise
    finally:
        if os.path.isdir(path):
            shutil.rmtree(path)
        for one in (path, *_own_data(path)):
            if os.path.isfile(one):
                os.unlink(one)


def _own_data(path: str) -> list[str]:
    """The data files that were written for one model, which is in their names."""
    folder, name = os.path.split(path)
    return sorted(
        os.path.join(folder, other)
        for other in os.listdir(folder or ".")
        if other.startswith(name) and other != name
    )


def _stamp(path: str) -> tuple[int, int, int]:
    try:
        status = os.stat(path)
    except OSError as error:
        raise PatchError(f"{path}: it cannot be read: {error.strerror}") from error
    return status.st_ino, status.st_size, status.st_mtime_ns
