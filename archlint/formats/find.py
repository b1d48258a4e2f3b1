"""Paths that a user names → the model files there, and what is wrong with the others."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence

from archlint.errors import ReadError
from archlint.formats.base import ModelFile
from archlint.formats.sniff import SUFFIXES, sniff

Found = ModelFile | ReadError
"""A model that was found, or why something that was named or found cannot be read."""

SKIPPED_FOLDERS = frozenset(
    {
        *(".git", ".hg", ".svn", ".jj", ".cache", ".dvc", ".eggs", ".tox", ".nox", ".venv"),
        *(".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis"),
        *("__pycache__", "node_modules", "site-packages"),
    }
)
"""Folders that a search does not enter: version control, environments and caches."""

_FOLDER_MARKS = frozenset({"pyvenv.cfg", "CACHEDIR.TAG"})
"""A folder that holds one is a virtual environment (PEP 405) or a cache (https://bford.info/cachedir/)."""

_KERAS_MARKS = frozenset({"metadata.json", "model.weights.h5", "model.weights.npz", "model.weights.json"})
"""Beside ``config.json``, one of these makes a folder an unzipped ``.keras`` file."""

_SAVED_MODEL_MARKS = frozenset({"saved_model.pb", "saved_model.pbtxt"})

_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

_REASONS = {
    errno.ENOENT: "there is no such file or folder",
    errno.ENOTDIR: "there is no such file or folder",
    errno.ELOOP: "this link leads back to itself",
    errno.EACCES: "it may not be read (permission denied)",
    errno.EPERM: "it may not be read (permission denied)",
}


def find(paths: Sequence[str]) -> list[Found]:
    """One entry per model, in the order given; folders are searched, and what is in them is sorted.

    A file that is named twice, or through a link as well, is one entry. What was named and cannot be
    read, and what is named like a model in a folder and cannot be read, is a ``ReadError``.
    """
    found: dict[str, Found] = {}
    for path in paths:
        for real_path, entry in _named(path):
            found.setdefault(real_path, entry)
    return list(found.values())


def _named(path: str) -> Iterator[tuple[str, Found]]:
    """Entries for one path that the user named, each with the real path that identifies it."""
    try:
        info = os.stat(path)
    except OSError as error:
        yield path, _unreadable(path, error)
        return
    if stat.S_ISDIR(info.st_mode):
        root = os.path.realpath(path)
        yield from _folder(path, root)
    else:
        yield os.path.realpath(path), _file(path, info)


def _folder(folder: str, root: str) -> Iterator[tuple[str, Found]]:
    """Models in a folder and below, depth first, sorted by name.

    Links to folders are not followed, and links to files only when they stay inside ``root``, the real
    path of the folder that the user named: a link in a repository must not make a gate read the rest of
    the disk, and a link that leads upwards must not make it run for ever.
    """
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        try:
            info = os.lstat(path) if path != folder else os.stat(path)
            names = frozenset(os.listdir(path)) if stat.S_ISDIR(info.st_mode) else None
        except OSError as error:
            yield path, _unreadable(path, error)
            continue
        if names is None:
            if path.lower().endswith(SUFFIXES):
                yield from (
                    _link(path, root)
                    if stat.S_ISLNK(info.st_mode)
                    else [(os.path.realpath(path), _file(path, info))]
                )
        elif names & _SAVED_MODEL_MARKS:
            what = "this is a SavedModel folder, which is not read yet; save the model as .keras"
            yield path, ReadError(path, "", what)
        elif "config.json" in names and names & _KERAS_MARKS:
            yield os.path.realpath(path), _keras_folder(path, names)
        elif path == folder or not names & _FOLDER_MARKS:
            start = "" if path == os.curdir else path
            waiting.extend(
                os.path.join(start, name) for name in sorted(names - SKIPPED_FOLDERS, reverse=True)
            )


def _link(path: str, root: str) -> Iterator[tuple[str, Found]]:
    real_path = os.path.realpath(path)
    try:
        info = os.stat(path)
    except OSError as error:
        yield path, _unreadable(path, error)
        return
    if stat.S_ISDIR(info.st_mode):
        return
    if os.path.commonpath((real_path, root)) == root:
        yield real_path, _file(path, info)
        return
    what = "this link leads out of the folder that is searched; name the file itself to lint it"
    yield path, ReadError(path, "", what)


def _file(path: str, info: os.stat_result) -> Found:
    if not stat.S_ISREG(info.st_mode):
        kind = _KINDS.get(stat.S_IFMT(info.st_mode), "not a regular file")
        return ReadError(path, "", f"this is {kind}, which is never opened")
    try:
        return sniff(path, info.st_size)
    except ReadError as error:
        return error
    except OSError as error:
        return _unreadable(path, error)


def _keras_folder(path: str, names: frozenset[str]) -> Found:
    size_bytes = 0
    for name in sorted(names & (_KERAS_MARKS | {"config.json"})):
        try:
            info = os.stat(os.path.join(path, name))
        except OSError as error:
            return _unreadable(os.path.join(path, name), error)
        if not stat.S_ISREG(info.st_mode):
            return ReadError(path, name, "this is not a regular file, and is never opened")
        size_bytes += info.st_size
    return ModelFile(path, "keras-folder", size_bytes)


def _unreadable(path: str, error: OSError) -> ReadError:
    if error.errno == errno.ENOENT and os.path.islink(path):
        return ReadError(path, "", "this link leads to nothing")
    reason = _REASONS.get(error.errno or 0) or (error.strerror or str(error)).lower()
    return ReadError(path, "", reason)
