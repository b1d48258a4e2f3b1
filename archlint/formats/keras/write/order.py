"""The order in which Keras lists the layers of a functional model when it is loaded.

Weights are numbered in that order, whatever the order in the config.
Source: ``map_graph`` of keras/src/ops/function.py; ``_map_graph_network`` of Keras 2 gives the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from archlint.formats.keras.write.references import Reference, references
from archlint.formats.keras.write.tree import Config, name_of

_Call = tuple[str, int]


def loaded_order(layers: Sequence[Config], inputs: object, outputs: object) -> list[str]:
    """Names of the layers that Keras keeps, farthest from the outputs first.

    Layers that no output needs are left out, unless they are inputs.
    """
    calls = _Calls(layers)
    finished, seen = calls.walked([calls.meant(ref) for ref in references([outputs])])
    depths = calls.depths(finished)
    for ref in references([inputs]):
        if ref.layer not in depths:
            depths[ref.layer], seen[ref.layer] = 0, -1
    return sorted(depths, key=lambda name: (-depths[name], seen[name]))


class _Calls:
    """The calls of a functional model and what each of them reads."""

    def __init__(self, layers: Sequence[Config]) -> None:
        self._refs = {
            name_of(entry): [list(references([call])) for call in entry.get("inbound_nodes") or []]
            for entry in layers
        }
        self._first: dict[str, int] = {}
        for ref in (ref for calls in self._refs.values() for call in calls for ref in call):
            self._first[ref.layer] = min(ref.call, self._first.get(ref.layer, 1))

    def meant(self, ref: Reference) -> _Call:
        """The call that a reference means; in places models are counted from 1, and inputs have no calls."""
        count = max(1, len(self._refs.get(ref.layer, ())))
        return ref.layer, min(max(0, ref.call - self._first.get(ref.layer, 0)), count - 1)

    def parents(self, call: _Call) -> list[_Call]:
        """The calls that a call reads, in order."""
        made = self._refs.get(call[0], [])
        return [self.meant(ref) for ref in made[call[1]]] if call[1] < len(made) else []

    def walked(self, ends: Sequence[_Call]) -> tuple[list[_Call], dict[str, int]]:
        """Calls in the order in which a depth-first walk leaves them, and layers as it first meets them."""
        finished: dict[_Call, None] = {}
        seen: dict[str, int] = {}
        for end in ends:
            path = [(end, iter(self.parents(end)))] if end not in finished else []
            seen.setdefault(end[0], len(seen))
            while path:
                call, parents = path[-1]
                after = next((parent for parent in parents if parent not in finished), None)
                if after is None:
                    finished.setdefault(call)
                    path.pop()
                else:
                    seen.setdefault(after[0], len(seen))
                    path.append((after, iter(self.parents(after))))
        return list(finished), seen

    def depths(self, finished: Sequence[_Call]) -> dict[str, int]:
        """Layer → how many calls lie between it and an output, at most."""
        of_call: dict[_Call, int] = {}
        of_layer: dict[str, int] = {}
        for call in reversed(finished):
            depth = max(of_call.get(call, 0), of_layer.get(call[0], 0))
            of_call[call] = of_layer[call[0]] = depth
            for parent in self.parents(call):
                of_call[parent] = max(depth + 1, of_call.get(parent, 0))
        return of_layer
