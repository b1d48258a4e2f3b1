"""One call of one layer: what a translator sees, and how it says which nodes the call becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace

from archlint.dataclass import dataclass
from archlint.formats.keras.builder import Builder, Owner, Val
from archlint.formats.keras.dialects import RENAMED
from archlint.formats.keras.raw import Raw
from archlint.graph import Attr, Dim, Origin, Param, Shape
from archlint.ops.base import UNKNOWN, Tensor

Arg = object
"""An argument of a call: a ``Val``, a list, tuple or dict of arguments, or a plain JSON value."""

MAX_ARG_DEPTH = 24
"""Deepest nesting of a call's arguments that is followed."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as the config states it: class, name, where its models nest, and whether it is trained.

    ``group`` is the path of its weights in ``model.weights.h5``, ``dtype`` the element type of its weights,
    ``computed`` the one that it computes in, None when the config does not say.
    """

    cls: str
    name: str
    raw: Raw
    config: Raw
    parents: tuple[str, ...] = ()
    trainable: bool = True
    dtype: str = "float32"
    custom: bool = False
    group: tuple[str, ...] = ()
    computed: str | None = None

    @property
    def path(self) -> str:
        """Names of the nested models and the layer, joined with "/"."""
        return "/".join((*self.parents, self.name))


@dataclass(frozen=True, slots=True)
class Call:
    """A layer, its arguments, and the graph that it adds to."""

    builder: Builder
    layer: Layer
    args: tuple[Arg, ...]
    kwargs: Mapping[str, Arg] = field(default_factory=dict)
    per_step: bool = False
    part: str = ""

    @property
    def config(self) -> Raw:
        """The settings of the layer."""
        return self.layer.config

    @property
    def name(self) -> str:
        """Name of the node that this call becomes."""
        return f"{self.layer.path}/{self.part}" if self.part else self.layer.path

    @property
    def inputs(self) -> list[Val]:
        """The values of the first argument, which for most layers are all there are."""
        return values_of(self.args[0]) if self.args else values_of(dict(self.kwargs))

    def tensor(self, value: str) -> Tensor:
        """What is known of a value."""
        return self.builder.tensors.get(value, UNKNOWN)

    @property
    def rank(self) -> int | None:
        """Number of axes of the first input, batch included."""
        return None if self.shape is None else len(self.shape)

    @property
    def shape(self) -> Shape:
        """Shape of the first input, without the axis of steps when the layer is called step by step."""
        shape = self.tensor(self.inputs[0]).shape if self.inputs else None
        return shape[:1] + shape[2:] if shape is not None and self.per_step else shape

    def dim(self, axis: int) -> Dim:
        """Length of one axis of the first input; None when it is not known."""
        shape = self.shape
        return shape[axis] if shape is not None and -len(shape) <= axis < len(shape) else None

    def channel_axis(self) -> int:
        """1 for channels_first, else -1 (what Keras takes unless told otherwise)."""
        return 1 if self.config["data_format"].text("channels_last") == "channels_first" else -1

    def axis(self, raw: Raw, default: int = -1) -> int:
        """One axis, counted from the end when it is the last one; a list of one axis counts as that axis."""
        if isinstance(raw.value, list):
            raw = raw.at(0)
        axis = raw.int(default)
        return -1 if self.rank is not None and axis == self.rank - 1 else axis

    def node(
        self,
        op: str,
        inputs: Sequence[str] | None = None,
        attrs: Mapping[str, Attr] | None = None,
        part: str = "",
        outputs: int = 1,
        extra: Sequence[Param] = (),
        holder: str = "",
    ) -> list[Val]:
        """Adds a node and gives its output values. ``part`` names one of several nodes of one layer."""
        name = f"{self.name}/{part}" if part else self.name
        settings = dict(attrs or {})
        if self.per_step and op not in STEPWISE:
            settings["time_distributed"] = True
        origin = Origin(self.layer.cls, (*self.layer.parents, self.layer.name))
        prefix = holder or name
        owner = Owner(prefix, self.layer.dtype, self.layer.trainable, self.layer.computed)
        ins = self.inputs if inputs is None else inputs
        return self.builder.add(name, op, ins, settings, origin, owner, extra, outputs)

    def one(
        self,
        op: str,
        inputs: Sequence[str] | None = None,
        attrs: Mapping[str, Attr] | None = None,
        part: str = "",
        extra: Sequence[Param] = (),
    ) -> Val:
        """Adds a node with one output and gives its value."""
        return self.node(op, inputs, attrs, part, extra=extra)[0]

    def nested(self, cls: str, config: Raw, inputs: Sequence[Val], part: str = "") -> list[Val]:
        """Calls a layer that this layer holds in its settings, under its own name within this one."""
        name = part or config["name"].text(cls)
        layer = replace(self.layer, cls=cls, raw=config, config=config)
        inner = Call(self.builder, layer, (list(inputs),), {}, self.per_step, name)
        return translate(inner)

    def unknown(self, native: str = "", inputs: Sequence[str] | None = None, part: str = "") -> list[Val]:
        """Adds a node that archlint does not understand; nothing is concluded from it."""
        call = replace(self, layer=replace(self.layer, cls=native)) if native else self
        stored = () if part or self.part else self._stored()
        return call.node("Unknown", self.all_inputs() if inputs is None else inputs, part=part, extra=stored)

    def _stored(self) -> tuple[Param, ...]:
        layer = self.layer
        return self.builder.stored_params(layer.group, (*layer.parents, layer.name), layer.trainable)

    def all_inputs(self) -> list[Val]:
        """Every value among the arguments, in order."""
        return values_of([*self.args, *self.kwargs.values()])

    def constant(self, value: Arg, part: str) -> Val:
        """A node that holds a number, or a small list of them, that the config gives as an argument."""
        flat, shape = _flat(value)
        dtype = _dtype_of(flat)
        name = f"{self.name}/{part}"
        contents = tuple(flat) if 0 < len(flat) <= 64 else None
        param = Param(f"{name}/value", "value", shape, dtype, False, contents)
        made = self.node("Constant", (), {}, part, extra=(param,))[0]
        self.builder.tensors[made] = Tensor(dtype, shape, contents if dtype != "float32" else None)
        return made


Translator = Callable[[Call], list[Val]]
"""Adds the nodes of one call and gives back its output values, flat."""


def translate(call: Call) -> list[Val]:
    """The values that a call of a layer or op gives; an Unknown node when its class is not known."""
    from archlint.formats.keras import layers, models  # their translators take calls
    from archlint.formats.keras.nodes.operands import is_op

    layer = call.layer
    call.builder.enter(layer.raw)
    try:
        if models.is_model(layer):
            return models.inline(call)
        if is_op(layer):
            from archlint.formats.keras.nodes import translation  # most models hold no op nodes

            return translation.apply(call)
        translator = None if layer.custom else layers.LAYERS.get(RENAMED.get(layer.cls, layer.cls))
        if translator is None:
            return call.unknown()
        if not call.all_inputs():
            raise layer.raw.error(f"the layer '{layer.name}' is called without a value to work on")
        return translator(call)
    finally:
        call.builder.leave()


STEPWISE = frozenset(
    {"Dense", "EinsumDense", "Unknown", "Identity", "Dropout", "Relu", "LeakyRelu", "Elu", "Selu", "Sigmoid"}
    | {"HardSigmoid", "Tanh", "Softplus", "Softsign", "Swish", "HardSwish", "Mish", "Gelu", "Celu", "Exp"}
    | {"GaussianNoise", "GaussianDropout", "AlphaDropout", "Rescaling", "Masking", "ActivityRegularization"}
    | {"Add", "Sub", "Mul", "Div", "Max", "Min", "Mean", "Sum", "Constant", "LogSigmoid", "ThresholdedRelu"}
)
"""Ops that mean the same whether or not TimeDistributed calls them step by step: they act on single
elements or on the last axis only."""


def values_of(arg: Arg, depth: int = 0) -> list[Val]:
    """The values in an argument, in the order in which Keras flattens it (dicts by sorted key)."""
    if isinstance(arg, Val):
        return [arg]
    if depth > MAX_ARG_DEPTH:
        return []
    if isinstance(arg, dict):
        keys = sorted(arg, key=str)
        return [value for key in keys for value in values_of(arg[key], depth + 1)]
    if isinstance(arg, list | tuple):
        return [value for item in arg for value in values_of(item, depth + 1)]
    return []


def shape_of_numbers(value: Arg) -> tuple[int, ...] | None:
    """Shape of a number or of a nested list of numbers; None when there is anything else in it."""
    flat, shape = _flat(value)
    return shape if flat or 0 in shape else None


def _flat(value: Arg) -> tuple[list[int | float | bool], tuple[int, ...]]:
    """Numbers of a nested list and its shape; no numbers when there is anything else in it."""
    shape: list[int] = []
    level: list[Arg] = [value]
    while level and all(isinstance(item, list | tuple) for item in level):
        lengths = {len(item) for item in level if isinstance(item, list | tuple)}
        if len(lengths) != 1:
            break
        shape.append(lengths.pop())
        level = [inner for item in level if isinstance(item, list | tuple) for inner in item]
    flat = [item for item in level if isinstance(item, int | float)]
    return (flat if len(flat) == len(level) else []), tuple(shape)


def _dtype_of(flat: Sequence[int | float | bool]) -> str:
    if flat and all(isinstance(item, bool) for item in flat):
        return "bool"
    return "int32" if flat and all(isinstance(item, int) for item in flat) else "float32"
