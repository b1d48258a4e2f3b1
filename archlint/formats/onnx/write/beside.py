"""Data files beside a patched model: those it refers to come along."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from archlint.errors import PatchError
from archlint.formats.onnx.write.pieces import copy_range
from archlint.formats.patch import temporary
from archlint.formats.stretch import BLOCK_BYTES
from archlint.graph import Graph


class Beside:
    """The files that a patch of the model at ``path`` adds to the folder of ``out``.

    All are taken away again if the block fails.
    """

    def __init__(self, path: str, out: str) -> None:
        self._path = path
        self._mode = stat.S_IMODE(os.stat(path).st_mode)
        self._folder = os.path.dirname(out) or "."
        self._added: list[str] = []
        self._folders: list[str] = []

    def bring(self, graph: Graph) -> None:
        """Copies the data files of the original, unless ``out`` lies next to them.

        Raises:
            PatchError: one is missing or lies outside the folder, or another file has its place.
        """
        folder = os.path.dirname(self._path) or "."
        if os.path.realpath(folder) == os.path.realpath(self._folder):
            return
        for key in ("external_data_escapes", "external_data_missing", "external_data_out_of_range"):
            if graph.metadata.get(key):
                raise PatchError(
                    f"{self._path}: its data files cannot come along ({key}: {graph.metadata[key]})"
                )
        locations = graph.metadata.get("external_data", ())
        for location in locations if isinstance(locations, tuple) else ():
            self._bring(folder, str(location).split("/"))

    @contextmanager
    def _new(self, target: str) -> Iterator[BinaryIO]:
        """A new data file, open; in its place and on the disk when the block ends."""
        with temporary(target) as path:
            with open(path, "r+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(path, self._mode)
            if os.path.lexists(target):
                raise PatchError(f"{target}: it appeared meanwhile; try again")
            os.rename(path, target)
            self._added.append(target)

    def __enter__(self) -> Beside:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            return
        for path in self._added:
            os.unlink(path)
        for folder in reversed(self._folders):
            os.rmdir(folder)

    def _bring(self, folder: str, parts: list[str]) -> None:
        at = self._folder
        for part in parts[:-1]:
            at = os.path.join(at, part)
            if os.path.islink(at):
                raise PatchError(f"{at}: it is a link; no data file is put there")
            if not os.path.isdir(at):
                os.mkdir(at)
                self._folders.append(at)
        source, target = os.path.join(folder, *parts), os.path.join(at, parts[-1])
        descriptor = os.open(source, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(descriptor, "rb") as data:
            if os.path.lexists(target):
                _expect_same(data, target)
                return
            size = os.fstat(data.fileno()).st_size
            if size > shutil.disk_usage(at).free:
                raise PatchError(f"{target}: there is no room for {size} bytes")
            with self._new(target) as file:
                copy_range(data.fileno(), 0, size, file)


def _expect_same(data: BinaryIO, target: str) -> None:
    if os.path.islink(target) or not os.path.isfile(target):
        raise PatchError(f"{target}: it is in the way of a data file")
    with open(target, "rb") as other:
        while True:
            chunk = data.read(BLOCK_BYTES)
            if chunk != other.read(BLOCK_BYTES):
                raise PatchError(f"{target}: another data file has this name; choose another folder")
            if not chunk:
                return
