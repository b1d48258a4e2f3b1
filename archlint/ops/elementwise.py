"""Arithmetic, comparison and unary functions, element by element with numpy broadcasting."""

from __future__ import annotations

from collections.abc import Sequence

from archlint.graph import Node
from archlint.ops.base import Op, Tensor, at, table
from archlint.ops.dims import broadcast
from archlint.ops.norm import keep


def _joined(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    dtype = next((tensor.dtype for tensor in ins if tensor.dtype is not None), None)
    return (Tensor(dtype, broadcast([tensor.shape for tensor in ins])),)


def _compared(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return (Tensor("bool", broadcast([tensor.shape for tensor in ins])),)


def _asked(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return (Tensor("bool", at(ins, 0).shape),)


def _rescaled(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """Whole numbers become floats. Source: keras/src/layers/preprocessing/rescaling.py."""
    dtype = at(ins, 0).dtype
    return (Tensor(dtype if dtype is None or "float" in dtype else "float32", at(ins, 0).shape),)


_ARITHMETIC = (
    "Sub Div Pow Mod Max Min BitShift BitwiseAnd BitwiseOr BitwiseXor FloorDiv Atan2 SquaredDifference"
)
_COMPARISONS = "And Or Xor Equal NotEqual Greater Less GreaterOrEqual LessOrEqual"
_UNARY = (
    "Abs Sqrt Reciprocal Exp Log Erf Floor Ceil Round Sign Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh "
    "Atanh Square Rsqrt Log1p Expm1 BitwiseNot"
)
_QUESTIONS = "Not IsNaN IsInf IsFinite"

_EACH = frozenset({"elementwise", "nonlinear"})
_SUM = frozenset({"elementwise", "addition"})
_PRODUCT = frozenset({"elementwise", "multiplication"})
_FIXED = frozenset({"elementwise", "affine"})

OPS = table(
    Op("Add", _joined, traits=_SUM),
    Op("Sum", _joined, traits=_SUM),
    Op("Mean", _joined, traits=_SUM),
    Op("Mul", _joined, traits=_PRODUCT),
    *(Op(name, _joined, traits=_EACH) for name in _ARITHMETIC.split()),
    *(Op(name, _compared, traits=_EACH) for name in _COMPARISONS.split()),
    *(Op(name, keep, traits=_EACH) for name in _UNARY.split()),
    *(Op(name, _asked, traits=_EACH) for name in _QUESTIONS.split()),
    Op("Neg", keep, traits=_FIXED),
    Op("Clip", keep, {"min": None, "max": None}, traits=_EACH),
    Op("CumSum", keep, {"axis": None, "exclusive": 0, "reverse": 0}),
    Op("CumProd", keep, {"axis": None, "exclusive": 0, "reverse": 0}),
    Op("Rescaling", _rescaled, {"scale": None, "offset": 0.0}, traits=_FIXED | {"preprocessing"}),
)
