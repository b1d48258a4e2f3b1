"""Activation functions: their names in Keras, and the op that each one is."""

from __future__ import annotations

from collections.abc import Mapping

from archlint.formats.keras.builder import Val
from archlint.formats.keras.call import Call
from archlint.formats.keras.raw import Raw
from archlint.graph import Attr

SIXTH = 1 / 6

ACTIVATIONS: Mapping[str, tuple[str, Mapping[str, Attr]]] = {
    "celu": ("Celu", {}),
    "elu": ("Elu", {}),
    "exponential": ("Exp", {}),
    "gelu": ("Gelu", {}),
    "glu": ("Glu", {"axis": -1}),
    "hard_shrink": ("HardShrink", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": SIXTH, "beta": 0.5}),
    "hard_silu": ("HardSwish", {}),
    "hard_swish": ("HardSwish", {}),
    "hard_tanh": ("HardTanh", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.2}),
    "linear": ("Identity", {}),
    "log_sigmoid": ("LogSigmoid", {}),
    "log_softmax": ("LogSoftmax", {"axis": -1}),
    "log_softmax_v2": ("LogSoftmax", {"axis": -1}),
    "mish": ("Mish", {}),
    "relu": ("Relu", {}),
    "relu6": ("Relu", {"max_value": 6.0}),
    "selu": ("Selu", {}),
    "sigmoid": ("Sigmoid", {}),
    "silu": ("Swish", {}),
    "soft_shrink": ("SoftShrink", {}),
    "softmax": ("Softmax", {"axis": -1}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "sparse_plus": ("SparsePlus", {}),
    "sparse_sigmoid": ("SparseSigmoid", {}),
    "sparsemax": ("Sparsemax", {}),
    "squareplus": ("Squareplus", {}),
    "swish": ("Swish", {}),
    "tanh": ("Tanh", {}),
    "tanh_shrink": ("TanhShrink", {}),
    "threshold": ("ThresholdedRelu", {}),
}
"""Name in a config → op and settings. Source: keras.activations of Keras 3.15; Keras 2 has a subset.

The defaults are those of the functions, which differ from the layers' (leaky_relu: 0.2, LeakyReLU: 0.3).
"""

KERAS2_HARD_SIGMOID: Mapping[str, Attr] = {"alpha": 0.2, "beta": 0.5}
"""Slope of hard_sigmoid before Keras 3: keras/backend/tensorflow_backend.py, ``0.2 * x + 0.5``."""


def activation_name(raw: Raw) -> tuple[str, Raw | None]:
    """Name of an activation, and its settings when it is an object with some. "linear" when null."""
    if raw.is_null:
        return "linear", None
    if isinstance(raw.value, str):
        return _short(raw.value), None
    inner = raw["config"]
    if isinstance(inner.value, str):
        return _short(inner.value), None
    name = raw["class_name"].text("linear")
    return _short(name), inner if isinstance(inner.value, dict) else None


def _short(name: str) -> str:
    """``keras_applications>relu6`` and ``builtins.relu`` are plain functions with a package in front."""
    return name.rsplit(">", 1)[-1] if name.rsplit(">", 1)[-1] in ACTIVATIONS else name


def op_of_activation(name: str, keras_major: int) -> tuple[str, Mapping[str, Attr]] | None:
    """Op and settings of a named activation; None when Keras does not ship it."""
    if name == "hard_sigmoid" and keras_major < 3:
        return "HardSigmoid", KERAS2_HARD_SIGMOID
    return ACTIVATIONS.get(name)


def activate(call: Call, value: Val, raw: Raw) -> Val:
    """The value after the activation of its layer, as a node of its own; "linear" adds nothing."""
    name, settings = activation_name(raw)
    if name == "linear":
        return value
    if settings is not None:
        return call.nested(name, settings, [value])[0]
    known = op_of_activation(name, call.builder.keras_major)
    if known is None:
        return call.unknown(name, [value], part=name)[0]
    op, attrs = known
    return call.one(op, [value], attrs, part=name)
