"""One patch of one Keras file, from the original's texts and weights to the new file."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from archlint.errors import PatchError, ReadError
from archlint.formats import patch
from archlint.formats.base import ModelFile, Prove
from archlint.formats.keras import files, read
from archlint.formats.keras.builder import Builder
from archlint.formats.keras.write.change import change
from archlint.formats.keras.write.compiled import set_training
from archlint.formats.keras.write.rewire import Rewiring
from archlint.formats.keras.write.stated import restate
from archlint.formats.keras.write.tree import Config, containers
from archlint.formats.stretch import Stretch, carry
from archlint.graph import Edit, Graph, Param

WEIGHTS = "model.weights.h5"


class Patching:
    """A patch that is being made; ``graph`` is what was read from ``file``."""

    def __init__(self, file: ModelFile, graph: Graph, edits: Sequence[Edit]) -> None:
        self._file, self._graph, self._edits = file, graph, edits
        try:
            self._saved = files.load(file)
        except ReadError as error:
            raise PatchError(str(error)) from error
        version = (self._saved.keras_version or "3").partition(".")[0]
        self._major = int(version) if version in ("1", "2", "3") else 3
        self._root: Config = self._root_of(self._saved.model.value)
        self._builder = Builder(file.path, self._major)
        self._models = containers(self._root, self._builder)
        self._change = change(graph, edits, self._models.keys())

    @staticmethod
    def _root_of(value: object) -> Config:
        assert isinstance(value, dict)
        return value

    def write(self, out: str, prove: Prove | None) -> None:
        """Writes the patched file, once it is proven."""
        check = patch.law(read, self._graph, self._edits)
        if self._file.format == "keras-json":
            self._rewritten()
            patch.put(self._file, out, self._fill_text, check, prove)
        elif self._file.format == "keras-folder":
            self._write_folder(out, check, prove)
        else:
            fill = self._fill_zip if self._file.format == "keras" else self._fill_h5
            patch.put(self._file, out, fill, check, prove)

    @cached_property
    def dropped_state(self) -> str:
        """Why the optimizer's state does not stay; "" when it does."""
        if self._file.format == "keras-json":
            return ""
        if self._change.training is None:
            return "what only training needs was to be left out" if self._graph.training else ""
        before, after = _trained(self._graph), _trained(self._change.after)
        if before != after:
            different = sorted({name for name, *_ in {*before} ^ {*after}})
            which = f": {', '.join(different[:3])}" if different else " or in another order"
            return f"the optimizer keeps numbers for each trained tensor, and those are others now{which}"
        was = self._graph.training.optimizer if self._graph.training else None
        now = self._change.training.optimizer if self._change.training else None
        return "" if was == now else "the optimizer has other settings now"

    @cached_property
    def _metrics_differ(self) -> bool:
        was, now = self._graph.training, self._change.training
        return was is not None and (now is None or was.metrics != now.metrics)

    def _rewritten(self) -> Rewiring:
        """Puts the edits into the texts, once."""
        rewiring = Rewiring(self._change, self._models, self._major)
        built = any("build_config" in entry for entry in self._models[()].layers)
        rewiring.run()
        restate(rewiring, built)
        if self._change.sets_training and self._change.training != self._graph.training:
            self._set_training()
        return rewiring

    def _set_training(self) -> None:
        if self._change.training is None:
            self._root.pop("compile_config", None)
            return
        compiled: Any = self._saved.compiled.value
        compiled = compiled if isinstance(compiled, dict) else None
        set_training(compiled, self._graph.training, self._change.training, "module" in self._root)

    def _fill_text(self, path: str) -> None:
        with open(path, "w", encoding="utf-8") as target:
            json.dump(self._root, target)

    def _fill_zip(self, path: str) -> None:
        from archlint.formats.keras.weights import first_byte
        from archlint.formats.keras.write.archive import Archive, Member

        with (
            self._numbered() as copy,
            zipfile.ZipFile(self._file.path) as source,
            open(path, "w+b") as target,
        ):
            names = source.namelist()
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise PatchError(f"{self._file.path}: the archive holds '{twice}' more than once")
            archive = Archive(target)
            for info in source.infolist():
                if info.filename == files.CONFIG:
                    archive.put(info, json.dumps(self._root).encode())
                elif info.filename == WEIGHTS and copy is not None:
                    first = first_byte(self._file.path, self._file.format)
                    archive.grow(Member(self._file.path, info, first), copy)
                else:
                    archive.copy(source, info)
            archive.close()

    @contextmanager
    def _numbered(self) -> Iterator[Any]:
        """What writes ``model.weights.h5`` to a file object; None when the model has none.

        It returns the stretches of the original that are still to be copied.
        """
        import h5py

        from archlint.formats.keras.places import slots
        from archlint.formats.keras.weights import first_byte, opened
        from archlint.formats.keras.write.numbered import Numbered, classes_of, groups_of
        from archlint.formats.keras.write.source import open_source

        rows = list(slots(self._file, self._graph))
        old, old_classes = groups_of(self._models), classes_of(self._models)
        self._rewritten()
        new, new_classes = groups_of(self._models), classes_of(self._models)
        dropped = {"optimizer"} if self.dropped_state else set()
        dropped |= {"metrics"} if self._metrics_differ else set()
        job = Numbered(self._change, old, new, old_classes, new_classes, frozenset(dropped))
        try:
            first = first_byte(self._file.path, self._file.format)
            with opened(self._file.path, self._file.format) as held:
                if held is None:
                    self._refuse_unreadable(old, new)
                    yield None
                    return
                source = open_source(self._file, held, first, rows)

                def copy(target: Any) -> Sequence[Stretch]:
                    with h5py.File(target, "w") as file:
                        job.copy(source, file)
                    return source.stretches

                yield copy
        except (KeyError, RuntimeError, ValueError) as error:
            raise PatchError(
                f"{self._file.path}: the weights cannot be copied: {str(error)[:200]}"
            ) from error

    def _refuse_unreadable(self, old: Mapping[Any, str], new: Mapping[Any, str]) -> None:
        """Weights that are packed, split or not there stay as they are, if they still fit."""
        named = {key for key in self._change.touched if any(node.params for node in self._change.new[key])}
        if named or any(new.get(key) != group for key, group in old.items() if key in new):
            what = f"its weights are not in a plain {WEIGHTS}; save the model again with Keras"
            raise PatchError(f"{self._file.path}: {what}")

    def _write_folder(self, out: str, check: Any, prove: Prove | None) -> None:
        """A folder is written beside its place and renamed; it never takes the place of another."""
        if os.path.lexists(out):
            raise PatchError(f"{out}: it exists; a folder is only written to a new path")
        parent = os.path.dirname(os.path.abspath(out))
        temporary = tempfile.mkdtemp(patch.MARK, ".", parent)
        try:
            with self._numbered() as copy:
                self._fill_folder(temporary, copy)
            check(ModelFile(temporary, self._file.format, 0))
            if prove is not None:
                prove(temporary)
            os.chmod(temporary, os.stat(self._file.path).st_mode & 0o777)
            os.rename(temporary, out)
        except OSError as error:
            raise PatchError(f"{out}: it cannot be written: {error.strerror}") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _fill_folder(self, path: str, copy: Any) -> None:
        for name in sorted(os.listdir(self._file.path)):
            held, target = os.path.join(self._file.path, name), os.path.join(path, name)
            if name == files.CONFIG:
                with open(target, "w", encoding="utf-8") as text:
                    json.dump(self._root, text)
            elif name == WEIGHTS and copy is not None:
                with open(target, "w+b") as weights:
                    stretches = copy(weights)
                    weights.flush()
                    carry(stretches, weights.fileno())
            elif os.path.isdir(held) and not os.path.islink(held):
                shutil.copytree(held, target, symlinks=True)
            else:
                shutil.copy2(held, target, follow_symlinks=False)

    def _fill_h5(self, path: str) -> None:
        import h5py

        from archlint.formats.keras.places import slots
        from archlint.formats.keras.write.listed import Listed
        from archlint.formats.keras.write.source import open_source

        rows = list(slots(self._file, self._graph))
        self._rewritten()
        texts: dict[str, str | None] = {"model_config": json.dumps(self._root)}
        if self._change.sets_training:
            left = self._change.training is not None
            texts["training_config"] = json.dumps(self._saved.compiled.value) if left else None
        dropped = frozenset({"optimizer_weights"} if self.dropped_state else ())
        job = Listed(self._change, self._models, texts, dropped)
        os.unlink(path)  # HDF5 takes the claim that is held on the empty file for someone else writing it
        try:
            with h5py.File(self._file.path, "r") as held, h5py.File(path, "w") as target:
                source = open_source(self._file, held, 0, rows)
                job.copy(source, target)
            with open(path, "r+b") as weights:
                carry(source.stretches, weights.fileno())
        except (KeyError, RuntimeError, ValueError) as error:
            raise PatchError(
                f"{self._file.path}: the weights cannot be copied: {str(error)[:200]}"
            ) from error


def _trained(graph: Graph) -> list[tuple[str, object, object]]:
    """The trained tensors, in the order of the nodes."""
    found: dict[str, Param] = {p.name: p for node in graph.nodes for p in node.params if p.trainable}
    return [(param.name, param.shape, param.dtype) for param in found.values()]
