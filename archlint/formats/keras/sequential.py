"""Sequential models: one layer after the other."""

from __future__ import annotations

from collections.abc import Sequence

from archlint.formats.keras.builder import MAX_MODEL_DEPTH, Builder, Val
from archlint.formats.keras.call import Arg, Call, Layer, translate, values_of
from archlint.formats.keras.serialised import Outputs, batched, declare_built, grouped, input_type, layer_of
from archlint.graph import Shape, TensorType


def build_sequential(
    builder: Builder, layer: Layer, args: Sequence[Arg] | None, parents: tuple[str, ...]
) -> Outputs:
    """Adds the layers one after the other. ``args`` are the inputs of the model; None for the outermost."""
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
        declare_built(builder, item, values)
        argument: Arg = values[0] if len(values) == 1 else list(values)
        values = translate(Call(builder, item, (argument,), {}, per_step))
        builder.per_step = per_step
    return Outputs(values, [name] * len(values))


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
