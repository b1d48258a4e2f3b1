"""Activations: a function of each element (or along one axis), which keeps the shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archlint.graph import Attr, Dim, Node, Shape
from archlint.ops.base import Op, Tensor, Weight, at, integer, integers, table
from archlint.ops.dims import axis_of
from archlint.ops.norm import keep


def _prelu_weights(node: Node, ins: Sequence[Tensor]) -> Sequence[Weight]:
    """alpha with the input's shape without the batch, ones on the shared axes.

    Source: Keras ``PReLU.build``; shared axes count from the batch axis.
    """
    source, shared = at(ins, 0).shape, integers(node, "shared_axes")
    shape: Shape = None
    if source is not None and shared is not None:
        shape = tuple(1 if axis in shared else dim for axis, dim in enumerate(source))[1:]
    return (Weight("alpha", shape),)


def _glu(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """Half of the input along the axis."""
    source = at(ins, 0)
    axis = None if source.shape is None else axis_of(integer(node, "axis"), len(source.shape))
    if source.shape is None or axis is None:
        return (Tensor(source.dtype),)
    length = source.shape[axis]
    half: Dim = length // 2 if isinstance(length, int) else None
    return (Tensor(source.dtype, (*source.shape[:axis], half, *source.shape[axis + 1 :])),)


_POINTWISE = frozenset({"activation", "nonlinear", "elementwise"})
_ALONG_AXIS = frozenset({"activation", "nonlinear"})

_ELEMENTWISE: Mapping[str, Mapping[str, Attr]] = {
    "Relu": {"max_value": None, "negative_slope": 0.0, "threshold": 0.0},
    "LeakyRelu": {"alpha": 0.3},
    "Elu": {"alpha": 1.0},
    "Selu": {},
    "Celu": {"alpha": 1.0},
    "Gelu": {"approximate": False},
    "Sigmoid": {},
    "HardSigmoid": {"alpha": 1 / 6, "beta": 0.5},
    "Tanh": {},
    "HardTanh": {},
    "Softplus": {},
    "Softsign": {},
    "Swish": {"alpha": 1.0},
    "HardSwish": {},
    "Mish": {},
    "ThresholdedRelu": {"alpha": 1.0},
    "LogSigmoid": {},
    "Shrink": {"lambd": 0.5, "bias": 0.0},
    "SoftShrink": {"threshold": 0.5},
    "HardShrink": {"threshold": 0.5},
    "TanhShrink": {},
    "Squareplus": {"b": 4},
    "SparsePlus": {},
    "SparseSigmoid": {},
}

OPS = table(
    *(Op(name, keep, attrs, traits=_POINTWISE) for name, attrs in _ELEMENTWISE.items()),
    Op("PRelu", keep, {"shared_axes": ()}, weights=_prelu_weights, traits=_POINTWISE | {"learned"}),
    Op("Softmax", keep, {"axis": -1, "flatten_from": None}, traits=_ALONG_AXIS),
    Op("LogSoftmax", keep, {"axis": -1, "flatten_from": None}, traits=_ALONG_AXIS),
    Op("Sparsemax", keep, {"axis": -1}, traits=_ALONG_AXIS),
    Op("Hardmax", keep, {"axis": -1, "flatten_from": None}, traits=_ALONG_AXIS),
    Op("Glu", _glu, {"axis": -1}, traits=_ALONG_AXIS),
    # ONNX's SwiGLU takes the gate and the value as two inputs of one shape.
    Op("SwiGLU", keep, {"alpha": 1.0}, traits=_POINTWISE),
)
