"""Where nodes are collected while a config is walked, with shapes and params worked out as they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace

from archlint.dataclass import dataclass
from archlint.errors import ReadError
from archlint.formats.base import MAX_NODES
from archlint.formats.keras.raw import Raw
from archlint.graph import Attr, Graph, Node, Origin, Param, Shape, TensorType
from archlint.ops import TABLE, has_trait, outputs_of, weights_of
from archlint.ops.base import UNKNOWN, Tensor

MAX_MODEL_DEPTH = 64
"""Deepest nesting of models that is followed; the deepest seen in a real file is 4."""


MAX_CALLS = 30_000
"""Most layer calls that are followed, shared models counted each time; real files have up to 3,000."""

MAX_OUTPUTS = 1000
"""Most outputs that a layer archlint does not know may be read at."""


class Val(str):
    """Name of a value of the graph, told apart from text that a config holds."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds the params of a node: prefix of their names, element type, whether they are trained.

    ``computed`` is the element type of the node's floating outputs; None when the file does not say.
    """

    name: str
    dtype: str = "float32"
    trainable: bool = True
    computed: str | None = None


@dataclass(slots=True)
class Builder:
    """Nodes so far. ``tensors`` is what is known of each value, ``ignored`` are masks no op reads.

    ``stored`` looks up weights by group, by the names that lead to the layer, and whether they are trained.
    """

    path: str
    keras_major: int = 3
    nodes: list[Node] = field(default_factory=list)
    inputs: list[tuple[str, TensorType]] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    declared: dict[str, TensorType] = field(default_factory=dict)
    ignored: set[str] = field(default_factory=set)
    per_step: bool = False
    stored: Callable[[Sequence[str], Sequence[str], bool], tuple[Param, ...]] | None = None
    calls: int = 0
    depth: int = 0
    _taken: dict[str, int] = field(default_factory=dict)

    def enter(self, layer: Raw) -> None:
        """Counts one more call within the calls that are open; bounds how many and how deep."""
        self.calls += 1
        self.depth += 1
        if self.calls > MAX_CALLS or self.depth > MAX_MODEL_DEPTH:
            raise layer.error("layers hold each other too deep, or call each other too often, to be followed")

    def leave(self) -> None:
        """Ends the call that was entered last."""
        self.depth -= 1

    def fresh(self, name: str) -> str:
        """The name itself, or with ":1", ":2", … when it is taken."""
        count = self._taken.get(name)
        if count is None:
            self._taken[name] = 1
            return name
        while f"{name}:{count}" in self._taken:
            count += 1
        self._taken[name] = count + 1
        return self.fresh(f"{name}:{count}")

    def add_input(self, name: str, type_: TensorType) -> Val:
        """A new input of the graph."""
        name = self.fresh(name)
        self.inputs.append((name, type_))
        self.tensors[name] = Tensor(type_.dtype, type_.shape)
        return Val(name)

    def add(
        self,
        name: str,
        op: str,
        inputs: Sequence[str],
        attrs: Mapping[str, Attr],
        origin: Origin,
        owner: Owner,
        extra: Sequence[Param] = (),
        outputs: int = 1,
    ) -> list[Val]:
        """A new node; its output values. ``extra`` params come after those that the op itself creates."""
        if len(self.nodes) >= MAX_NODES:
            raise ReadError(self.path, "", f"the model has more than {MAX_NODES} nodes once it is unfolded")
        name = self.fresh(name)
        made = [name] + [self.fresh(f"{name}.{index}") for index in range(1, outputs)]
        kept = _without_defaults(op, attrs)
        node = Node(name, op, tuple(str(value) for value in inputs), tuple(made), kept, (), (), origin)
        ins = [self.tensors.get(value, UNKNOWN) for value in inputs]
        params = (*self._weights(node, ins, owner), *extra)
        node = replace(node, params=params) if params else node
        outs: Sequence[Tensor] = outputs_of(node, ins) if op in TABLE else ()
        if owner.computed is not None and _differs(node, outs, owner.computed):
            node = replace(node, attrs={**kept, "compute_dtype": owner.computed})
            outs = outputs_of(node, ins)
        self.nodes.append(node)
        for value, out in zip(made, [*outs, *[UNKNOWN] * outputs], strict=False):
            self.tensors[value] = out
        return [Val(value) for value in made]

    @staticmethod
    def _weights(node: Node, ins: Sequence[Tensor], owner: Owner) -> tuple[Param, ...]:
        made = weights_of(node, ins) if node.op in TABLE else ()
        return tuple(
            Param(
                f"{owner.name}/{weight.role}",
                weight.role,
                weight.shape,
                owner.dtype,
                weight.trainable and owner.trainable,
            )
            for weight in made
        )

    def is_unknown(self, value: str) -> bool:
        """Whether a value comes from a node that archlint does not understand."""
        return any(node.op == "Unknown" and value in node.outputs for node in reversed(self.nodes))

    def more_outputs(self, values: list[Val], index: int) -> Val:
        """The further output of an Unknown node that a later layer turns out to read."""
        if index > MAX_OUTPUTS:
            raise ReadError(self.path, "", f"'{values[0]}' is read at output {index}, which no layer has")
        at = next(i for i, node in enumerate(self.nodes) if values[0] in node.outputs)
        node = self.nodes[at]
        while len(values) <= index:
            values.append(Val(self.fresh(f"{node.name}.{len(values)}")))
            self.tensors[values[-1]] = UNKNOWN
        self.nodes[at] = replace(node, outputs=tuple(str(value) for value in values))
        return values[index]

    def stored_params(
        self, group: Sequence[str], address: Sequence[str], trainable: bool
    ) -> tuple[Param, ...]:
        """Params that the weights file holds for a layer of an unknown class; none without such a file."""
        return () if self.stored is None or not group else self.stored(group, address, trainable)

    def set_params(self, params: tuple[Param, ...]) -> None:
        """Gives the node made last other params than its op creates."""
        self.nodes[-1] = replace(self.nodes[-1], params=params)

    def reshape_param(self, role: str, shape: Shape) -> None:
        """Gives a param of the node made last the shape that the file stores it in."""
        node = self.nodes[-1]
        params = tuple(replace(p, shape=shape) if p.role == role else p for p in node.params)
        self.nodes[-1] = replace(node, params=params)

    def declare(self, value: str, type_: TensorType) -> None:
        """Notes what the file says of a value; it fills what is not known by inference."""
        known = self.tensors.get(value, UNKNOWN)
        if known.dtype is not None and known.shape is not None and None not in known.shape:
            return
        shape = known.shape if known.shape is not None else type_.shape
        if shape is not None and type_.shape is not None and len(shape) == len(type_.shape):
            shape = tuple(b if a is None else a for a, b in zip(shape, type_.shape, strict=True))
        merged = replace(known, dtype=known.dtype or type_.dtype, shape=shape)
        if merged != known:
            self.declared[value] = type_
            self.tensors[value] = merged

    def graph(self, outputs: Sequence[str]) -> Graph:
        """All that was collected, without the nodes that only make masks."""
        nodes = self._without_masks(outputs)
        made = {value for node in nodes for value in node.outputs}
        declared = {value: type_ for value, type_ in self.declared.items() if value in made}
        return Graph("", "", tuple(self.inputs), nodes, tuple(str(v) for v in outputs), declared)

    def mask_inputs(self, outputs: Sequence[str]) -> tuple[str, ...]:
        """The inputs of the model that only masks are made of, in the model's order."""
        nodes, masking = self._masking(outputs)
        read = {value for node in nodes for value in node.inputs}
        return tuple(name for name, _ in self.inputs if name in masking - read)

    def _without_masks(self, outputs: Sequence[str]) -> tuple[Node, ...]:
        """Keras stores the ops that compute a mask as nodes; they go when nothing but masking reads them."""
        return self._masking(outputs)[0]

    def _masking(self, outputs: Sequence[str]) -> tuple[tuple[Node, ...], set[str]]:
        """The nodes without those that only make masks, and the values that masks are made of."""
        if not self.ignored:
            return tuple(self.nodes), set()
        used = set(outputs)
        dropped = set(self.ignored)
        kept = []
        for node in reversed(self.nodes):
            if any(value in dropped for value in node.outputs) and not used.intersection(node.outputs):
                dropped.update(node.inputs)
                continue
            used.update(node.inputs)
            kept.append(node)
        return tuple(reversed(kept)), dropped


def _differs(node: Node, outs: Sequence[Tensor], computed: str) -> bool:
    """Whether the inputs' types alone would give a floating output another type than the layer computes in.

    What an unknown type would be is taken to be float32, so that only policies of other types are stated.
    """
    if node.op == "Constant" or has_trait(node, "unknown"):
        return False
    kinds = [out.dtype or "float32" for out in outs]
    return any("float" in kind and kind != computed for kind in kinds)


def _without_defaults(op: str, attrs: Mapping[str, Attr]) -> dict[str, Attr]:
    definition = TABLE.get(op)
    if definition is None:
        return dict(attrs)
    defaults = definition.attrs
    return {
        key: value
        for key, value in attrs.items()
        if key not in defaults or repr(defaults[key]) != repr(value)
    }
