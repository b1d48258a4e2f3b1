"""ONNX forms of the nodes that a patch may add: a table, and a function for each family.

Source of the forms and the opsets at which they changed: https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from archlint.errors import PatchError
from archlint.formats.onnx.write import layers
from archlint.formats.onnx.write.contents import number_of
from archlint.formats.onnx.write.native import Native

Form = Callable[[Native], None]

_PLAIN = (
    "Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Mean", "Sum", "And", "Or", "Xor", "Not", "Equal",
    "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Where", "Neg", "Abs", "Sqrt", "Reciprocal", "Exp",
    "Log", "Erf", "Floor", "Ceil", "Round", "Sign", "Sin", "Cos", "Identity", "Sigmoid", "Tanh", "Softplus",
    "Softsign", "MatMul",
)  # fmt: skip
"""Ops that ONNX has under the same name, without settings."""

_NUMBERS: Mapping[str, tuple[str, ...]] = {
    "Elu": ("alpha",),
    "LeakyRelu": ("alpha",),
    "Celu": ("alpha",),
    "ThresholdedRelu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
}
_INTEGERS: Mapping[str, tuple[str, ...]] = {
    "Concat": ("axis",),
    "Flatten": ("axis",),
    "Gather": ("axis",),
    "DepthToSpace": ("blocksize",),
    "SpaceToDepth": ("blocksize",),
}
_LISTS: Mapping[str, tuple[str, int]] = {
    "Squeeze": ("axes", 13),
    "Unsqueeze": ("axes", 13),
    "ReduceSum": ("axes", 13),
    **dict.fromkeys(
        ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare"),
        ("axes", 18),
    ),
    "Reshape": ("shape", 5),
    "Expand": ("shape", 8),
    "Tile": ("repeats", 6),
}
"""Op → its list, and the opset since which the list is an input."""


def _plain(native: Native) -> None:
    node = native.node
    native.plain()
    native.add(node.op, node.inputs, node.outputs, named=True)


def _numbers(native: Native) -> None:
    node, names = native.node, _NUMBERS[native.node.op]
    native.plain(*names)
    native.add(node.op, node.inputs, node.outputs, {key: float(native.number(key)) for key in names}, True)


def _integers(native: Native) -> None:
    node, names = native.node, _INTEGERS[native.node.op]
    native.plain(*names, "channel_axis")
    native.add(node.op, node.inputs, node.outputs, {key: native.integer(key) for key in names}, True)


def _list(native: Native) -> None:
    node = native.node
    name, since = _LISTS[node.op]
    native.plain(name, "keepdims")
    attrs: dict[str, object] = {}
    if node.op.startswith("Reduce"):
        attrs["keepdims"] = int(bool(native.setting("keepdims")))
    inputs = list(node.inputs)
    values = native.integers(name) if native.setting(name) is not None else ()
    if values and native.opset >= since:
        inputs.append(native.ints(name, values))
    elif values:
        attrs[name] = values
    native.add(node.op, inputs, node.outputs, attrs, True)


def _relu(native: Native) -> None:
    native.plain("max_value")
    node, top = native.node, native.setting("max_value")
    if top is None:
        native.add("Relu", node.inputs, node.outputs, named=True)
    else:
        _bounded(native, 0.0, native.number("max_value"))


def _clip(native: Native) -> None:
    native.plain("min", "max")
    low, high = (None if native.setting(key) is None else native.number(key) for key in ("min", "max"))
    _bounded(native, low, high)


def _bounded(native: Native, low: float | None, high: float | None) -> None:
    """Clip, whose bounds are inputs since opset 11."""
    node = native.node
    if native.opset < 11:
        bounds = {key: float(value) for key, value in (("min", low), ("max", high)) if value is not None}
        native.add("Clip", node.inputs, node.outputs, bounds, True)
        return
    inputs = [
        "" if value is None else native.scalar(key, value) for key, value in (("min", low), ("max", high))
    ]
    native.add("Clip", [node.inputs[0], *inputs], node.outputs, named=True)


def _gated(native: Native) -> None:
    """x times a gate: Swish, HardSwish and Mish where the opset has no op for them."""
    native.plain()
    node, own = native.node, {"HardSwish": 14, "Mish": 18}
    if native.opset >= own.get(node.op, 1000):
        native.add(node.op, node.inputs, node.outputs, named=True)
        return
    source, gate = node.inputs[0], native.fresh("gate")
    if node.op == "Mish":
        soft = native.fresh("softplus")
        native.add("Softplus", (source,), (soft,), named=True)
        native.add("Tanh", (soft,), (gate,))
    elif node.op == "HardSwish":
        native.add("HardSigmoid", (source,), (gate,), {"alpha": 1 / 6, "beta": 0.5}, True)
    else:
        native.add("Sigmoid", (source,), (gate,), named=True)
    native.add("Mul", (source, gate), node.outputs)


def _gelu(native: Native) -> None:
    """GELU: an op since opset 20, before that ``x/2 · (1 + Erf(x/√2))``."""
    native.plain("approximate")
    node = native.node
    source, approximate = node.inputs[0], bool(native.setting("approximate"))
    if native.opset >= 20:
        mode = {"approximate": "tanh" if approximate else "none"}
        native.add("Gelu", node.inputs, node.outputs, mode, True)
        return
    if approximate:
        raise native.refuse("its approximate form needs opset 20")
    names = {role: native.fresh(role) for role in ("scaled", "curve", "gate", "half")}
    native.add("Mul", (source, native.scalar("inverse_root", 2**-0.5)), (names["scaled"],))
    native.add("Erf", (names["scaled"],), (names["curve"],), named=True)
    native.add("Add", (names["curve"], native.scalar("one", 1.0)), (names["gate"],))
    native.add("Mul", (source, native.scalar("one_half", 0.5)), (names["half"],))
    native.add("Mul", (names["half"], names["gate"]), node.outputs)


def _softmax(native: Native) -> None:
    """Softmax, which before opset 13 flattened everything from its axis on."""
    native.plain("axis", "flatten_from")
    node, start = native.node, native.setting("flatten_from")
    if native.opset >= 13:
        if start is not None:
            raise native.refuse("since opset 13 it flattens nothing")
        axis = native.integer("axis")
    elif start is not None:
        axis = native.integer("flatten_from")
    else:
        rank = native.rank()
        if native.integer("axis") % rank != rank - 1:
            raise native.refuse("before opset 13 only the last axis can be told apart")
        axis = rank - 1
    native.add(node.op, node.inputs, node.outputs, {"axis": axis}, True)


def _prelu(native: Native) -> None:
    native.plain()
    native.add("PRelu", (native.node.inputs[0], native.needed("alpha")), native.node.outputs, named=True)


def _transpose(native: Native) -> None:
    native.plain("perm")
    attrs = {} if native.setting("perm") is None else {"perm": native.integers("perm")}
    native.add("Transpose", native.node.inputs, native.node.outputs, attrs, True)


def _dropout(native: Native) -> None:
    """Dropout, whose rate is an input since opset 12."""
    native.plain("rate")
    node, rate = native.node, native.number("rate")
    if native.opset < 12:
        native.add("Dropout", node.inputs, node.outputs, {"ratio": float(rate)}, True)
    else:
        native.add("Dropout", (*node.inputs, native.scalar("rate", rate)), node.outputs, named=True)


def _pad(native: Native) -> None:
    """Pad, whose lengths are inputs since opset 11."""
    native.plain("pads", "mode", "value")
    node, pairs = native.node, native.setting("pads")
    pads = layers.begins_then_ends(native, pairs)
    mode, value = native.setting("mode"), native.setting("value")
    attrs: dict[str, object] = {"mode": mode}
    if native.opset < 11:
        attrs["pads"] = pads
        if value:
            attrs["value"] = float(native.number("value"))
        native.add("Pad", node.inputs, node.outputs, attrs, True)
        return
    inputs = [node.inputs[0], native.ints("pads", pads)]
    if "value" in node.attrs and value is not None:
        inputs.append(native.scalar("value", native.number("value")))
    native.add("Pad", inputs, node.outputs, attrs, True)


def _slice(native: Native) -> None:
    """Slice, whose bounds are inputs since opset 10."""
    names = ("starts", "ends", "axes", "steps")
    native.plain(*names)
    node = native.node
    if len(node.inputs) > 1:
        native.add("Slice", node.inputs, node.outputs, named=True)
        return
    given = {key: native.integers(key) for key in names if native.setting(key)}
    if native.opset < 10:
        native.add("Slice", node.inputs, node.outputs, given, True)
        return
    inputs = [native.ints(key, given[key]) if key in given else "" for key in names]
    native.add("Slice", (*node.inputs, *inputs), node.outputs, named=True)


def _cast(native: Native) -> None:
    native.plain("to")
    number = number_of(str(native.setting("to")))
    if not number:
        raise native.refuse(f"ONNX has no type {native.setting('to')}")
    native.add("Cast", native.node.inputs, native.node.outputs, {"to": number}, True)


FORMS: Mapping[str, Form] = {
    **dict.fromkeys(_PLAIN, _plain),
    **dict.fromkeys(_NUMBERS, _numbers),
    **dict.fromkeys(_INTEGERS, _integers),
    **dict.fromkeys(_LISTS, _list),
    **dict.fromkeys(("Swish", "HardSwish", "Mish"), _gated),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _softmax),
    "Selu": _plain,
    "Relu": _relu,
    "Clip": _clip,
    "Gelu": _gelu,
    "PRelu": _prelu,
    "Transpose": _transpose,
    "Dropout": _dropout,
    "Pad": _pad,
    "Slice": _slice,
    "Cast": _cast,
    **layers.FORMS,
}
"""Op of the normal form → what writes it."""


def emit(native: Native) -> None:
    """Adds the ONNX nodes for a node of the normal form.

    Raises:
        PatchError: the op, or one of its settings, has no form in the opset of the file.
    """
    form = FORMS.get(native.node.op)
    if form is None or native.node.bodies:
        raise PatchError(f"ONNX: no form is known for a new {native.node.op} ('{native.node.name}')")
    form(native)
