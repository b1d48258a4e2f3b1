"""Puts a change into the config: layers go, come and change, and references follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archlint.errors import PatchError
from archlint.formats.keras.write.change import Change, outside
from archlint.formats.keras.write.entries import Site, dialect_of, entry_of
from archlint.formats.keras.write.order import loaded_order
from archlint.formats.keras.write.references import Index, drop_unset, fresh_call, references
from archlint.formats.keras.write.tree import Address, Config, Container, is_input, name_of
from archlint.formats.keras.write.wires import Wires


class Rewiring:
    """One change on its way into a config. ``models`` are the models of the config, edited in place."""

    def __init__(self, change: Change, models: Mapping[Address, Container], keras_major: int) -> None:
        self.change = change
        self.models = models
        self.wires = Wires(models, change.old, change.before)
        self.dialects = {path: dialect_of(one.layers, keras_major) for path, one in models.items()}
        self.makers = {value: change.layer(node) for value, node in change.after.producers.items()}
        self._old_inputs = {path: self.wires.inputs(one) for path, one in models.items()}
        self._old_given = {path: self.wires.given(one) for path, one in models.items()}
        self._values = {
            (path, name): self.wires.outputs(one, name)
            for path, one in models.items()
            for name in one.by_name
        }
        self._calls = {
            (path, name): 1 if one.sequential else len(entry.get("inbound_nodes") or [])
            for path, one in models.items()
            for name, entry in one.by_name.items()
        }

        self._loaded = {
            path: loaded_order(
                one.layers, one.entry["config"]["input_layers"], one.entry["config"]["output_layers"]
            )
            for path, one in models.items()
            if not one.sequential
        }

    def run(self) -> None:
        """Edits the config.

        Raises:
            PatchError: the config cannot say the change.
        """
        self._refuse_strays()
        inner_first = sorted(self.models.values(), key=lambda one: -len(one.path))
        for model in inner_first:
            entries = self._entries(model)
            if model.sequential:
                self._chain(model, entries)
            else:
                self._connect(model, entries)

    def _refuse_strays(self) -> None:
        for key in sorted(self.change.touched | self.change.gone):
            if key[:-1] not in self.models:
                raise PatchError(f"there is no model '{'/'.join(key[:-1])}' that could hold '{key[-1]}'")
            if self._calls.get((key[:-1], key[-1]), 1) > 1:
                raise PatchError(f"the layer '{'/'.join(key)}' is called several times")

    def inputs(self, model: Container) -> list[str | None]:
        """The values that a model reads afterwards."""
        if model.parent is None:
            return [name for name, _ in self.change.after.inputs]
        return [None if old is None else self._outer(model, old) for old in self._old_inputs[model.path]]

    def _outer(self, model: Container, old: str) -> str:
        now = self.change.moved.get(old, old)
        return old if self._within(model, now) else now

    def _within(self, model: Container, value: str) -> bool:
        return self.makers.get(value, ())[: len(model.path)] == model.path and value in self.makers

    def given(self, model: Container) -> list[str | None]:
        """The values that a model gives back afterwards."""
        found = [None if old is None else self._given_now(model, old) for old in self._old_given[model.path]]
        if model.sequential and found == [None] and model.layers:
            return [(self.gives(model, model.layers[-1]) or [None])[0]]
        return found

    def _given_now(self, model: Container, old: str) -> str | None:
        inputs = self.inputs(model)
        for value in (self.change.moved.get(old, old), old):
            if self._within(model, value) or value in inputs:
                return value
        graph = self.change.after
        read = [
            value
            for value in graph.producers
            if self._within(model, value)
            and any(
                self.makers[node.outputs[0]][: len(model.path)] != model.path
                for node in graph.consumers.get(value, ())
            )
        ]
        return read[0] if len(read) == 1 and len(self._old_given[model.path]) == 1 else None

    def _entries(self, model: Container) -> list[Config]:
        """The layers of a model afterwards, those that stay in their place, new ones at the end."""
        change, found = self.change, []
        for entry in model.layers:
            key = (*model.path, name_of(entry))
            if key in change.gone:
                continue
            found.append(self._made(model, key, entry) if key in change.touched else entry)
        stood = {name_of(entry) for entry in model.layers}
        order: dict[Address, None] = {change.layer(node): None for node in change.after.nodes}
        for key in order:
            if key[:-1] == model.path and key[-1] not in stood and key in change.touched:
                found.append(self._made(model, key, None))
        return found

    def _made(self, model: Container, key: Address, old: Config | None) -> Config:
        nodes, before = self.change.new[key], self.change.old.get(key, ())
        shape = self._shape(outside(nodes), self.change.tensors_after)
        was = self._shape(outside(before), self.change.tensors_before)
        site = Site(key[-1], "/".join(key), nodes, before, old, shape, was)
        return entry_of(site, self.dialects[model.path])

    @staticmethod
    def _shape(values: Sequence[str], tensors: Mapping[str, Any]) -> Any:
        return tensors[values[0]].shape if values and values[0] in tensors else None

    def reads(self, model: Container, entry: Config) -> list[str]:
        """The values that a layer reads afterwards."""
        name = name_of(entry)
        if name in model.children:
            return [value for value in self.inputs(model.children[name]) if value is not None]
        return outside(self.change.new.get((*model.path, name), ()))

    def read_before(self, model: Container) -> list[str | None]:
        """The values that a model read before."""
        return self._old_inputs[model.path]

    def read_by(self, layer: Address) -> list[str]:
        """The values that a layer read before."""
        return outside(self.change.old.get(layer, ()))

    def is_shared(self, model: Container, layer: str) -> bool:
        """Whether a layer is called several times."""
        return self._calls.get((model.path, layer), 1) > 1

    def gives(self, model: Container, entry: Config) -> list[str | None]:
        """The values that a layer gives afterwards; none when that is not certain."""
        name = name_of(entry)
        if self._calls.get((model.path, name), 1) > 1:
            return []
        if name in model.children:
            return self.given(model.children[name])
        if is_input(entry):
            old = self._values.get((model.path, name)) or []
            return [*old] if model.parent is None else [self._outer(model, value) for value in old]
        nodes = self.change.new.get((*model.path, name), ())
        return list(nodes[-1].outputs) if nodes else []

    def _chain(self, model: Container, entries: list[Config]) -> None:
        """Puts the layers of a Sequential in the order in which they read each other."""
        if not self._changes(model):
            return
        heads = [entry for entry in entries if is_input(entry)]
        rest = [entry for entry in entries if not is_input(entry)]
        heads = heads or self._kept_head(model, rest)
        current = next(iter(self.inputs(model)), None)
        ordered: list[Config] = []
        while rest:
            ready = [entry for entry in rest if set(self.reads(model, entry)) == {current}]
            if len(ready) != 1:
                where = name_of(rest[0])
                raise PatchError(
                    f"'{where}' would need a branch, which the Sequential model has no place for"
                )
            rest.remove(ready[0])
            ordered.append(ready[0])
            current = next(iter(self.gives(model, ready[0])), None)
        model.layers = [*heads, *ordered]

    def _changes(self, model: Container) -> bool:
        keys = self.change.gone | self.change.touched
        return any(key[:-1] == model.path for key in keys)

    def _kept_head(self, model: Container, rest: list[Config]) -> list[Config]:
        """An InputLayer for a Sequential whose first layer stated the input and does so no longer."""
        first = model.layers[0]
        stays = rest and name_of(rest[0]) == name_of(first) and "batch_input_shape" in rest[0]["config"]
        stated = first["config"].get("batch_input_shape") if isinstance(first["config"], dict) else None
        if model.parent is not None or stays or stated is None:
            return []
        config = {"batch_input_shape": stated, "dtype": first["config"].get("dtype") or "float32"}
        config |= {"sparse": False, "ragged": False, "name": f"{name_of(first)}_input"}
        if first["class_name"] == "Embedding":
            raise PatchError(f"'{name_of(first)}' states the input of the model and has to stay first")
        return [{"class_name": "InputLayer", "config": config}]

    def _connect(self, model: Container, entries: list[Config]) -> None:
        """Has the references of a functional model follow the values that the layers read."""
        index = Index(model, entries, self.dialects[model.path].keras_major)
        for entry in entries:
            for output, value in enumerate(self.gives(model, entry)):
                if value is not None:
                    index.add(value, name_of(entry), output)
        stood = model.by_name
        for entry in entries:
            name = name_of(entry)
            key = (*model.path, name)
            before = stood.get(name)
            values = self._replaced(model, entry)
            if before is not None and values is not None:
                if entry is not before:
                    entry |= {k: before[k] for k in ("name", "inbound_nodes") if k in before}
                    if entry["class_name"] != before["class_name"]:
                        drop_unset(entry["inbound_nodes"])
                self._substitute(model, entry, index, values)
            elif not is_input(entry):
                tensors = self.change.tensors_after
                entry["name"] = name
                many = len(self.change.new[key][0].inputs) > 1 or self.change.new[key][0].op in _MERGING
                entry["inbound_nodes"] = [fresh_call(index, self.reads(model, entry), tensors, many)]
        self._set_outputs(model, index)
        model.layers = self._ordered(model, entries)

    def _replaced(self, model: Container, entry: Config) -> Mapping[str, str] | None:
        """Value → what a layer reads in its place; None when its arguments have to be said anew."""
        name = name_of(entry)
        key = (*model.path, name)
        if name in model.children:
            was, now = self._old_inputs[key], self.inputs(model.children[name])
            return {a: b for a, b in zip(was, now, strict=True) if a is not None and b is not None}
        old, new = self.read_by(key), outside(self.change.new.get(key, ()))
        found = dict(zip(old, new, strict=False))
        if len(old) == len(new) and [found[value] for value in old] == new and (old or is_input(entry)):
            return found
        return None if key in self.change.touched else {}

    def _substitute(self, model: Container, entry: Config, index: Index, values: Mapping[str, str]) -> None:
        for ref in references(entry.get("inbound_nodes") or []):
            made = self._values.get((model.path, ref.layer))
            old = made[ref.output] if made and ref.output < len(made) else None
            if old is None:
                if (*model.path, ref.layer) in self.change.gone:
                    raise PatchError(f"'{name_of(entry)}' still reads the layer '{ref.layer}'")
                continue
            now = values.get(old, self.change.moved.get(old, old))
            ref.point(index, now, name_of(entry), self.change.tensors_after, self.change.reshaped(old, now))

    def _set_outputs(self, model: Container, index: Index) -> None:
        """The outputs of a nested model follow; those of the whole model keep their layers."""
        if model.parent is None:
            for ref in references([model.entry["config"]["output_layers"]]):
                if ref.layer not in model.children and index.counts_itself(ref.layer):
                    ref.parts[1] = 1
            return
        for ref, value in zip(
            references([model.entry["config"]["output_layers"]]), self.given(model), strict=True
        ):
            if value is None and (*model.path, ref.layer) in self.change.gone | self.change.touched:
                raise PatchError(f"the model '{'/'.join(model.path)}' would no longer give '{ref.layer}'")
            if value is not None and index.place(value)[:2] != (ref.layer, ref.output):
                ref.point(index, value, "/".join(model.path), {}, False)

    def _ordered(self, model: Container, entries: list[Config]) -> list[Config]:
        """The layers in the order in which Keras will list them, by which it numbers their weights.

        A config in another order than Keras gives it was not written by Keras; it keeps its order, with new
        layers behind what they read.
        """
        config = model.entry["config"]
        found = self._placed(model, entries)
        if [name_of(entry) for entry in model.layers] != self._loaded[model.path]:
            return found
        names = loaded_order(found, config["input_layers"], config["output_layers"])
        by_name = {name_of(entry): entry for entry in found}
        lost = next((name for name, entry in by_name.items() if name not in names), None)
        if lost is not None:
            raise PatchError(f"nothing would read '{lost}' any more, and Keras drops such layers")
        return [by_name[name] for name in names]

    def _placed(self, model: Container, entries: list[Config]) -> list[Config]:
        """The layers in the order of the file, new ones behind what they read."""
        stood = model.by_name
        found = [entry for entry in entries if name_of(entry) in stood]
        for entry in entries:
            if name_of(entry) in stood:
                continue
            names = [ref.layer for ref in references(entry["inbound_nodes"])]
            places = [at for at, other in enumerate(found) if name_of(other) in names]
            found.insert(max(places, default=len(found) - 1) + 1, entry)
        return found


_MERGING = frozenset({"Add", "Concat", "Max", "Mean", "Min", "Mul", "Sub"})
