"""A patched file is put in its place whole and proven, or not at all; the same for every format."""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from archlint.errors import PatchError, ReadError
from archlint.formats.base import ModelFile, Prove, Reader
from archlint.graph import Edit, Graph, apply, skeleton

Fill = Callable[[str], None]
"""Writes the whole patched file to a path, where an empty file waits; new data that it refers to goes to the
path's ``data_beside``."""


MARK = ".archlint-new"
"""Part of the name of a file that is being written; what a killed process left is known by it."""

STALE_SECONDS = 60
"""Age from which an unclaimed temporary file is taken for left behind; between making and claiming one lie
microseconds."""


def put(
    file: ModelFile,
    out: str,
    fill: Fill,
    check: Callable[[ModelFile], None],
    prove: Prove | None = None,
) -> None:
    """Makes ``out`` the file that ``fill`` writes, once ``check`` and ``prove`` have let it pass.

    The new file grows under another name in the folder of ``out``, is flushed to the disk and then renamed,
    which is the one step that counts: until then ``out`` is what it was, with the data that it refers to;
    from then on it is the new one, whose data were there before. What a killed process leaves of a new one
    goes with the next patch that is written there. ``out`` is the original only when the caller says so.

    Raises:
        PatchError: it cannot be written, the original changed meanwhile, ``fill`` or ``check`` refuse.
    """
    before = _stamp(file.path)
    _refuse_odd(out)
    try:
        with temporary(out) as path:
            fill(path)
            with _claimed(path):
                check(ModelFile(path, file.format, os.path.getsize(path)))
                if prove is not None:
                    prove(path)
                _ready(path, stat.S_IMODE(os.stat(file.path).st_mode))
                if _stamp(file.path) != before:
                    raise PatchError(f"{file.path}: it was changed by someone else meanwhile; try again")
                os.replace(path, out)
                _flush_folder(out)
    except OSError as error:
        raise PatchError(f"{out}: it cannot be written: {error.strerror}") from error


@contextmanager
def temporary(out: str) -> Iterator[str]:
    """An empty file in the folder of ``out``, with its suffix; gone after the block unless it was renamed.

    Its ``data_beside`` goes with it. First takes away those for the same ``out`` whose process was killed.
    """
    folder, name = os.path.split(out)
    stem, suffix = os.path.splitext(name)
    _sweep(folder or ".", f".{stem}.", f"{MARK}{suffix}")
    descriptor, path = tempfile.mkstemp(f"{MARK}{suffix}", f".{stem}.", folder or ".")
    _claim(descriptor)
    try:
        yield path
    finally:
        os.close(descriptor)
        _drop(path)


def data_beside(path: str) -> str:
    """The data file that belongs to a temporary file: ``model.k3x9a_0q.data``, a name that no other has.

    It keeps the name when the model gets its own; without its temporary file it is part of a model.
    """
    folder, name = os.path.split(path)
    return os.path.join(folder, f"{name[1:].partition(MARK)[0]}.data")


def _drop(path: str) -> None:
    """Takes away a temporary file that was not renamed; its data first, since they are known by it."""
    for one in (data_beside(path), path):
        if os.path.lexists(path) and os.path.lexists(one):
            os.unlink(one)


def law(
    read: Reader, graph: Graph, edits: Sequence[Edit], storage: frozenset[str] = frozenset()
) -> Callable[[ModelFile], None]:
    """A check that a file reads as ``apply(graph, edits)``, up to ``skeleton`` and the order of the nodes.

    ``storage`` are keys of the metadata that say where tensors lie, not what the model is.
    """
    wanted = apply(graph, edits)

    def check(file: ModelFile) -> None:
        try:
            found = read(file)
        except ReadError as error:
            raise PatchError(
                f"the patched file could not be read back: {error.where} {error.what}"
            ) from error
        difference = _difference(_plain(found, storage), _plain(wanted, storage))
        if difference:
            raise PatchError(f"the patched file reads as another model than was asked for: {difference}")

    return check


def _plain(graph: Graph, storage: frozenset[str]) -> Graph:
    bare = skeleton(graph)
    kept = {key: value for key, value in bare.metadata.items() if key not in storage}
    return replace(bare, nodes=tuple(sorted(bare.nodes, key=lambda node: node.name)), metadata=kept)


def _difference(found: Graph, wanted: Graph) -> str:
    """Where two graphs first differ; "" when nowhere."""
    if found == wanted:
        return ""
    for name in sorted(found.by_name.keys() | wanted.by_name.keys()):
        here, there = found.by_name.get(name), wanted.by_name.get(name)
        if here is None or there is None:
            return f"node '{name}' {'appeared' if there is None else 'is missing'}"
        if here != there:
            parts = ("op", "inputs", "outputs", "attrs", "params", "bodies")
            part = next((part for part in parts if getattr(here, part) != getattr(there, part)), "origin")
            return f"node '{name}' has {part} {getattr(here, part)}, not {getattr(there, part)}"
    rest = ("inputs", "outputs", "name", "format", "training", "metadata", "hazards")
    part = next(part for part in rest if getattr(found, part) != getattr(wanted, part))
    return f"its {part} are {getattr(found, part)}, not {getattr(wanted, part)}"


def _refuse_odd(out: str) -> None:
    try:
        mode = os.lstat(out).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise PatchError(f"{out}: it cannot be written: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        raise PatchError(f"{out}: it exists and is not a regular file; give another path")


def _claim(descriptor: int, shared: bool = False) -> bool:
    """Whether this process now holds a temporary file; the system gives it back when the process ends."""
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def _claimed(path: str) -> Iterator[None]:
    """Holds a file that a library has put in the place of the empty one, so that others may only read it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _claim(descriptor, shared=True)
        yield
    finally:
        os.close(descriptor)


def _ready(path: str, mode: int) -> None:
    """Has a temporary file and its data on the disk, to be read by whom the original may."""
    os.chmod(path, mode)
    _flush(path)
    data = data_beside(path)
    if os.path.lexists(data):
        os.chmod(data, mode)
        _flush(data)
        _flush_folder(path)


def _sweep(folder: str, prefix: str, suffix: str) -> None:
    """Takes away temporary files whose process is gone."""
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if not (name.startswith(prefix) and name.endswith(suffix)) or os.path.islink(path):
            continue
        if time.time() - os.stat(path).st_mtime < STALE_SECONDS:
            continue
        descriptor = os.open(path, os.O_RDWR)
        try:
            if _claim(descriptor):
                _drop(path)
        finally:
            os.close(descriptor)


def _stamp(path: str) -> tuple[int, int, int]:
    try:
        status = os.stat(path)
    except OSError as error:
        raise PatchError(f"{path}: it cannot be read: {error.strerror}") from error
    return status.st_ino, status.st_size, status.st_mtime_ns


def _flush_folder(path: str) -> None:
    """Has the names in the folder of a file on the disk, where a folder can be opened."""
    if os.name == "posix":
        _flush(os.path.dirname(path) or ".")


def _flush(path: str) -> None:
    """Has a file, or the names in a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
