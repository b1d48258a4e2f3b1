"""Changes to a graph, as values: what a fix asks for and a writer carries out.

Law: reading what a writer wrote gives ``apply`` of the edits to what was read, up to ``skeleton``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace

from archlint.dataclass import dataclass
from archlint.errors import PatchError
from archlint.graph.types import Graph, Node, Origin, TensorType, Training

OVERRIDABLE = "overridable_weights"
"""Metadata of an ONNX graph: how many stored weights are inputs as well, in files that need not list them."""


@dataclass(frozen=True, slots=True)
class Made:
    """Contents of a new tensor: a function of stored tensors, called when the file is written.

    ``sources`` are names of params; ``compute`` takes their arrays (numpy, in the file's own axis order and
    dtype) and gives an array of the new param's shape and dtype.
    """

    sources: tuple[str, ...]
    compute: Callable[..., object]


@dataclass(frozen=True, slots=True)
class Splice:
    """Takes nodes out and puts others in their place.

    ``removed`` are names of nodes. ``added`` are new nodes, in any order; one may carry a name or make a
    value of a removed one. ``moved`` says which value the remaining readers of a value shall read instead.
    ``tensors`` holds the contents of every param of ``added`` that the file does not hold yet.
    A node that keeps its place and only changes its settings is removed and added.
    """

    removed: frozenset[str] = frozenset()
    added: tuple[Node, ...] = ()
    moved: Mapping[str, str] = field(default_factory=dict)
    tensors: Mapping[str, Made] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SetInput:
    """Declares another type for a model input, such as one whose height and width are free."""

    name: str
    type: TensorType


@dataclass(frozen=True, slots=True)
class SetTraining:
    """Puts other compile settings in place of the saved ones; None leaves what only training needs out."""

    training: Training | None


@dataclass(frozen=True, slots=True)
class Seal:
    """Takes the stored weights off the inputs of an ONNX model, so that no caller can override them."""


Edit = Splice | SetInput | SetTraining | Seal


def apply(graph: Graph, edits: Sequence[Edit]) -> Graph:
    """The graph after the edits, one by one; ``declared`` types are dropped, since they may be stale.

    Raises:
        PatchError: an edit names what is not there, renames an output of the model, or leaves a reader
            without its value.
    """
    for edit in edits:
        match edit:
            case Splice():
                graph = _splice(graph, edit)
            case SetInput():
                graph = _set_input(graph, edit)
            case SetTraining():
                graph = replace(graph, training=edit.training)
            case Seal():
                graph = _seal(graph)
    return replace(graph, declared={})


def skeleton(graph: Graph) -> Graph:
    """The graph without what a rewrite may change: declared types, and what the file calls its nodes."""
    nodes = tuple(replace(node, origin=Origin("", ())) for node in graph.nodes)
    return replace(graph, nodes=nodes, declared={})


def all_of_stored(edits: Sequence[Edit]) -> tuple[Edit, ...]:
    """The same edits, with every new tensor made of tensors that the file holds.

    The sources of an edit are tensors as the edits before it have left them.
    """
    found: list[Edit] = []
    made: dict[str, Made] = {}
    for edit in edits:
        found.append(of_stored(edit, made))
        made |= made_by((found[-1],))
    return tuple(found)


def of_stored(edit: Edit, made: Mapping[str, Made]) -> Edit:
    """An edit that says the same of the file as this one says of a graph whose tensors ``made`` were changed.

    A rewrite that reads ``bn/moving_mean`` means what an earlier fix has put there; the file still holds
    what was there first.
    """
    if not isinstance(edit, Splice) or not made:
        return edit
    return replace(edit, tensors={name: _composed(new, made) for name, new in edit.tensors.items()})


def made_by(edits: Sequence[Edit]) -> Mapping[str, Made]:
    """Name of a new tensor → how it comes about."""
    splices = (edit for edit in edits if isinstance(edit, Splice))
    return {name: made for edit in splices for name, made in edit.tensors.items()}


def _composed(new: Made, made: Mapping[str, Made]) -> Made:
    if not made.keys() & set(new.sources):
        return new
    parts = [made.get(name) or Made((name,), lambda values: values) for name in new.sources]

    def compute(*values: object) -> object:
        waiting = iter(values)
        return new.compute(*(part.compute(*(next(waiting) for _ in part.sources)) for part in parts))

    return Made(tuple(name for part in parts for name in part.sources), compute)


def _splice(graph: Graph, edit: Splice) -> Graph:
    missing = sorted(edit.removed - graph.by_name.keys())
    if missing:
        raise PatchError(f"there is no node '{missing[0]}' to take out")
    kept = [node for node in graph.nodes if node.name not in edit.removed]
    first = next((at for at, node in enumerate(graph.nodes) if node.name in edit.removed), len(kept))
    moved = [replace(node, inputs=tuple(edit.moved.get(v, v) for v in node.inputs)) for node in kept]
    for value in graph.outputs:
        if value in edit.moved:
            raise PatchError(f"'{value}' is an output of the model; its name has to stay")
    nodes = _ordered(graph, [*moved[:first], *edit.added, *moved[first:]])
    return replace(graph, nodes=tuple(nodes))


def _set_input(graph: Graph, edit: SetInput) -> Graph:
    if edit.name not in dict(graph.inputs):
        raise PatchError(f"there is no input '{edit.name}'")
    inputs = tuple((name, edit.type if name == edit.name else old) for name, old in graph.inputs)
    return replace(graph, inputs=inputs)


def _seal(graph: Graph) -> Graph:
    if not graph.metadata.get(OVERRIDABLE):
        raise PatchError("no stored weight is an input of the model that could be left out")
    rest = {key: item for key, item in graph.metadata.items() if key != OVERRIDABLE}
    return replace(graph, metadata=rest)


def _ordered(graph: Graph, nodes: Sequence[Node]) -> list[Node]:
    """The nodes so that each stands after those that it reads, and otherwise where it stood."""
    made = {value: node.name for node in nodes for value in node.outputs if value}
    known = {name for name, _ in graph.inputs}
    for value in (value for node in nodes for value in _reads(node)):
        if value not in made and value not in known:
            raise PatchError(f"nothing makes '{value}' any more, which is still read")
    for value in graph.outputs:
        if value not in made and value not in known:
            raise PatchError(f"nothing makes the output '{value}' any more")
    by_name = {node.name: node for node in nodes}
    if len(by_name) != len(nodes) or len(made) != sum(bool(v) for node in nodes for v in node.outputs):
        raise PatchError("a name would stand twice")
    done: dict[str, None] = {}
    for node in nodes:
        path, waiting = [node.name], {node.name}
        while path:
            needs = (made[value] for value in _reads(by_name[path[-1]]) if value in made)
            ahead = next((name for name in needs if name not in done), None)
            if ahead is None:
                waiting.discard(path[-1])
                done.setdefault(path.pop())
            elif ahead in waiting:
                raise PatchError(f"'{ahead}' would read what it makes")
            else:
                path.append(ahead)
                waiting.add(ahead)
    return [by_name[name] for name in done]


def _reads(node: Node) -> list[str]:
    captured = (value for _, body in node.bodies for value in body.captures)
    return [value for value in (*node.inputs, *captured) if value]
