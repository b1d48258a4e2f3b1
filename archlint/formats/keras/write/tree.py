"""The models of a config, nested ones too, as the JSON that stands in the file; edited in place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from archlint.dataclass import dataclass
from archlint.errors import PatchError
from archlint.formats.keras import models
from archlint.formats.keras.builder import MAX_MODEL_DEPTH, Builder
from archlint.formats.keras.call import Layer
from archlint.formats.keras.raw import Raw

Config = dict[str, Any]
"""A JSON object of the file."""

Address = tuple[str, ...]
"""Names of the nested models from the outside in, then a layer's own."""


@dataclass(eq=False, slots=True)
class Container:
    """A model that holds layers. ``path`` are the names that lead to it, ``()`` for the outermost."""

    path: Address
    layer: Layer
    entry: Config
    parent: Container | None = None
    children: dict[str, Container] = field(default_factory=dict)

    @property
    def layers(self) -> list[Config]:
        """The serialised layers, in the order of the file; a list that may be changed."""
        config = self.entry["config"]
        found: list[Config] = config if isinstance(config, list) else config["layers"]
        return found

    @layers.setter
    def layers(self, entries: list[Config]) -> None:
        config = self.entry["config"]
        if isinstance(config, list):
            self.entry["config"] = entries
        else:
            config["layers"] = entries

    @property
    def sequential(self) -> bool:
        """Whether each layer reads the one before it."""
        return isinstance(self.entry["config"], list) or "output_layers" not in self.entry["config"]

    @property
    def by_name(self) -> Mapping[str, Config]:
        """Name of a layer → its entry."""
        return {name_of(entry): entry for entry in self.layers}


def name_of(entry: Config) -> str:
    """Name of a serialised layer."""
    return models.layer_of(Raw(entry, ""), Builder(""), ()).name


def is_input(entry: Config) -> bool:
    """Whether a serialised layer only states an input."""
    return str(entry.get("class_name")) == "InputLayer"


def containers(entry: Config, builder: Builder) -> dict[Address, Container]:
    """Path → model, the outermost first."""
    layer = models.layer_of(Raw(entry, builder.path), builder, ())
    top = Container((), layer, entry)
    return {one.path: one for one in _nested(top, builder, 0)}


def _nested(one: Container, builder: Builder, depth: int) -> Iterator[Container]:
    if depth > MAX_MODEL_DEPTH:
        raise PatchError(f"models are nested more than {MAX_MODEL_DEPTH} deep")
    yield one
    for entry in one.layers:
        layer = models.layer_of(Raw(entry, builder.path), builder, one.path)
        if models.is_model(layer):
            inner = Container((*one.path, layer.name), layer, entry, one)
            one.children[layer.name] = inner
            yield from _nested(inner, builder, depth + 1)
