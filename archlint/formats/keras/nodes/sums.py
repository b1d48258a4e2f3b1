"""Op nodes that compute element by element, or products: arithmetic, comparisons, matrices, attention."""

from __future__ import annotations

from collections.abc import Mapping

from archlint.formats.keras.builder import Val
from archlint.formats.keras.call import values_of
from archlint.formats.keras.nodes.operands import OpCall, OpTranslator, whole
from archlint.graph import Attr

UNARY: Mapping[str, str] = {
    "Abs": "Abs",
    "Absolute": "Abs",
    "Arccos": "Acos",
    "Arccosh": "Acosh",
    "Arcsin": "Asin",
    "Arcsinh": "Asinh",
    "Arctan": "Atan",
    "Arctanh": "Atanh",
    "BitwiseInvert": "BitwiseNot",
    "BitwiseNot": "BitwiseNot",
    "Ceil": "Ceil",
    "Copy": "Identity",
    "Cos": "Cos",
    "Cosh": "Cosh",
    "Det": "Det",
    "Erf": "Erf",
    "Exp": "Exp",
    "Expm1": "Expm1",
    "Fabs": "Abs",
    "Floor": "Floor",
    "Isfinite": "IsFinite",
    "Isinf": "IsInf",
    "Isnan": "IsNaN",
    "Log": "Log",
    "Log1p": "Log1p",
    "LogicalNot": "Not",
    "Negative": "Neg",
    "Reciprocal": "Reciprocal",
    "Round": "Round",
    "Rsqrt": "Rsqrt",
    "Sign": "Sign",
    "Sin": "Sin",
    "Sinh": "Sinh",
    "Size": "Size",
    "Sqrt": "Sqrt",
    "Square": "Square",
    "StopGradient": "Identity",
    "Tan": "Tan",
    "Tanh": "Tanh",
}

BINARY: Mapping[str, str] = {
    "Add": "Add",
    "Arctan2": "Atan2",
    "BitwiseAnd": "BitwiseAnd",
    "BitwiseOr": "BitwiseOr",
    "BitwiseXor": "BitwiseXor",
    "Divide": "Div",
    "DivideNoNan": "Div",
    "Equal": "Equal",
    "FloorDivide": "FloorDiv",
    "Fmax": "Max",
    "Fmin": "Min",
    "Fmod": "Mod",
    "Greater": "Greater",
    "GreaterEqual": "GreaterOrEqual",
    "Less": "Less",
    "LessEqual": "LessOrEqual",
    "LogicalAnd": "And",
    "LogicalOr": "Or",
    "LogicalXor": "Xor",
    "Matmul": "MatMul",
    "Maximum": "Max",
    "Minimum": "Min",
    "Mod": "Mod",
    "Multiply": "Mul",
    "NotEqual": "NotEqual",
    "Power": "Pow",
    "Subtract": "Sub",
    "TrueDivide": "Div",
}


def _unary(kind: str) -> OpTranslator:
    return lambda op: op.node(kind, op.sources("x", "variable")[:1])


def _binary(kind: str) -> OpTranslator:
    def translator(op: OpCall) -> list[Val] | None:
        left = op.value(op.operand(0, "x1", "x", "a"), "x1")
        right = op.value(op.operand(1, "x2", "y", "b"), "x2")
        if left is None or right is None:
            return None
        if kind == "MatMul":
            sides = [_turned(op, side, letter) for side, letter in ((left, "a"), (right, "b"))]
            known = [side for side in sides if side is not None]
            return op.node(kind, known) if len(known) == 2 else None
        return op.node(kind, [left, right])

    return translator


def _turned(op: OpCall, value: Val, letter: str) -> Val | None:
    """An operand of TensorFlow's matmul, its last two axes exchanged where that is asked for."""
    if not any(op.settings.get(f"{word}_{letter}") for word in ("transpose", "adjoint")):
        return value
    shape = op.call.tensor(value).shape
    if shape is None or len(shape) < 2:
        return None
    rank = len(shape)
    perm = (*range(rank - 2), rank - 1, rank - 2)
    return op.call.one("Transpose", [value], {"perm": perm}, part=f"transpose_{letter}")


def _clip(op: OpCall) -> list[Val] | None:
    low = op.setting(1, "x_min", "clip_value_min")
    high = op.setting(2, "x_max", "clip_value_max")
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return None
    if low == 0:
        return op.node("Relu", op.sources("x", "t")[:1], {"max_value": float(high)})
    return op.node("Clip", op.sources("x", "t")[:1], {"min": float(low), "max": float(high)})


def _einsum(op: OpCall) -> list[Val] | None:
    equation = op.settings.get("subscripts", op.settings.get("equation"))
    return (
        op.node("Einsum", op.call.all_inputs(), {"equation": equation}) if isinstance(equation, str) else None
    )


def _shift(direction: str) -> OpTranslator:
    def translator(op: OpCall) -> list[Val] | None:
        left, right = op.value(op.operand(0, "x"), "x"), op.value(op.operand(1, "y"), "y")
        known = [value for value in (left, right) if value is not None]
        return op.node("BitShift", known, {"direction": direction}) if len(known) == 2 else None

    return translator


def _attention(op: OpCall) -> list[Val] | None:
    inputs = [op.operand(index, name) for index, name in enumerate(("query", "key", "value"))]
    values = values_of(inputs)
    scale = op.setting(5, "scale")
    if len(values) != 3:
        return None
    attrs: dict[str, Attr] = {"layout": "bthd", "causal": op.setting(6, "is_causal") is True}
    if isinstance(scale, int | float):
        attrs["scale"] = float(scale)
    return op.node("Attention", values, attrs)


def _where(op: OpCall) -> list[Val] | None:
    parts = (("condition",), ("x1", "x"), ("x2", "y"))
    values = [op.value(op.operand(index, *names), names[0]) for index, names in enumerate(parts)]
    known = [value for value in values if value is not None]
    return op.node("Where", known) if len(known) == 3 else None


def _cumulative(kind: str) -> OpTranslator:
    def translator(op: OpCall) -> list[Val] | None:
        axis = whole(op.setting(1, "axis"))
        return None if axis is None else op.node(kind, op.sources("x")[:1], {"axis": axis})

    return translator


def _top_k(op: OpCall) -> list[Val] | None:
    k = whole(op.setting(1, "k"))
    return None if k is None else op.node("TopK", op.sources("x")[:1], {"k": k}, outputs=2)


def _along(kind: str) -> OpTranslator:
    def translator(op: OpCall) -> list[Val] | None:
        axis = whole(op.setting(1, "axis"))
        return op.node(kind, op.sources("x")[:1], {"axis": -1 if axis is None else axis})

    return translator


SUMS: Mapping[str, OpTranslator] = {
    **{name: _unary(op) for name, op in UNARY.items()},
    **{name: _binary(op) for name, op in BINARY.items()},
    "AddN": lambda op: op.node("Sum", op.sources("inputs")),
    "Argsort": _along("ArgSort"),
    "BitwiseLeftShift": _shift("LEFT"),
    "BitwiseRightShift": _shift("RIGHT"),
    "Clip": _clip,
    "Cumprod": _cumulative("CumProd"),
    "Cumsum": _cumulative("CumSum"),
    "DotProductAttention": _attention,
    "Einsum": _einsum,
    "Glu": _along("Glu"),
    "LeftShift": _shift("LEFT"),
    "RightShift": _shift("RIGHT"),
    "Sort": _along("Sort"),
    "TopK": _top_k,
    "Where": _where,
}
"""Class of ``keras.ops`` → translator."""
