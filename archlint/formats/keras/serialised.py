"""What a config says of its layers: which are models, what they are called, and where their weights stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from archlint.dataclass import dataclass
from archlint.formats.keras.builder import Builder, Val
from archlint.formats.keras.call import Layer
from archlint.formats.keras.dialects import compute_dtype, modern, variable_dtype
from archlint.formats.keras.nodes.operands import is_op
from archlint.formats.keras.raw import Raw
from archlint.graph import Shape, TensorType

SEQUENTIAL = frozenset({"Sequential", "Pipeline"})


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
    registered = not module and isinstance(raw["registered_name"].value, str)
    layer = Layer(
        short,
        name if isinstance(name, str) and name else short.lower(),
        raw,
        config,
        parents,
        trainable and kept is not False,
        variable_dtype(config),
        bool(package) or registered or not (module == "" or _ships_with_keras(module)),
    )
    # An op that stands as a node of its own casts nothing, whatever policy was set around it.
    return layer if is_op(layer) else replace(layer, computed=compute_dtype(config))


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


def batched(shape: Shape) -> Shape:
    """An input shape with the open batch axis named "N"."""
    return ("N", *shape[1:]) if shape and shape[0] is None else shape


def input_type(layer: Layer) -> TensorType:
    """Element type and shape that an InputLayer states."""
    shape = layer.config.first("batch_shape", "batch_input_shape").shape()
    dtype = layer.config["dtype"].value
    return TensorType(dtype if isinstance(dtype, str) else "float32", batched(shape))


def declare_built(builder: Builder, layer: Layer, values: Sequence[Val]) -> None:
    """Notes what a layer was built with when nothing else is known of its one input."""
    if len(values) == 1 and builder.tensors[values[0]].shape is None:
        builder.declare(values[0], TensorType(None, _built_shape(layer)))


def _built_shape(layer: Layer) -> Shape:
    """The input shape that a layer was built with; it says what an unknown layer before it gave."""
    stated = layer.raw["build_config"]
    shape = stated["input_shape"] if isinstance(stated.value, dict) else stated
    plain = isinstance(shape.value, list) and not any(isinstance(dim, list) for dim in shape.value)
    return shape.shape() if plain else None
