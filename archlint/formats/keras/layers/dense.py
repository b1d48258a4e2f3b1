"""Layers that multiply by a matrix, look up rows of one, or activate."""

from __future__ import annotations

from dataclasses import replace

from archlint.formats.keras.activations import activate, activation_name, op_of_activation
from archlint.formats.keras.builder import Val
from archlint.formats.keras.call import Call, Translator
from archlint.formats.keras.lowbit import reversed_table
from archlint.formats.keras.policies import as_stored, policy_of
from archlint.formats.keras.start import kernel_start
from archlint.graph import Attr, Param
from archlint.ops import Tensor


def dense(call: Call) -> list[Val]:
    """Dense."""
    attrs: dict[str, Attr] = {
        "units": call.config["units"].int(low=1),
        "use_bias": call.config["use_bias"].flag(True),
        **kernel_start(call.config),
    }
    value = call.one("Dense", None, attrs)
    as_stored(call, ("kernel", (0,), (1,)))
    return [activate(call, value, call.config["activation"])]


def einsum_dense(call: Call) -> list[Val]:
    """EinsumDense."""
    shape = call.config["output_shape"]
    items = list(shape.items()) if isinstance(shape.value, list) else [shape]
    attrs: dict[str, Attr] = {
        "equation": call.config["equation"].text(),
        "output_shape": tuple(None if item.is_null else item.int(low=0) for item in items),
        "bias_axes": call.config["bias_axes"].text("") or None,
    }
    value = call.one("EinsumDense", None, attrs)
    as_stored(call, ("kernel", *_summed_axes(call.config["equation"].text(), call.rank)))
    return [activate(call, value, call.config["activation"])]


def _summed_axes(equation: str, rank: int | None) -> tuple[tuple[int, ...], tuple[int | None, ...]]:
    """Axes of an EinsumDense's kernel that are summed over, and per axis of its scales the kernel's axis.

    The scales have the axes of the output (keras/src/layers/core/einsum_dense.py, _get_kernel_scale_shape).
    """
    sources, _, made = equation.replace(" ", "").partition("->")
    given, _, kernel = sources.partition(",")
    letters = given.replace("...", "")
    made = made.replace("...", "." * max(0, (rank or len(letters)) - len(letters)))
    summed = tuple(axis for axis, letter in enumerate(kernel) if letter not in made)
    return summed, tuple(kernel.index(letter) if letter in kernel else None for letter in made)


def embedding(call: Call) -> list[Val]:
    """Embedding; ReversibleEmbedding called forwards."""
    attrs: dict[str, Attr] = {
        "input_dim": call.config["input_dim"].int(low=0),
        "output_dim": call.config["output_dim"].int(low=0),
        "mask_zero": call.config["mask_zero"].flag(False),
    }
    value = call.one("Embedding", None, attrs)
    as_stored(call, ("embeddings", (1,), (0,)))
    return [value]


def reversible_embedding(call: Call) -> list[Val]:
    """ReversibleEmbedding: an Embedding, or called in reverse a product with the same table."""
    config, layer = call.config, call.layer
    rows, width = config["input_dim"].int(low=0), config["output_dim"].int(low=0)
    tied = config["tie_weights"].flag(True)
    role = "embeddings" if tied else "reverse_embeddings"
    back = Param(f"{layer.path}/{role}", "kernel", (width, rows), layer.dtype, layer.trainable)
    kept = reversed_table(back, policy_of(config))
    if call.kwargs.get("reverse") is True or call.args[1:2] == (True,):
        value = call.one("Dense", None, {"units": rows, "use_bias": False})
        call.builder.set_params(kept[:1])
        return [value]
    value = embedding(call)[0]
    if not tied:
        node = call.builder.nodes[-1]
        call.builder.set_params((*node.params, replace(kept[0], role=role), *kept[1:]))
    return [value]


def layer_scale(call: Call) -> list[Val]:
    """LayerScale of keras.applications.convnext: one learned factor per channel."""
    layer, width = call.layer, call.config["projection_dim"].int(low=1)
    gamma = Param(f"{layer.path}/gamma", "gamma", (width,), layer.dtype, layer.trainable)
    factor = call.one("Constant", (), {}, part="gamma", extra=(gamma,))
    call.builder.tensors[factor] = Tensor(layer.dtype, (width,))
    return [call.one("Mul", [*call.inputs[:1], factor])]


def scaled_sum(call: Call) -> list[Val]:
    """CustomScaleLayer of keras.applications.inception_resnet_v2: first + scale · second."""
    values = call.inputs
    if len(values) != 2:
        return call.unknown()
    factor = call.constant(call.config["scale"].float(), "scale")
    return [call.one("Add", [values[0], call.one("Mul", [values[1], factor], part="scaled")])]


def stochastic_depth(call: Call) -> list[Val]:
    """StochasticDepth of keras.applications.convnext: a Dropout of whole samples."""
    attrs: dict[str, Attr] = {"rate": call.config["drop_path_rate"].float(), "noise_shape": (None, 1, 1, 1)}
    return [call.one("Dropout", call.inputs[:1], attrs)]


def dot(call: Call) -> list[Val]:
    """Dot."""
    attrs: dict[str, Attr] = {
        "axes": call.config["axes"].ints(2),
        "normalize": call.config["normalize"].flag(False),
    }
    return [call.one("Dot", None, attrs)]


def activation(call: Call) -> list[Val]:
    """Activation: the function it names, as one node under the layer's own name."""
    name, settings = activation_name(call.config["activation"])
    if settings is not None:
        return call.nested(name, settings, call.inputs)
    known = op_of_activation(name, call.builder.keras_major)
    return call.unknown(name) if known is None else [call.one(known[0], None, known[1])]


def relu(call: Call) -> list[Val]:
    """ReLU."""
    top = call.config["max_value"]
    attrs: dict[str, Attr] = {
        "max_value": None if top.is_null else top.float(),
        "negative_slope": call.config["negative_slope"].float(0.0),
        "threshold": call.config["threshold"].float(0.0),
    }
    return [call.one("Relu", None, attrs)]


def leaky_relu(call: Call) -> list[Val]:
    """LeakyReLU: ``negative_slope`` in Keras 3, ``alpha`` before."""
    return [call.one("LeakyRelu", None, {"alpha": call.config.first("negative_slope", "alpha").float(0.3)})]


def p_relu(call: Call) -> list[Val]:
    """PReLU."""
    raw = call.config["shared_axes"]
    axes = raw.ints() if isinstance(raw.value, list) else () if raw.is_null else (raw.int(),)
    return [call.one("PRelu", None, {"shared_axes": axes})]


def elu(call: Call) -> list[Val]:
    """ELU."""
    return [call.one("Elu", None, {"alpha": call.config["alpha"].float(1.0)})]


def thresholded_relu(call: Call) -> list[Val]:
    """ThresholdedReLU (Keras 1 and 2)."""
    return [call.one("ThresholdedRelu", None, {"alpha": call.config["theta"].float(1.0)})]


def softmax(call: Call) -> list[Val]:
    """Softmax layer; over several axes it is not an op that the catalogue has."""
    raw = call.config["axis"]
    if isinstance(raw.value, list) and len(raw.value) != 1:
        return call.unknown()
    return [call.one("Softmax", call.inputs[:1], {"axis": call.axis(raw)})]


DENSE: dict[str, Translator] = {
    "Activation": activation,
    "CustomScaleLayer": scaled_sum,
    "Dense": dense,
    "Dot": dot,
    "ELU": elu,
    "EinsumDense": einsum_dense,
    "Embedding": embedding,
    "LayerScale": layer_scale,
    "LeakyReLU": leaky_relu,
    "PReLU": p_relu,
    "ReLU": relu,
    "ReversibleEmbedding": reversible_embedding,
    "Softmax": softmax,
    "StochasticDepth": stochastic_depth,
    "ThresholdedReLU": thresholded_relu,
}
