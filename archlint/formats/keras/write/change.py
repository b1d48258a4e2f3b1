"""What a list of edits comes to: which layers go, come or change, and where new tensors come from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

from archlint.dataclass import dataclass
from archlint.errors import PatchError
from archlint.formats.keras.write.tree import Address
from archlint.graph import Edit, Graph, Made, Node, Param, SetTraining, Splice, Training, apply
from archlint.ops import Tensor, infer


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the contents of a new tensor are made, from stored tensors and from others that are made."""

    made: Made
    sources: tuple[Recipe | Param, ...]


@dataclass(frozen=True)
class Change:
    """The graph before and after all edits, by layer.

    ``moved`` maps each value to the one that its readers read now; ``recipes`` the params whose contents
    the file does not hold; ``models`` are the paths of the nested models.
    """

    before: Graph
    after: Graph
    models: frozenset[Address]
    moved: Mapping[str, str]
    recipes: Mapping[str, Recipe]
    training: Training | None = None
    sets_training: bool = False

    @cached_property
    def old(self) -> Mapping[Address, tuple[Node, ...]]:
        """Layer → its nodes before."""
        return self._groups(self.before)

    @cached_property
    def new(self) -> Mapping[Address, tuple[Node, ...]]:
        """Layer → its nodes afterwards."""
        return self._groups(self.after)

    @cached_property
    def gone(self) -> frozenset[Address]:
        """Layers of which no node is left."""
        return frozenset(self.old.keys() - self.new.keys())

    @cached_property
    def touched(self) -> frozenset[Address]:
        """Layers that are new, or of which a node differs in more than what it reads."""
        return frozenset(key for key, nodes in self.new.items() if self._differs(key, nodes))

    @cached_property
    def tensors_before(self) -> Mapping[str, Tensor]:
        """What is known of each value before."""
        return infer(apply(self.before, ()))

    @cached_property
    def tensors_after(self) -> Mapping[str, Tensor]:
        """What is known of each value afterwards."""
        return infer(self.after)

    def reshaped(self, before: str | None, after: str) -> bool:
        """Whether the shape of what is read has changed."""
        old = self.tensors_before.get(before or "")
        new = self.tensors_after.get(after)
        return old is None or new is None or old.shape != new.shape

    def _groups(self, graph: Graph) -> dict[Address, tuple[Node, ...]]:
        found: dict[Address, list[Node]] = {}
        for node in graph.nodes:
            found.setdefault(self.layer(node), []).append(node)
        return {key: tuple(nodes) for key, nodes in found.items()}

    def layer(self, node: Node) -> Address:
        """The layer of a config that holds a node: what stands below a wrapper belongs to the wrapper."""
        address = node.origin.address
        if not address:
            raise PatchError(f"'{node.name}': the new node does not say which layer it belongs to")
        for length in range(1, len(address)):
            if address[:length] not in self.models:
                return address[:length]
        return address

    def _differs(self, key: Address, nodes: Sequence[Node]) -> bool:
        old = {node.name: node for node in self.old.get(key, ())}
        if old.keys() != {node.name for node in nodes}:
            return True
        return any(self._other(old[node.name], node) for node in nodes)

    def _other(self, old: Node, new: Node) -> bool:
        unwrapped = old.origin.native == "TimeDistributed" and not new.origin.native
        if unwrapped or any(param.name in self.recipes for param in new.params):
            return True
        parts = ("op", "outputs", "attrs", "params", "bodies")
        return any(getattr(old, part) != getattr(new, part) for part in parts) or len(old.inputs) != len(
            new.inputs
        )


def change(graph: Graph, edits: Sequence[Edit], models: Collection[Address]) -> Change:
    """All edits as one.

    Raises:
        PatchError: the edits do not fit the graph.
    """
    moved: dict[str, str] = {}
    recipes: dict[str, Recipe] = {}
    stored = {param.name: param for node in graph.nodes for param in node.params}
    training, sets_training = graph.training, False
    for edit in edits:
        match edit:
            case Splice():
                moved = {value: edit.moved.get(now, now) for value, now in moved.items()}
                moved |= {value: now for value, now in edit.moved.items() if value not in moved}
                recipes |= _recipes(edit, recipes, stored)
            case SetTraining():
                training, sets_training = edit.training, True
    after = apply(graph, edits)
    return Change(graph, after, frozenset(models), moved, recipes, training, sets_training)


def _recipes(edit: Splice, made: Mapping[str, Recipe], stored: Mapping[str, Param]) -> dict[str, Recipe]:
    found = {}
    for name, tensor in edit.tensors.items():
        missing = next((one for one in tensor.sources if one not in made and one not in stored), None)
        if missing is not None:
            raise PatchError(f"'{name}' would be made of '{missing}', which the file does not hold")
        sources = tuple(made[one] if one in made else stored[one] for one in tensor.sources)
        found[name] = Recipe(tensor, sources)
    return found


def outside(nodes: Sequence[Node]) -> list[str]:
    """The values that the nodes of a layer read from other layers, in order."""
    own = {value for node in nodes for value in node.outputs}
    return [value for node in nodes for value in node.inputs if value and value not in own]
