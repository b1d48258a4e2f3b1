"""References to the output of another layer, as a functional config writes them; edited in place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from archlint.dataclass import dataclass
from archlint.errors import PatchError
from archlint.formats.keras.write.tree import Config, Container, is_input, name_of
from archlint.ops import Tensor


class Index:
    """Which layer of a functional model gives a value, as its config would refer to it."""

    def __init__(self, model: Container, layers: Sequence[Config], keras_major: int) -> None:
        self._model = model
        self._made: dict[str, tuple[str, int]] = {}
        calls = [call for entry in model.layers for call in entry.get("inbound_nodes") or []]
        self.modern = (
            any(isinstance(call, dict) and "args" in call for call in calls) if calls else keras_major >= 3
        )
        self._models = {name_of(entry) for entry in layers if _holds_input(entry)}
        stays = {name_of(entry) for entry in layers} - (self._models - model.children.keys())
        self._numbers = {ref.layer: ref.call for ref in references(calls) if ref.layer in stays}

    def add(self, value: str, layer: str, output: int) -> None:
        """Says that a layer gives a value; the first one that does counts."""
        self._made.setdefault(value, (layer, output))

    def place(self, value: str) -> tuple[str, int, int]:
        """Layer, output, and the number of the call that older dialects count from 1 for models."""
        if value not in self._made:
            where = "/".join(self._model.path) or self._model.layer.name
            what = "is not made there, or by a layer that is called several times"
            raise PatchError(f"'{value}' cannot be read in the model '{where}': it {what}")
        layer, output = self._made[value]
        return layer, output, self._numbers.get(layer, int(self.counts_itself(layer)))

    def counts_itself(self, layer: str) -> bool:
        """Whether the first call of a layer has the number 1: Keras 1 and 2 count what a model is made of."""
        return not self.modern and layer in self._models


@dataclass(slots=True)
class Reference:
    """One reference. ``tensor`` is the config of a ``__keras_tensor__``, which states a shape as well."""

    parts: list[Any]
    tensor: dict[str, Any] | None = None

    @property
    def layer(self) -> str:
        """Name of the layer."""
        return str(self.parts[0])

    @property
    def call(self) -> int:
        """Which call of the layer."""
        return int(self.parts[1])

    @property
    def output(self) -> int:
        """Which output of the call."""
        return int(self.parts[2])

    def point(
        self, index: Index, value: str, reader: str, tensors: Mapping[str, Tensor], reshaped: bool
    ) -> None:
        """Refers to a value from now on; its shape is stated anew when it has changed."""
        try:
            layer, output, call = index.place(value)
        except PatchError as error:
            raise PatchError(f"'{reader}': {error}") from error
        if (layer, output) != (self.layer, self.output):
            self.parts[:3] = [layer, call, output]
            reshaped = True
        known = tensors.get(value)
        if reshaped and self.tensor is not None and known is not None and known.shape is not None:
            self.tensor["shape"] = _dims(known)
            self.tensor["dtype"] = known.dtype or self.tensor.get("dtype", "float32")


def _holds_input(entry: Config) -> bool:
    """Whether a layer is a model that was built when it was made."""
    config = entry.get("config")
    layers = config.get("layers") if isinstance(config, dict) else config
    return isinstance(layers, list) and any(is_input(one) for one in layers if isinstance(one, dict))


def _dims(tensor: Tensor) -> list[int | None]:
    return [dim if isinstance(dim, int) else None for dim in tensor.shape or ()]


def references(calls: Sequence[Any]) -> Iterator[Reference]:
    """Every reference in some ``inbound_nodes`` or ``output_layers``, in order."""
    for call in calls:
        modern = isinstance(call, dict) and ("args" in call or "kwargs" in call)
        yield from _modern(call) if modern else _legacy(call)


def _modern(item: Any) -> Iterator[Reference]:
    if isinstance(item, dict):
        config = item.get("config")
        if item.get("class_name") == "__keras_tensor__" and isinstance(config, dict):
            if isinstance(config.get("keras_history"), list):
                yield Reference(config["keras_history"], config)
            return
        for inner in item.values():
            yield from _modern(inner)
    elif isinstance(item, list):
        for inner in item:
            yield from _modern(inner)


def _legacy(item: Any) -> Iterator[Reference]:
    if isinstance(item, dict):
        for inner in item.values():
            yield from _legacy(inner)
    elif isinstance(item, list):
        if len(item) >= 3 and isinstance(item[0], str) and all(type(one) is int for one in item[1:3]):
            if item[0] != "_CONSTANT_VALUE":
                yield Reference(item)
            yield from _legacy(item[3:])
            return
        for inner in item:
            yield from _legacy(inner)


def drop_unset(calls: Sequence[Any]) -> None:
    """Leaves out keyword arguments of None, such as TimeDistributed's mask, which not every layer takes."""
    for call in calls:
        if isinstance(call, dict) and isinstance(call.get("kwargs"), dict):
            call["kwargs"] = {key: value for key, value in call["kwargs"].items() if value is not None}


def fresh_call(index: Index, values: Sequence[str], tensors: Mapping[str, Tensor], many: bool) -> Any:
    """The arguments of a new call that reads these values; ``many`` when it takes a list."""
    found = [_said(index, value, tensors) for value in values]
    if index.modern:
        return {"args": [found if many else found[0]], "kwargs": {}}
    return found


def _said(index: Index, value: str, tensors: Mapping[str, Tensor]) -> Any:
    layer, output, call = index.place(value)
    if not index.modern:
        return [layer, call, output, {}]
    tensor = tensors[value]
    config = {
        "shape": _dims(tensor),
        "dtype": tensor.dtype or "float32",
        "keras_history": [layer, call, output],
    }
    return {"class_name": "__keras_tensor__", "config": config}
