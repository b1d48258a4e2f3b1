"""The weights of a ``.keras``, keyed by class and running number: renamed, copied, written anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import h5py

from archlint.dataclass import dataclass
from archlint.errors import PatchError
from archlint.formats.keras import models
from archlint.formats.keras.builder import Builder
from archlint.formats.keras.raw import Raw
from archlint.formats.keras.weights import hard
from archlint.formats.keras.write.change import Change
from archlint.formats.keras.write.copying import copy_attributes, copy_member, write_param
from archlint.formats.keras.write.source import OLDER, Source
from archlint.formats.keras.write.tree import Address, Container, name_of
from archlint.graph import Param

Groups = Mapping[Address, str]
"""Layer → name of the group of its weights in that of its model."""

_LISTED = frozenset(
    {"Conv1D", "Conv2D", "Conv3D", "DepthwiseConv1D", "DepthwiseConv2D", "Dense", "Embedding", "PReLU"}
    | {"BatchNormalization", "LayerNormalization", "GroupNormalization", "Conv1DTranspose"}
    | {"Conv2DTranspose", "Conv3DTranspose", "RMSNormalization", "EinsumDense"}
)
"""Classes that keep their params in ``vars``, in the order of the node's params."""


def groups_of(models_: Mapping[Address, Container]) -> dict[Address, str]:
    """The groups of all layers of a config as it stands."""
    found: dict[Address, str] = {}
    for path, model in models_.items():
        parent = replace(model.layer, group=())
        raws = [Raw(entry, "") for entry in model.layers]
        layers = [models.layer_of(raw, Builder(""), path) for raw in raws]
        for layer in models.grouped(layers, parent):
            if layer.group:
                found[(*path, layer.name)] = layer.group[-1]
    return found


def classes_of(models_: Mapping[Address, Container]) -> dict[Address, str]:
    """The class of each layer of a config as it stands."""
    return {
        (*path, name_of(entry)): str(entry["class_name"])
        for path, model in models_.items()
        for entry in model.layers
    }


@dataclass(frozen=True, slots=True)
class Numbered:
    """What becomes of the groups: where each layer's was and is, and what class it was and is."""

    change: Change
    old: Groups
    new: Groups
    old_classes: Mapping[Address, str]
    new_classes: Mapping[Address, str]
    without: frozenset[str]

    def copy(self, source: Source, target: h5py.File) -> None:
        """Writes the weights; what is in the file beside those of layers stays, but for ``without``.

        Raises:
            PatchError: a layer's weights cannot be written.
        """
        copy_attributes(source.file, target)
        self._model(source, source.file, target, ())

    def _model(self, source: Source, held: h5py.Group, target: h5py.Group, path: Address) -> None:
        inside = next(
            (name for name in OLDER["layers"] if isinstance(self._hard(held, name), h5py.Group)), ""
        )
        for name in held:
            if name != inside and (path or name not in self.without):
                copy_member(held, name, target, name, source)
        if not inside and any(key[:-1] == path and self._params(key) for key in self.change.touched):
            raise PatchError("the weights of the model's layers cannot be found in the file")
        if inside:
            layers = target.create_group(inside)
            copy_attributes(held[inside], layers)
            self._layers(source, held[inside], layers, path)

    @staticmethod
    def _hard(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset | None:
        return hard(group, name) if name in group else None

    def _layers(self, source: Source, held: h5py.Group, target: h5py.Group, path: Address) -> None:
        owners = {group: key for key, group in self.old.items() if key[:-1] == path}
        for name in held:
            key = owners.get(name)
            if key is None:
                copy_member(held, name, target, name, source)
            elif key in self.new and key not in self.change.touched:
                self._kept(source, held, target, key)
        for key, group in self.new.items():
            if key[:-1] == path and key in self.change.touched:
                self._written(source, held, target, key, group)

    def _kept(self, source: Source, held: h5py.Group, target: h5py.Group, key: Address) -> None:
        old, new = self.old[key], self.new[key]
        inner = self._hard(held, old)
        if key in self.change.models and isinstance(inner, h5py.Group):
            group = target.create_group(new)
            copy_attributes(inner, group)
            self._model(source, inner, group, key)
        else:
            copy_member(held, old, target, new, source)

    def _params(self, key: Address) -> list[Param]:
        found = {param.name: param for node in self.change.new[key] for param in node.params}
        return list(found.values())

    def _written(self, source: Source, held: h5py.Group, target: h5py.Group, key: Address, name: str) -> None:
        params = self._params(key)
        stored = {param.name: param for node in self.change.old.get(key, ()) for param in node.params}
        same = self.old_classes.get(key) == self.new_classes[key] and key in self.old
        same = same and stored.keys() == {param.name for param in params} and self.old[key] in held
        if same and any(stored[param.name].size != param.size for param in params):
            # HDF5 would keep the room of a large tensor that was copied and then deleted.
            listed = self.new_classes[key].rpartition(">")[2] in _LISTED
            same = not (listed and list(held[self.old[key]]) == ["vars"])
        if same:
            copy_member(held, self.old[key], target, name)
            self._replaced(source, target[name], held[self.old[key]].name, params)
            return
        variables = target.create_group(name).create_group("vars")
        if params and self.new_classes[key].rpartition(">")[2] not in _LISTED:
            raise PatchError(f"'{'/'.join(key)}': the weights of a {self.new_classes[key]} cannot be written")
        for index, param in enumerate(params):
            write_param(source, param, self.change.recipes.get(param.name), variables, str(index))

    def _replaced(self, source: Source, target: h5py.Group, was: str, params: list[Param]) -> None:
        """Writes the tensors that an edit makes over those that were copied."""
        for param in params:
            recipe = self.change.recipes.get(param.name)
            if recipe is None:
                continue
            place = "/" + "/".join(source.places.get(param.name, ()))
            if not place.startswith(f"{was}/"):
                raise PatchError(f"the contents of '{param.name}' cannot be found in the file")
            inner, _, name = place.removeprefix(f"{was}/").rpartition("/")
            holder = target[inner]
            del holder[name]
            write_param(source, param, recipe, holder, name)
