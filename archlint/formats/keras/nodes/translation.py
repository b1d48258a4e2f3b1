"""Op nodes: calls of ``keras.ops`` in a functional model, and of TensorFlow's functions in Keras 2."""

from __future__ import annotations

from collections.abc import Mapping

from archlint.formats.keras.activations import op_of_activation
from archlint.formats.keras.builder import Val
from archlint.formats.keras.call import Call, values_of
from archlint.formats.keras.nodes.joins import JOINS
from archlint.formats.keras.nodes.kept import KEPT
from archlint.formats.keras.nodes.matrices import MATRICES
from archlint.formats.keras.nodes.operands import OpCall, OpTranslator
from archlint.formats.keras.nodes.reductions import REDUCED
from archlint.formats.keras.nodes.shapes import SHAPES
from archlint.formats.keras.nodes.signals import SIGNALS
from archlint.formats.keras.nodes.slices import SLICES
from archlint.formats.keras.nodes.sums import SUMS
from archlint.formats.keras.nodes.tensorflow import op_call
from archlint.formats.keras.nodes.windows import WINDOWS
from archlint.graph import Attr

TRANSLATORS: Mapping[str, OpTranslator] = {
    **SHAPES,
    **JOINS,
    **SLICES,
    **WINDOWS,
    **SUMS,
    **REDUCED,
    **MATRICES,
    **SIGNALS,
    **KEPT,
}
"""Class of ``keras.ops`` → translator."""

SNAKE_ACTIVATIONS = {
    "Celu": "celu",
    "Elu": "elu",
    "Gelu": "gelu",
    "HardShrink": "hard_shrink",
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
    "HardTanh": "hard_tanh",
    "LeakyRelu": "leaky_relu",
    "LogSigmoid": "log_sigmoid",
    "LogSoftmax": "log_softmax",
    "Relu": "relu",
    "Relu6": "relu6",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Silu": "silu",
    "SoftShrink": "soft_shrink",
    "Softmax": "softmax",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "SparsePlus": "sparse_plus",
    "SparseSigmoid": "sparse_sigmoid",
    "Sparsemax": "sparsemax",
    "Squareplus": "squareplus",
    "TanhShrink": "tanh_shrink",
    "Threshold": "threshold",
}
"""Class in ``keras.src.ops.nn`` → the activation function that it is."""

SETTINGS = {
    "alpha": "alpha",
    "approximate": "approximate",
    "axis": "axis",
    "b": "b",
    "negative_slope": "alpha",
    "threshold": "threshold",
}
"""Setting of such a class → attribute of its op."""


def apply(call: Call) -> list[Val]:
    """The values of an op node; Unknown when the op is none of Keras's or its arguments make no sense."""
    op = op_call(call) if call.layer.cls == "TensorFlowOpLayer" else OpCall.of(call)
    if not call.all_inputs():
        return call.unknown(op.native)
    if op.name in SNAKE_ACTIVATIONS and not call.layer.custom:
        return _activation(op)
    translator = None if call.layer.custom else TRANSLATORS.get(op.name)
    if translator is not None:
        made = translator(op)
        if made is not None:
            return made
    return call.unknown(op.native, values_of([*call.args, *call.kwargs.values()]))


def _activation(op: OpCall) -> list[Val]:
    known = op_of_activation(SNAKE_ACTIVATIONS[op.name], op.call.builder.keras_major)
    assert known is not None, "every name of SNAKE_ACTIVATIONS is an activation"
    kind, attrs = known
    stated: dict[str, Attr] = {}
    for key, value in op.settings.items():
        if key in SETTINGS and value is not None:
            if not isinstance(value, int | float):
                return op.call.unknown(op.native)
            stated[SETTINGS[key]] = value
    return op.call.node(kind, op.sources("x", "features", "logits"), {**attrs, **stated})
