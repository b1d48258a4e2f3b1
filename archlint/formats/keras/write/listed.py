"""The weights of a ``.h5``: a list of names per top layer, trainable ones first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import h5py

from archlint.dataclass import dataclass
from archlint.errors import PatchError
from archlint.formats.keras.weights import hard
from archlint.formats.keras.write.change import Change
from archlint.formats.keras.write.copying import copy_attributes, copy_member, write_names, write_param
from archlint.formats.keras.write.source import Source, names_in
from archlint.formats.keras.write.tree import Address, Container, name_of
from archlint.graph import Param

WEIGHTS, LAYERS, NAMES = "model_weights", "layer_names", "weight_names"


@dataclass(frozen=True, slots=True)
class Listed:
    """What becomes of the lists.

    ``models`` is the config as it is afterwards; ``texts`` the root's texts, None for one that goes.
    """

    change: Change
    models: Mapping[Address, Container]
    texts: Mapping[str, str | None]
    without: frozenset[str]

    def copy(self, source: Source, target: h5py.File) -> None:
        """Writes the file; what is in it beside the layers' weights stays, but for ``without``.

        Raises:
            PatchError: a layer's weights cannot be written.
        """
        copy_attributes(source.file, target, tuple(self.texts))
        for key, text in self.texts.items():
            if text is not None:
                target.attrs[key] = text
        for name in source.file:
            if name != WEIGHTS and name not in self.without:
                copy_member(source.file, name, target, name, source)
        if WEIGHTS in source.file:
            held = hard(source.file, WEIGHTS)
            if not isinstance(held, h5py.Group):
                raise PatchError("the weights are not in the file itself")
            self._layers(source, held, target.create_group(WEIGHTS))

    def _layers(self, source: Source, held: h5py.Group, target: h5py.Group) -> None:
        copy_attributes(held, target, [name for name in held.attrs if name.startswith(LAYERS)])
        names = [name_of(entry) for entry in self.models[()].layers]
        stood = names_in(held, LAYERS)
        gone = {key[0] for key in self.change.gone if len(key) == 1}
        plain = [name for name in names if name in stood or (name,) in self.change.touched]
        write_names(target, LAYERS, plain)
        tops = {key[0] for key in self.change.touched | self.change.gone if len(key) > 1}
        tops |= {key[0] for key in self.change.touched}
        for name in held:
            if name not in gone and name not in tops:
                copy_member(held, name, target, name, source)
        for name in sorted(tops - gone):
            self._layer(source, held, target, name)

    def _layer(self, source: Source, held: h5py.Group, target: h5py.Group, name: str) -> None:
        """A top layer of which weights change, come or go."""
        group = target.create_group(name)
        old = hard(held, name) if name in held else None
        stated = names_in(old, NAMES) if isinstance(old, h5py.Group) else []
        if isinstance(old, h5py.Group):
            copy_attributes(old, group, [key for key in old.attrs if key.startswith(NAMES)])
        before = self._stored(name)
        if len(stated) != len(before):
            raise PatchError(f"which tensors of '{name}' are which cannot be told")
        place = dict(zip((param.name for param in before), stated, strict=True))
        params = sorted(self._params((name,)), key=lambda param: not param.trainable)
        suffix = ":0" if self._suffixed(held) else ""
        names = []
        for param in params:
            recipe = self.change.recipes.get(param.name)
            path = place.get(param.name) or f"{param.name}{suffix}"
            if path in names:
                raise PatchError(f"'{name}' would hold '{path}' twice")
            names.append(path)
            inner, _, last = path.rpartition("/")
            write_param(source, param, recipe, group.require_group(inner) if inner else group, last)
        write_names(group, NAMES, names)

    @staticmethod
    def _suffixed(held: h5py.Group) -> bool:
        return any(one.endswith(":0") for name in held for one in names_in(held[name], NAMES))

    def _stored(self, top: str) -> list[Param]:
        """The params of a top layer before, in the order of its list."""
        keys = [key for key in self.change.old if key[0] == top]
        found = {p.name: p for key in keys for node in self.change.old[key] for p in node.params}
        return sorted(found.values(), key=lambda param: not param.trainable)

    def _params(self, key: Address) -> Iterator[Param]:
        """The params of a layer afterwards, those of a nested model in the order of its layers."""
        if key in self.models:
            for entry in self.models[key].layers:
                yield from self._params((*key, name_of(entry)))
            return
        found = {p.name: p for node in self.change.new.get(key, ()) for p in node.params}
        yield from found.values()
