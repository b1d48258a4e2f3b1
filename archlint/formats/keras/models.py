"""Models: Sequential and functional, nested ones inlined with their path."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from archlint.formats.keras.arguments import CallArgs, Ref, call_args, refs_in, structure
from archlint.formats.keras.builder import MAX_MODEL_DEPTH, Builder, Val
from archlint.formats.keras.call import Arg, Call, Layer, translate, values_of
from archlint.formats.keras.dialects import modern, variable_dtype
from archlint.formats.keras.operands import is_op
from archlint.formats.keras.raw import Raw
from archlint.graph import Shape, TensorType

SEQUENTIAL = frozenset({"Sequential", "Pipeline"})
FUNCTIONAL = frozenset({"Functional", "Model"})


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a model gives back: its values, flat, and the name by which ``compile`` calls each of them."""

    values: list[Val]
    names: list[str]


def is_model(layer: Layer) -> bool:
    """Whether a layer is a model of layers, also of a class derived from one."""
    config = layer.config
    if layer.cls in SEQUENTIAL or (isinstance(config.value, list) and layer.cls == "Sequential"):
        return not layer.custom
    return isinstance(config.value, dict) and "layers" in config and "output_layers" in config


def layer_of(raw: Raw, builder: Builder, parents: tuple[str, ...], trainable: bool = True) -> Layer:
    """The layer that a serialised object describes."""
    cls = raw["class_name"].text()
    config = modern(cls, raw["config"], builder.keras_major)
    kept = config["trainable"].value if isinstance(config.value, dict) else None
    name = raw.first("name").value or (config["name"].value if isinstance(config.value, dict) else None)
    package, _, short = cls.rpartition(">")
    module = raw["module"].text("")
    return Layer(
        short,
        name if isinstance(name, str) and name else short.lower(),
        raw,
        config,
        parents,
        trainable and kept is not False,
        variable_dtype(config),
        bool(package) or not (module == "" or _ships_with_keras(module)),
    )


def _ships_with_keras(module: str) -> bool:
    for package in ("tensorflow.python.", "tensorflow.", "tf_"):
        module = module.removeprefix(package)
    return module == "keras" or module.startswith("keras.")


def grouped(layers: Sequence[Layer], model: Layer) -> list[Layer]:
    """The layers with the place of their weights: snake_case class, numbered per class in the model.

    Source: keras/src/saving/saving_lib.py, ``_save_container_state``; op nodes hold no weights.
    """
    used: dict[str, int] = {}
    found = []
    for layer in layers:
        if is_op(layer):
            found.append(layer)
            continue
        name = snake_class(layer.cls)
        count = used.get(name, 0)
        used[name] = count + 1
        group = (*model.group, "layers", f"{name}_{count}" if count else name)
        found.append(replace(layer, group=group))
    return found


def snake_class(name: str) -> str:
    """The class name as ``to_snake_case`` of keras/src/utils/naming.py writes it."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def build(builder: Builder, layer: Layer, args: Sequence[Arg] | None) -> Outputs:
    """Adds all nodes of a model. ``args`` are its inputs; None for the outermost, which makes its own."""
    if len(layer.parents) > MAX_MODEL_DEPTH:
        raise layer.raw.error(
            f"models are nested more than {MAX_MODEL_DEPTH} deep, which archlint does not follow"
        )
    parents = (*layer.parents, layer.name) if args is not None else ()
    if layer.cls in SEQUENTIAL or "output_layers" not in layer.config:
        return _sequential(builder, layer, args, parents)
    return _Functional(builder, layer, parents).build(args)


def inline(call: Call) -> list[Val]:
    """The output values of a nested model, its nodes put in place."""
    given = call.args if call.args else (dict(call.kwargs),)
    return build(replace_steps(call), call.layer, given).values


def replace_steps(call: Call) -> Builder:
    """The builder, told whether what is added next is called step by step."""
    call.builder.per_step = call.per_step
    return call.builder


def _sequential(
    builder: Builder, layer: Layer, args: Sequence[Arg] | None, parents: tuple[str, ...]
) -> Outputs:
    raw = layer.config if isinstance(layer.config.value, list) else layer.config["layers"]
    items = grouped([layer_of(item, builder, parents, layer.trainable) for item in raw.items()], layer)
    values = values_of(args[0]) if args else []
    if args is None:
        if not items:
            raise layer.raw.error("the model has no layers")
        values = [_own_input(builder, layer, items)]
    per_step = builder.per_step
    name = layer.name
    for item in items:
        name = item.name
        if item.cls == "InputLayer":
            continue
        _declare_built(builder, item, values)
        argument: Arg = values[0] if len(values) == 1 else list(values)
        values = translate(Call(builder, item, (argument,), {}, per_step))
        builder.per_step = per_step
    return Outputs(values, [name] * len(values))


def _declare_built(builder: Builder, layer: Layer, values: Sequence[Val]) -> None:
    """Notes what a layer was built with when nothing else is known of its one input."""
    if len(values) == 1 and builder.tensors[values[0]].shape is None:
        builder.declare(values[0], TensorType(None, _built_shape(layer)))


def _built_shape(layer: Layer) -> Shape:
    """The input shape that a layer was built with; it says what an unknown layer before it gave."""
    stated = layer.raw["build_config"]
    shape = stated["input_shape"] if isinstance(stated.value, dict) else stated
    plain = isinstance(shape.value, list) and not any(isinstance(dim, list) for dim in shape.value)
    return shape.shape() if plain else None


def _own_input(builder: Builder, model: Layer, items: Sequence[Layer]) -> Val:
    """The input of an outermost Sequential: an InputLayer, or the shape that a layer or the model states."""
    first = items[0]
    if first.cls == "InputLayer":
        return builder.add_input(first.name, input_type(first))
    shape = _stated_shape(first)
    if shape is None and isinstance(model.config.value, dict):
        shape = model.config["build_input_shape"].shape()
    if shape is None:
        shape = model.raw["build_config"]["input_shape"].shape()
    if shape is None:
        raise model.raw.error(
            "the model was never built, so its shapes are not known; call it once or build(input_shape) "
            "before saving, or give its first layer an Input"
        )
    dtype = first.config["dtype"].value if first.cls == "Embedding" else None
    return builder.add_input(
        f"{first.name}_input", TensorType("float32" if dtype is None else None, batched(shape))
    )


def _stated_shape(layer: Layer) -> Shape:
    """The input shape that a first layer states, also one inside a nested model."""
    for _ in range(MAX_MODEL_DEPTH):
        if isinstance(layer.config.value, dict):
            shape = layer.config.first("batch_shape", "batch_input_shape").shape()
            shape = shape or layer.raw["build_config"]["input_shape"].shape()
            if shape is not None:
                return shape
        inner = layer.config["layers"] if isinstance(layer.config.value, dict) else layer.config
        if not isinstance(inner.value, list) or not inner.value:
            return None
        layer = layer_of(inner.at(0), Builder(layer.raw.path), ())
    return None


def batched(shape: Shape) -> Shape:
    """An input shape with the open batch axis named "N"."""
    return ("N", *shape[1:]) if shape and shape[0] is None else shape


def input_type(layer: Layer) -> TensorType:
    """Element type and shape that an InputLayer states."""
    shape = layer.config.first("batch_shape", "batch_input_shape").shape()
    dtype = layer.config["dtype"].value
    return TensorType(dtype if isinstance(dtype, str) else "float32", batched(shape))


class _Functional:
    """One walk over a functional config: calls in an order in which each comes after what it reads."""

    def __init__(self, builder: Builder, model: Layer, parents: tuple[str, ...]) -> None:
        self.builder = builder
        self.model = model
        self.per_step = builder.per_step
        self.layers: dict[str, Layer] = {}
        self.calls: dict[str, list[CallArgs]] = {}
        self.done: dict[tuple[str, int], list[Val]] = {}
        raws = list(model.config["layers"].items())
        layers = [layer_of(raw, builder, parents, model.trainable) for raw in raws]
        for raw, layer in zip(raws, grouped(layers, model), strict=True):
            if layer.name in self.layers:
                raise raw.error(f"two layers are named '{layer.name}'")
            self.layers[layer.name] = layer
            self.calls[layer.name] = [call_args(item) for item in raw["inbound_nodes"].items()]
        self.outputs = structure(model.config["output_layers"])
        self.offsets = dict(self._offsets())

    def _offsets(self) -> Iterator[tuple[tuple[str, bool], int]]:
        """(model, is a legacy reference) → the number its first call has: Keras counts from 1 in places.

        A functional model starts out with a call of its own; Keras 1 and 2 count it in every reference,
        Keras 3 only in ``output_layers`` (keras/src/models/functional.py, functional_from_config).
        """
        lowest: dict[str, int] = {}
        for args in (args for calls in self.calls.values() for args in calls):
            for ref in args.refs():
                if ref.legacy:
                    lowest[ref.layer] = min(ref.call, lowest.get(ref.layer, ref.call))
        legacy = bool(lowest)
        for ref in refs_in(self.outputs):
            layer = self.layers.get(ref.layer)
            if layer is not None and is_model(layer) and (legacy or layer.cls not in SEQUENTIAL):
                lowest[ref.layer] = min(ref.call, lowest.get(ref.layer, ref.call))
        for name, call in lowest.items():
            if name in self.layers and is_model(self.layers[name]):
                yield (name, True), min(call, 1)

    def build(self, args: Sequence[Arg] | None) -> Outputs:
        self._bind_inputs(args)
        for name, calls in self.calls.items():
            for index in range(len(calls)):
                self._visit(name, index)
        found = [(ref, self._value(ref, True)) for ref in refs_in(self.outputs)]
        if not found:
            raise self.model.config["output_layers"].error("the model has no outputs")
        keys = sorted(self.outputs) if isinstance(self.outputs, dict) else []
        names = keys if len(keys) == len(found) else [ref.layer for ref, _ in found]
        return Outputs([value for _, value in found], names)

    def _bind_inputs(self, args: Sequence[Arg] | None) -> None:
        stated = structure(self.model.config["input_layers"])
        names = [ref.layer for ref in refs_in(stated)]
        for name in names:
            if name not in self.layers:
                raise self.model.config["input_layers"].error(f"there is no layer '{name}'")
        rest = [
            name
            for name, layer in self.layers.items()
            if layer.cls == "InputLayer" and name not in set(names)
        ]
        given = None if args is None else self._given(args, stated, names)
        for index, name in enumerate([*names, *rest]):
            if given is not None and index < len(given):
                self.done[name, 0] = [given[index]]
            elif args is not None:
                raise self.model.raw.error(
                    f"the model '{self.model.name}' is called without its input '{name}'"
                )
            elif (name, 0) not in self.done:
                self.done[name, 0] = [self.builder.add_input(name, input_type(self.layers[name]))]

    @staticmethod
    def _given(args: Sequence[Arg], stated: Arg, names: Sequence[str]) -> list[Val]:
        """The values of a call in the order of the model's inputs; an object is matched by input name."""
        first = args[0] if args else []
        if isinstance(first, dict) and not isinstance(stated, dict) and set(names) <= set(first):
            return [value for name in names for value in values_of(first[name])]
        return values_of(first) if len(values_of(first)) >= len(names) else values_of(list(args))

    def _visit(self, name: str, index: int) -> None:
        """Adds a call and, before it, every call that it reads from; without recursion."""
        stack = [((name, index), self._needs(name, index))]
        open_ = {(name, index): True}
        while stack:
            key, needs = stack[-1]
            if key in self.done:
                stack.pop()
                continue
            after = next((need for need in needs if need not in self.done), None)
            if after is None:
                self._translate(*key)
                open_.pop(key, None)
                stack.pop()
            elif after in open_:
                names = list(dict.fromkeys(name for name, _ in open_))
                shown = "', '".join(names[names.index(after[0]) :][:8])
                raise self.model.raw.error(f"the layers '{shown}' feed each other in a circle")
            else:
                open_[after] = True
                stack.append((after, self._needs(*after)))

    def _needs(self, name: str, index: int) -> Iterator[tuple[str, int]]:
        return iter([self._key(ref, ref.legacy, name) for ref in self.calls[name][index].refs()])

    def _key(self, ref: Ref, legacy: bool, reader: str) -> tuple[str, int]:
        layer = self.layers.get(ref.layer)
        if layer is None:
            raise self.model.raw.error(f"'{reader}' reads the layer '{ref.layer}', which is not there")
        if (ref.layer, 0) in self.done and not self.calls[ref.layer]:
            return ref.layer, 0
        index = ref.call - self.offsets.get((ref.layer, legacy), 0)
        if index >= len(self.calls[ref.layer]):
            raise self.model.raw.error(
                f"'{reader}' reads call {ref.call} of the layer '{ref.layer}', "
                f"which is called {len(self.calls[ref.layer])} times"
            )
        return ref.layer, max(index, 0)

    def _value(self, ref: Ref, legacy: bool, reader: str = "output_layers") -> Val:
        values = self.done[self._key(ref, legacy, reader)]
        if ref.output >= len(values):
            layer = self.layers[ref.layer]
            if values and self.builder.nodes and self.builder.is_unknown(values[0]):
                return self.builder.more_outputs(values, ref.output)
            raise self.model.raw.error(
                f"'{reader}' reads output {ref.output} of the layer '{layer.name}', which has {len(values)}"
            )
        value = values[ref.output]
        shape = ref.shape
        if ref.dtype is not None or shape is not None:
            self.builder.declare(value, TensorType(ref.dtype, shape))
        return value

    def _translate(self, name: str, index: int) -> None:
        layer = self.layers[name]
        stated = self.calls[name][index]
        args = tuple(self._resolve(arg, name) for arg in stated.args)
        kwargs = {key: self._resolve(arg, name) for key, arg in stated.kwargs.items()}
        for key in [key for key in kwargs if key == "mask" or key in _MASKS]:
            self.builder.ignored.update(values_of(kwargs.pop(key)))
        self.builder.per_step = self.per_step
        _declare_built(self.builder, layer, values_of(args))
        call = Call(self.builder, layer, args, kwargs, self.per_step)
        self.done[name, index] = translate(call)
        self.builder.per_step = self.per_step

    def _resolve(self, arg: Arg, reader: str) -> Arg:
        if isinstance(arg, Ref):
            return self._value(arg, arg.legacy, reader)
        if isinstance(arg, dict):
            return {key: self._resolve(item, reader) for key, item in arg.items()}
        if isinstance(arg, list | tuple):
            return [self._resolve(item, reader) for item in arg]
        return arg


_MASKS = frozenset({"query_mask", "value_mask", "key_mask"})
"""Arguments that Keras fills in by itself while it propagates masks."""
