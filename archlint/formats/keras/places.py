"""Where Keras keeps the variables of each layer, told from the config of a model: no weights are opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from archlint.dataclass import dataclass
from archlint.formats.base import ModelFile
from archlint.formats.keras import files, models
from archlint.formats.keras.builder import MAX_MODEL_DEPTH, Builder
from archlint.formats.keras.call import Layer
from archlint.formats.keras.dialects import RENAMED
from archlint.formats.keras.layers.recurrent import OPS
from archlint.graph import Graph, Param

_CERTAIN = frozenset(
    {"Dense", "EinsumDense", "Embedding", "LSTM", "GRU", "SimpleRNN", "Bidirectional", "MultiHeadAttention"}
    | {"BatchNormalization", "LayerNormalization", "GroupNormalization"}
    | {f"{kind}{rank}D" for kind in ("Conv", "DepthwiseConv", "SeparableConv") for rank in (1, 2, 3)}
    | {f"Conv{rank}DTranspose" for rank in (1, 2, 3)}
)
"""Classes of which every variable is known, in order; compared with Keras's own in the oracle tests."""

_ATTENTION = ("query", "key", "gate", "value", "output")
_WAYS = ("forward", "backward")


@dataclass(frozen=True, slots=True)
class Slot:
    """One variable of a layer: its param, the layer's address, the top layer, and where Keras numbers it.

    ``certain``: all that a layer of this class creates is known, so that another shape is a fault.
    """

    param: Param
    layer: str
    top: str
    group: tuple[str, ...]
    index: int
    certain: bool


def slots(file: ModelFile, graph: Graph) -> Iterator[Slot]:
    """The variables of all layers, in the order in which Keras lists layers and creates variables.

    Raises: ReadError: the file's texts cannot be read.
    """
    params = _params_by_layer(graph)
    saved = files.load(file)
    builder = Builder(file.path, 3)
    model = models.layer_of(saved.model, builder, ())
    for layer in _layers(model, builder, 0):
        yield from _slots_of(layer, _written(params.get(layer.path, ()), file.format))


def _written(params: Sequence[Param], format_: str) -> Sequence[Param]:
    """The params that the weights file holds in an order that is known.

    ``.keras`` holds LoRA's factors merged into their kernel; what is left of a layer that GPTQ or AWQ has
    quantised (bytes in uint8) depends on the version (save_own_variables in Keras 3.12 and 3.15). ``.h5``
    lists what float8 adds before or after the kernel, as the layer was built or quantised.
    """
    merged = format_ != "keras-h5"
    if any(
        param.dtype == "uint8" or (not merged and param.role.endswith("_amax_history")) for param in params
    ):
        return ()
    return [param for param in params if not (merged and param.role.startswith("lora_"))]


def _params_by_layer(graph: Graph) -> dict[str, tuple[Param, ...]]:
    """Address of a layer → the params of its nodes, each once, in order."""
    found: dict[str, dict[str, Param]] = {}
    for node in graph.nodes:
        mine = found.setdefault("/".join(node.origin.address), {})
        for param in node.params if node.op != "Constant" or node.origin.native == "LayerScale" else ():
            mine.setdefault(param.name, param)
    return {layer: tuple(params.values()) for layer, params in found.items()}


def _layers(model: Layer, builder: Builder, depth: int) -> Iterator[Layer]:
    """The layers of a model in the order of its config, nested models opened."""
    if depth > MAX_MODEL_DEPTH:
        return
    raw = model.config if isinstance(model.config.value, list) else model.config["layers"]
    parents = (*model.parents, model.name) if depth else ()
    items = [models.layer_of(item, builder, parents, model.trainable) for item in raw.items()]
    for layer in models.grouped(items, model):
        inner = _unwrapped(layer)
        if models.is_model(inner):
            yield from _layers(inner, builder, depth + 1)
        else:
            yield layer


def _unwrapped(layer: Layer) -> Layer:
    """The layer inside TimeDistributed wrappers, under the wrapper's name and place."""
    for _ in range(MAX_MODEL_DEPTH):
        if layer.cls != "TimeDistributed" or layer.custom:
            break
        raw = layer.config["layer"]
        config = raw["config"]
        layer = replace(
            layer, cls=raw["class_name"].text(), raw=raw, config=config, group=(*layer.group, "layer")
        )
    return layer


def _slots_of(layer: Layer, params: Sequence[Param]) -> Iterator[Slot]:
    inner = _unwrapped(layer)
    top = (*layer.parents, layer.name)[0]
    cls = RENAMED.get(inner.cls, inner.cls)
    certain = not inner.custom and cls in _CERTAIN and not _holds_more(inner)
    counts: dict[tuple[str, ...], int] = {}
    for param in params:
        within = _within(inner, cls, param)
        index = counts.get(within, int(param.role == "vector_u"))
        counts[within] = index + 1
        yield Slot(param, layer.path, top, (*inner.group, *within), index, certain)


def _holds_more(layer: Layer) -> bool:
    """Whether a layer holds layers that are not placed here: a stack of cells, an activation layer."""
    cell, activation = layer.config["cell"], layer.config["activation"]
    stacked = cell["class_name"].value == "StackedRNNCells" if isinstance(cell.value, dict) else False
    return stacked or isinstance(activation.value, dict)


def _within(layer: Layer, cls: str, param: Param) -> tuple[str, ...]:
    """The groups between a layer and its ``vars``, for one of its params."""
    first, _, _ = param.role.partition("_")
    if cls == "SpectralNormalization":
        if param.role == "vector_u":
            return ()  # the wrapper's own list has the kernel as well, in front
        inner = layer.config["layer"]["class_name"].text("")
        return ("layer", *_within(layer, RENAMED.get(inner, inner), param))
    if cls == "Bidirectional" and first in _WAYS:
        return (f"{first}_layer", "cell")
    if cls in OPS or cls == "RNN":
        return ("cell",)
    if cls in ("MultiHeadAttention", "GroupQueryAttention", "GroupedQueryAttention") and first in _ATTENTION:
        return (f"{first}_dense",)
    return ()
