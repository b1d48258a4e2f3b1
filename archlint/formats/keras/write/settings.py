"""Node → Keras layer class and its settings, the inverse of the reader's tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from archlint.errors import PatchError
from archlint.formats.keras.activations import ACTIVATIONS
from archlint.formats.keras.write.tree import Config
from archlint.graph import Attr, Node
from archlint.ops import TABLE

Native = tuple[str, Config]
"""Class of a layer and its settings, without those that every layer has."""

Say = Callable[[Node, int | None], Native]
"""Says a node as a layer; the number is the rank of its first input, batch included, if known."""


def refuse(node: Node, why: str) -> PatchError:
    """The error that says which node Keras has no layer for."""
    return PatchError(f"'{node.name}' ({node.op}): {why}")


def value(node: Node, key: str) -> Attr:
    """A setting, or its default; None for one that the op does not have."""
    return node.attrs[key] if key in node.attrs else TABLE[node.op].attrs.get(key)


def numbers(node: Node, key: str) -> list[int]:
    """Whole numbers of a setting."""
    found = value(node, key)
    if not isinstance(found, tuple) or not all(isinstance(item, int) for item in found):
        raise refuse(node, f"its {key} is not a list of whole numbers")
    return [item for item in found if isinstance(item, int)]


def plain(item: Attr) -> object:
    """A setting as JSON has it."""
    return [plain(one) for one in item] if isinstance(item, tuple) else item


def layout(node: Node, rank: int | None) -> str:
    """The ``data_format`` that a channel axis stands for."""
    axis = value(node, "channel_axis")
    if axis == -1 or (rank is not None and axis == rank - 1):
        return "channels_last"
    if axis != 1:
        raise refuse(node, f"Keras has no layout with channels on axis {axis}")
    return "channels_first"


def padding(node: Node) -> str:
    """The word for the padding of a window."""
    found = value(node, "padding")
    if isinstance(found, tuple):
        if any(item != (0, 0) for item in found):
            raise refuse(node, "Keras pads by a word, not by numbers; a ZeroPadding layer can say it")
        return "valid"
    if found not in ("valid", "same", "causal"):
        raise refuse(node, f"Keras has no padding '{found}'")
    return str(found)


def window(node: Node, rank: int, layer_rank: int | None) -> Config:
    """Settings that all sliding layers have."""
    return {
        "strides": numbers(node, "strides") or [1] * rank,
        "padding": padding(node),
        "data_format": layout(node, layer_rank),
    }


def _rank_of(node: Node, key: str = "kernel") -> int:
    rank = len(numbers(node, key))
    if rank not in (1, 2, 3):
        raise refuse(node, f"Keras has no such layer over {rank} axes")
    return rank


def conv(node: Node, rank: int | None) -> Native:
    """Conv1D to 3D, DepthwiseConv1D and 2D."""
    axes = _rank_of(node)
    config = {
        "kernel_size": numbers(node, "kernel"),
        **window(node, axes, rank),
        "dilation_rate": numbers(node, "dilations") or [1] * axes,
        "use_bias": value(node, "use_bias"),
    }
    groups, filters, kernel = value(node, "groups"), value(node, "filters"), node.param("kernel")
    shape = kernel.shape if kernel is not None else None
    if not isinstance(filters, int) or not isinstance(groups, int) or shape is None:
        raise refuse(node, "its filters, groups or kernel are not known")
    if groups > 1 and axes < 3 and shape[-2:] == (groups, filters // groups):
        return f"DepthwiseConv{axes}D", {**config, "depth_multiplier": filters // groups}
    return f"Conv{axes}D", {"filters": filters, **config, "groups": groups}


def dense(node: Node, rank: int | None) -> Native:
    """Dense."""
    if value(node, "axis") != -1 or value(node, "kernel_transposed"):
        raise refuse(node, "Keras multiplies the last axis by a kernel of (inputs, units)")
    return "Dense", {"units": value(node, "units"), "use_bias": value(node, "use_bias")}


def pool(word: str) -> Say:
    """MaxPooling and AveragePooling."""

    def say(node: Node, rank: int | None) -> Native:
        axes = _rank_of(node)
        if set(numbers(node, "dilations")) - {1} or value(node, "ceil_mode"):
            raise refuse(node, "Keras pools without dilations and rounds down")
        return f"{word}Pooling{axes}D", {
            "pool_size": numbers(node, "kernel"),
            **window(node, axes, rank),
        }

    return say


def global_pool(word: str) -> Say:
    """GlobalAveragePooling and GlobalMaxPooling."""

    def say(node: Node, rank: int | None) -> Native:
        if rank not in (3, 4, 5):
            raise refuse(node, "the number of axes that it pools is not known")
        config: Config = {"data_format": layout(node, rank), "keepdims": value(node, "keepdims")}
        return f"Global{word}Pooling{rank - 2}D", config

    return say


def batch_norm(node: Node, rank: int | None) -> Native:
    """BatchNormalization."""
    if value(node, "training") or node.attrs.get("folded"):
        raise refuse(node, "Keras has no such batch normalisation")
    keys = ("momentum", "epsilon", "center", "scale")
    return "BatchNormalization", {"axis": value(node, "channel_axis"), **{k: value(node, k) for k in keys}}


def layer_norm(node: Node, rank: int | None) -> Native:
    """LayerNormalization."""
    axes = numbers(node, "axes")
    keys = ("epsilon", "center", "scale")
    return "LayerNormalization", {
        "axis": axes[0] if len(axes) == 1 else axes,
        **{k: value(node, k) for k in keys},
    }


def flatten(node: Node, rank: int | None) -> Native:
    """Flatten."""
    if value(node, "axis") != 1:
        raise refuse(node, "Keras flattens all axes but the batch")
    first = value(node, "channels_first")
    return "Flatten", {"data_format": "channels_first" if first else "channels_last"}


def reshape(node: Node, rank: int | None) -> Native:
    """Reshape."""
    shape = numbers(node, "shape") if len(node.inputs) == 1 else []
    if shape[:1] != [0] or 0 in shape[1:]:
        raise refuse(node, "Keras keeps the batch axis and states all other axes")
    return "Reshape", {"target_shape": shape[1:]}


def transpose(node: Node, rank: int | None) -> Native:
    """Permute."""
    perm = numbers(node, "perm")
    if perm[:1] != [0]:
        raise refuse(node, "Keras keeps the batch axis in front")
    return "Permute", {"dims": perm[1:]}


def pad(node: Node, rank: int | None) -> Native:
    """ZeroPadding1D to 3D."""
    pads = value(node, "pads")
    if value(node, "mode") != "constant" or value(node, "value") != 0.0 or value(node, "axes"):
        raise refuse(node, "Keras pads with zeros, on spatial axes")
    if not isinstance(pads, tuple) or len(pads) not in (3, 4, 5):
        raise refuse(node, "Keras pads one to three spatial axes")
    last, first = (pads[0], pads[-1]) == ((0, 0),) * 2, pads[:2] == ((0, 0),) * 2
    if not last and not first:
        raise refuse(node, "Keras pads neither batch nor channels")
    inner = plain(pads[1:-1] if last else pads[2:])
    assert isinstance(inner, list)
    axes = len(inner)
    config: Config = {"padding": inner if axes > 1 else inner[0]}
    if axes > 1 or not last:
        config["data_format"] = "channels_last" if last else "channels_first"
    return f"ZeroPadding{axes}D", config


def concat(node: Node, rank: int | None) -> Native:
    """Concatenate."""
    return "Concatenate", {"axis": value(node, "axis")}


def same(cls: str, *keys: str) -> Say:
    """A layer whose settings are called as the node's."""

    def say(node: Node, rank: int | None) -> Native:
        return cls, {key: plain(value(node, key)) for key in keys}

    return say


_CELL = ("units", "activation", "use_bias", "return_sequences", "return_state", "go_backwards", "stateful")


def recurrent(cls: str, *more: str) -> Say:
    """LSTM, GRU and SimpleRNN that read forwards."""
    keys = (*_CELL, "unroll", "dropout", "recurrent_dropout", *more)

    def say(node: Node, rank: int | None) -> Native:
        if value(node, "direction") != "forward" or value(node, "time_axis") != 1:
            raise refuse(node, "only a layer that reads forwards can be said")
        return cls, {key: plain(value(node, key)) for key in keys}

    return say


def activation_function(node: Node) -> str | None:
    """Name of the Keras function that is this node; None when there is none with these settings."""
    if len(node.inputs) != 1 or node.params:
        return None
    shown = dict(node.attrs)
    return next(
        (
            name
            for name, (op, attrs) in ACTIVATIONS.items()
            if op == node.op and name != "linear" and _plain_attrs(op, attrs) == shown
        ),
        None,
    )


def _plain_attrs(op: str, attrs: Mapping[str, Attr]) -> dict[str, Attr]:
    bare = Node("", op, (), ())
    return {key: item for key, item in attrs.items() if repr(value(bare, key)) != repr(item)}


def relu(node: Node, rank: int | None) -> Native:
    """ReLU."""
    return "ReLU", {key: value(node, key) for key in ("max_value", "negative_slope", "threshold")}


def leaky_relu(node: Node, rank: int | None) -> Native:
    """LeakyReLU, in the words of Keras 3."""
    return "LeakyReLU", {"negative_slope": value(node, "alpha")}


SAY: Mapping[str, Say] = {
    "Add": same("Add"),
    "AlphaDropout": same("AlphaDropout", "rate"),
    "AveragePool": pool("Average"),
    "BatchNormalization": batch_norm,
    "Concat": concat,
    "Conv": conv,
    "Dense": dense,
    "Dropout": same("Dropout", "rate"),
    "Elu": same("ELU", "alpha"),
    "Flatten": flatten,
    "GRU": recurrent("GRU", "recurrent_activation", "reset_after"),
    "GaussianDropout": same("GaussianDropout", "rate"),
    "GaussianNoise": same("GaussianNoise", "stddev"),
    "GlobalAveragePool": global_pool("Average"),
    "GlobalMaxPool": global_pool("Max"),
    "Identity": same("Identity"),
    "LSTM": recurrent("LSTM", "recurrent_activation"),
    "LayerNormalization": layer_norm,
    "LeakyRelu": leaky_relu,
    "Max": same("Maximum"),
    "MaxPool": pool("Max"),
    "Mean": same("Average"),
    "Min": same("Minimum"),
    "Mul": same("Multiply"),
    "Pad": pad,
    "RNN": recurrent("SimpleRNN"),
    "Relu": relu,
    "RepeatVector": same("RepeatVector", "n"),
    "Rescaling": same("Rescaling", "scale", "offset"),
    "Reshape": reshape,
    "Softmax": same("Softmax", "axis"),
    "Sub": same("Subtract"),
    "Transpose": transpose,
}
"""Op → how Keras says it."""


def say(node: Node, rank: int | None) -> Native:
    """The layer that a node is.

    Raises:
        PatchError: Keras has no such layer.
    """
    if node.attrs.get("time_distributed"):
        raise refuse(node, "a new layer that is called step by step cannot be said")
    name = activation_function(node)
    if name is not None and node.op != "Identity":
        return "Activation", {"activation": name}
    if node.op not in SAY:
        raise refuse(node, "Keras files cannot be given such a layer")
    return SAY[node.op](node, rank)
