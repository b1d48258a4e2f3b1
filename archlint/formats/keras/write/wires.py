"""Which value of the graph an output of a layer is: what a config's references mean there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from archlint.formats.keras.arguments import Ref, call_args, refs_in, structure
from archlint.formats.keras.raw import Raw
from archlint.formats.keras.write.tree import Address, Config, Container, is_input, name_of
from archlint.graph import Graph, Node


class Wires:
    """The values of a graph by layer and output. A layer that is called several times has none."""

    def __init__(
        self, models: Mapping[Address, Container], groups: Mapping[Address, Sequence[Node]], graph: Graph
    ) -> None:
        self._groups = groups
        self._graph = graph
        self._entries = {path: one.by_name for path, one in models.items()}
        self._known: dict[tuple[Address, str], list[str] | None] = {}

    def value(self, model: Container, layer: str, output: int = 0) -> str | None:
        """The value that a layer of this model gives; None when that is not certain."""
        found = self.outputs(model, layer)
        return found[output] if found is not None and output < len(found) else None

    def outputs(self, model: Container, layer: str) -> list[str] | None:
        """All values that a layer of this model gives."""
        key = (model.path, layer)
        if key not in self._known:
            self._known[key] = None
            self._known[key] = self._outputs(model, layer)
        return self._known[key]

    def inputs(self, model: Container) -> list[str | None]:
        """The values that a model is called with, in the order of its inputs."""
        if model.parent is None:
            return [name for name, _ in self._graph.inputs]
        outer = model.parent
        if outer.sequential:
            return [self._before(outer, model.path[-1])]
        calls = model.entry.get("inbound_nodes") or []
        if len(calls) != 1:
            return []
        args = call_args(Raw(calls[0], ""))
        return [self.value(outer, ref.layer, ref.output) for ref in args.refs()]

    def given(self, model: Container) -> list[str | None]:
        """The values that a model gives back."""
        if model.sequential:
            names = [name_of(entry) for entry in model.layers]
            return [self.value(model, names[-1])] if names else []
        return [self.value(model, ref.layer, ref.output) for ref in _stated(model, "output_layers")]

    def _outputs(self, model: Container, layer: str) -> list[str] | None:
        entry = self._entries[model.path].get(layer)
        if entry is None or self._calls(model, entry) > 1:
            return None
        if is_input(entry):
            return self._bound(model, layer)
        if layer in model.children:
            found = self.given(model.children[layer])
            return [one for one in found if one is not None] if None not in found else None
        nodes = self._groups.get((*model.path, layer), ())
        return list(nodes[-1].outputs) if nodes else None

    @staticmethod
    def _calls(model: Container, entry: Config) -> int:
        return 1 if model.sequential else len(entry.get("inbound_nodes") or [])

    def _bound(self, model: Container, layer: str) -> list[str] | None:
        if model.parent is None:
            return [layer] if layer in dict(self._graph.inputs) else None
        inputs = self.inputs(model)
        names = [layer] if model.sequential else [ref.layer for ref in _stated(model, "input_layers")]
        found = dict(zip(names, inputs, strict=False)).get(layer)
        return None if found is None else [found]

    def _before(self, model: Container, layer: str) -> str | None:
        """What the layer of a Sequential reads."""
        names = [name_of(entry) for entry in model.layers]
        at = names.index(layer)
        if at > 0:
            return self.value(model, names[at - 1])
        return next(iter(self.inputs(model)), None)


def _stated(model: Container, key: str) -> Iterator[Ref]:
    return refs_in(structure(Raw(model.entry["config"][key], "")))
