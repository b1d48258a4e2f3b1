"""Functional models: a graph of layer calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archlint.formats.keras.arguments import CallArgs, Ref, call_args, refs_in, structure
from archlint.formats.keras.builder import Builder, Val
from archlint.formats.keras.call import Arg, Call, Layer, translate, values_of
from archlint.formats.keras.serialised import (
    SEQUENTIAL,
    Outputs,
    declare_built,
    grouped,
    input_type,
    is_model,
    layer_of,
)
from archlint.graph import TensorType


class Functional:
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
        """Adds every call. ``args`` are the inputs of the model; None for the outermost."""
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
        declare_built(self.builder, layer, values_of(args))
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
