"""Contents of small tensors, so that computed shapes are known: symbols and unknown elements pass through."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from archlint.graph import Node
from archlint.ops.base import Tensor, Value, ValueFn, at, given, given_integers, integer
from archlint.ops.dims import product, size

LIMIT = 64
"""Most elements whose contents are followed; shapes and axes are shorter by far."""

_Element = int | float | bool | str | None


def value_of(node: Node, ins: Sequence[Tensor], out: Tensor) -> Value:
    """Contents of a node's first output; None when they are not small or not known."""
    rule = _RULES.get(node.op)
    if rule is None:
        return None
    found = rule(node, ins, out)
    if found is None or len(found) > LIMIT:
        return None
    count = size(out.shape)
    return found if count is None or count == len(found) else None


def _shape(node: Node, ins: Sequence[Tensor], out: Tensor) -> Value:
    shape = at(ins, 0).shape
    return None if shape is None else shape[integer(node, "start") : integer(node, "end")]


def _size(node: Node, ins: Sequence[Tensor], out: Tensor) -> Value:
    shape = at(ins, 0).shape
    return None if shape is None else (product(shape),)


def _same(node: Node, ins: Sequence[Tensor], out: Tensor) -> Value:
    return at(ins, 0).value


def _constant(node: Node, ins: Sequence[Tensor], out: Tensor) -> Value:
    return node.params[0].value if node.params else None


def _cast(node: Node, ins: Sequence[Tensor], out: Tensor) -> Value:
    value, to = at(ins, 0).value, out.dtype
    if value is None or to is None or to == "string":
        return None
    return tuple(_converted(item, to) for item in value)


def _converted(item: _Element, to: str) -> _Element:
    if isinstance(item, str) or item is None:
        return None if to == "bool" else item
    if to == "bool":
        return bool(item)
    if "int" in to:
        return int(item) if math.isfinite(item) else None
    return float(item)


def _concat(node: Node, ins: Sequence[Tensor], out: Tensor) -> Value:
    found: list[_Element] = []
    for tensor in ins:
        if tensor.shape is None or len(tensor.shape) != 1:
            return None
        length = tensor.shape[0]
        if tensor.value is not None:
            found.extend(tensor.value)
        elif isinstance(length, int) and length <= LIMIT:
            found.extend([None] * length)
        else:
            return None
    return tuple(found)


def _gather(node: Node, ins: Sequence[Tensor], out: Tensor) -> Value:
    source, picked = at(ins, 0), at(ins, 1).value
    if source.value is None or picked is None or source.shape is None or len(source.shape) != 1:
        return None
    count = len(source.value)
    return tuple(
        source.value[item] if isinstance(item, int) and -count <= item < count else None for item in picked
    )


def _slice(node: Node, ins: Sequence[Tensor], out: Tensor) -> Value:
    source = at(ins, 0)
    if source.value is None or source.shape is None or len(source.shape) != 1:
        return None
    starts, ends = given_integers(node, ins, "starts", 1), given_integers(node, ins, "ends", 2)
    steps = given_integers(node, ins, "steps", 4)
    if starts is None or ends is None or steps is None or len(starts) != 1 or len(ends) != 1:
        return None
    step = steps[0] if steps else 1
    if step == 0:
        return None
    end = None if step < 0 and ends[0] <= 1 - 2**31 else ends[0]
    return source.value[starts[0] : end : step]


def _arithmetic(act: Callable[[_Element, _Element], _Element]) -> ValueFn:
    def rule(node: Node, ins: Sequence[Tensor], out: Tensor) -> Value:
        left, right = at(ins, 0), at(ins, 1)
        if left.value is None or right.value is None or len(ins) != 2:
            return None
        if out.shape is None or len(out.shape) > 1:
            return None
        count = max(len(left.value), len(right.value))
        if len(left.value) not in (1, count) or len(right.value) not in (1, count):
            return None
        first = left.value * count if len(left.value) == 1 else left.value
        second = right.value * count if len(right.value) == 1 else right.value
        return tuple(act(*pair) for pair in zip(first, second, strict=True))

    return rule


def _number(item: _Element) -> int | float | None:
    return item if isinstance(item, int | float) else None


def _add(left: _Element, right: _Element) -> _Element:
    a, b = _number(left), _number(right)
    if a is not None and b is not None:
        return a + b
    return left if right == 0 else right if left == 0 else None


def _subtract(left: _Element, right: _Element) -> _Element:
    a, b = _number(left), _number(right)
    if a is not None and b is not None:
        return a - b
    if isinstance(left, str) and left == right:
        return 0
    return left if right == 0 else None


def _multiply(left: _Element, right: _Element) -> _Element:
    a, b = _number(left), _number(right)
    if a is not None and b is not None:
        return a * b
    return left if right == 1 else right if left == 1 else None


def _divide(left: _Element, right: _Element) -> _Element:
    """ONNX Div of integers truncates towards zero."""
    a, b = _number(left), _number(right)
    if a is not None and b is not None and b != 0:
        if isinstance(a, int) and isinstance(b, int):
            return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        return a / b
    if isinstance(left, str) and left == right:
        return 1
    return left if right == 1 else None


def _floor_divide(left: _Element, right: _Element) -> _Element:
    if isinstance(left, int) and isinstance(right, int) and right:
        return left // right
    return left if right == 1 else None


def _modulo(left: _Element, right: _Element) -> _Element:
    return left % right if isinstance(left, int) and isinstance(right, int) and right else None


def _equal(left: _Element, right: _Element) -> _Element:
    a, b = _number(left), _number(right)
    if a is not None and b is not None:
        return a == b
    if isinstance(left, str) and left == right:
        return True
    # A symbol is a length: it can never be negative.
    negative = (a is not None and a < 0) or (b is not None and b < 0)
    return False if negative and isinstance(left if a is None else right, str) else None


def _larger(left: _Element, right: _Element) -> _Element:
    a, b = _number(left), _number(right)
    return max(a, b) if a is not None and b is not None else left if left == right else None


def _smaller(left: _Element, right: _Element) -> _Element:
    a, b = _number(left), _number(right)
    return min(a, b) if a is not None and b is not None else left if left == right else None


def _compare(test: Callable[[float, float], bool]) -> ValueFn:
    def act(left: _Element, right: _Element) -> _Element:
        a, b = _number(left), _number(right)
        return test(a, b) if a is not None and b is not None else None

    return _arithmetic(act)


def _unary(act: Callable[[int | float], int | float]) -> ValueFn:
    def rule(node: Node, ins: Sequence[Tensor], out: Tensor) -> Value:
        value = at(ins, 0).value
        if value is None:
            return None
        numbers = [_number(item) for item in value]
        return tuple(None if item is None or not math.isfinite(item) else act(item) for item in numbers)

    return rule


def _rounded(act: Callable[[float], int]) -> ValueFn:
    def keep_kind(item: int | float) -> int | float:
        return item if isinstance(item, int) else float(act(item))

    return _unary(keep_kind)


def _range(node: Node, ins: Sequence[Tensor], out: Tensor) -> Value:
    bounds = [given(node, ins, name, index) for index, name in enumerate(("start", "limit", "delta"))]
    whole = [bound[0] for bound in bounds if bound and isinstance(bound[0], int)]
    if len(whole) != 3 or not isinstance(size(out.shape), int) or (size(out.shape) or 0) > LIMIT:
        return None
    start, limit, delta = (int(bound) for bound in whole)
    return tuple(range(start, limit, delta)) if delta else None


def _filled(node: Node, ins: Sequence[Tensor], out: Tensor) -> Value:
    count = size(out.shape)
    value = node.attrs.get("value", 0.0)
    if isinstance(value, tuple):
        value = value[0] if len(value) == 1 else None
    param = node.param("value")
    if param is not None:
        value = param.value[0] if param.value and len(param.value) == 1 else None
    if count is None or count > LIMIT or not isinstance(value, int | float):
        return None
    return (value,) * count


def _spread(node: Node, ins: Sequence[Tensor], out: Tensor) -> Value:
    value, count = at(ins, 0).value, size(out.shape)
    if value is None or count is None or count > LIMIT or len(value) not in (1, count):
        return None
    return value * count if len(value) == 1 else value


def _reduced(start: int, act: Callable[[_Element, _Element], _Element]) -> ValueFn:
    def rule(node: Node, ins: Sequence[Tensor], out: Tensor) -> Value:
        value, shape = at(ins, 0).value, at(ins, 0).shape
        if value is None or shape is None or len(shape) != 1 or size(out.shape) != 1:
            return None
        total: _Element = start
        for item in value:
            total = act(total, item)
        return (total,)

    return rule


def _extreme(act: Callable[[_Element, _Element], _Element]) -> ValueFn:
    def rule(node: Node, ins: Sequence[Tensor], out: Tensor) -> Value:
        value, shape = at(ins, 0).value, at(ins, 0).shape
        if not value or shape is None or len(shape) != 1 or size(out.shape) != 1:
            return None
        total = value[0]
        for item in value[1:]:
            total = act(total, item)
        return (total,)

    return rule


def _where(node: Node, ins: Sequence[Tensor], out: Tensor) -> Value:
    condition, yes, no = (at(ins, index).value for index in range(3))
    count = size(out.shape)
    if condition is None or yes is None or no is None or count is None or count > LIMIT:
        return None
    rows = [value * count if len(value) == 1 else value for value in (condition, yes, no)]
    if any(len(row) != count for row in rows):
        return None
    return tuple(
        (a if asked else b) if isinstance(asked, int | float) else (a if a == b else None)
        for asked, a, b in zip(*rows, strict=True)
    )


def _not(node: Node, ins: Sequence[Tensor], out: Tensor) -> Value:
    value = at(ins, 0).value
    return None if value is None else tuple(not item if isinstance(item, bool) else None for item in value)


def _range_scatter(node: Node, ins: Sequence[Tensor], out: Tensor) -> Value:
    """ScatterND and ScatterElements into a one-axis tensor, as torch exports write shapes."""
    source, picked, new = (at(ins, index).value for index in range(3))
    if source is None or picked is None or new is None or len(picked) != len(new):
        return None
    if (
        at(ins, 0).shape is None
        or len(at(ins, 0).shape or ()) != 1
        or node.attrs.get("reduction", "none") != "none"
    ):
        return None
    found = list(source)
    for place, item in zip(picked, new, strict=True):
        if not isinstance(place, int) or not -len(found) <= place < len(found):
            return None
        found[place] = item
    return tuple(found)


_RULES: Mapping[str, ValueFn] = {
    "Shape": _shape,
    "Size": _size,
    "Constant": _constant,
    "Identity": _same,
    "Reshape": _same,
    "Flatten": _same,
    "Squeeze": _same,
    "Unsqueeze": _same,
    "Cast": _cast,
    "CastLike": _cast,
    "Concat": _concat,
    "Gather": _gather,
    "Slice": _slice,
    "Range": _range,
    "ConstantOfShape": _filled,
    "Expand": _spread,
    "Where": _where,
    "Not": _not,
    "ScatterND": _range_scatter,
    "ScatterElements": _range_scatter,
    "Add": _arithmetic(_add),
    "Sub": _arithmetic(_subtract),
    "Mul": _arithmetic(_multiply),
    "Div": _arithmetic(_divide),
    "FloorDiv": _arithmetic(_floor_divide),
    "Mod": _arithmetic(_modulo),
    "Max": _arithmetic(_larger),
    "Min": _arithmetic(_smaller),
    "Equal": _arithmetic(_equal),
    "Greater": _compare(lambda a, b: a > b),
    "GreaterOrEqual": _compare(lambda a, b: a >= b),
    "Less": _compare(lambda a, b: a < b),
    "LessOrEqual": _compare(lambda a, b: a <= b),
    "Neg": _unary(lambda item: -item),
    "Abs": _unary(abs),
    "Floor": _rounded(math.floor),
    "Ceil": _rounded(math.ceil),
    "ReduceProd": _reduced(1, _multiply),
    "ReduceSum": _reduced(0, _add),
    "ReduceMax": _extreme(_larger),
    "ReduceMin": _extreme(_smaller),
}
