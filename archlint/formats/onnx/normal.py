"""One ONNX node in the catalogue's words; weights and settings are still inputs.

before: ``Conv(x, w, b) {pads: [1,1,1,1], strides: [1,1]}``
after: ``Conv(x, w, b) padding=((1,1),(1,1)) channel_axis=1``
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archlint.formats.onnx.records import RawAttr, RawNode, Stored
from archlint.formats.onnx.spelling import CONTRIB, KEPT, ROWS, Row
from archlint.formats.onnx.tensors import DTYPES
from archlint.graph import Attr

Attrs = dict[str, Attr]

_EMPTY = Row()


def op_and_attrs(raw: RawNode, opset: int) -> tuple[str, Attrs]:
    """Name and attributes in the catalogue's words; "Unknown" for ops of a domain that is not ONNX's."""
    if raw.domain == "ai.onnx.ml":
        return raw.op, _simple(raw)
    if (raw.domain, raw.op) in KEPT:
        return raw.op, _simple(raw)
    if raw.domain:
        op = CONTRIB.get((raw.domain, raw.op))
        return (op, {}) if op and len(raw.inputs) == 1 else ("Unknown", {})
    if _lines_up(raw, opset):
        return "Unknown", {}
    row = ROWS.get(raw.op)
    if row is None:
        return _refined(raw.op, _simple(raw), raw, opset)
    attrs: Attrs = {}
    for native, (name, default) in row.attrs.items():
        stated = _attr(raw.attrs.get(native))
        value = default if stated is None else stated
        if value is not None:
            attrs[name] = value
    attrs.update(row.fixed)
    op = row.op or raw.op
    return _refined(op, attrs, raw, opset)


def _refined(op: str, attrs: Attrs, raw: RawNode, opset: int) -> tuple[str, Attrs]:
    refine = _REFINE.get(raw.op)
    return refine(op, attrs, raw, opset) if refine else (op, attrs)


def row_of(native: str) -> Row:
    """The row of an op; an empty one for ops that need none."""
    return ROWS.get(native, _EMPTY)


def _attr(value: RawAttr) -> Attr:
    if isinstance(value, int | float | str | bool | tuple):
        return None if _has_nan(value) else value
    return None


def _simple(raw: RawNode) -> Attrs:
    found = {key: _attr(value) for key, value in raw.attrs.items()}
    return {key: value for key, value in found.items() if value is not None}


def _has_nan(value: Attr) -> bool:
    return any(item != item for item in value) if isinstance(value, tuple) else value != value


def _ints(value: Attr) -> tuple[int, ...]:
    return tuple(item for item in value if isinstance(item, int)) if isinstance(value, tuple) else ()


def _pairs(flat: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """``[begin…, end…]`` as ``((begin, end), …)``."""
    half = len(flat) // 2
    return tuple(zip(flat[:half], flat[half:], strict=False))


_AUTO_PAD = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": "valid"}


def _window(op: str, attrs: Attrs, raw: RawNode, opset: int) -> tuple[str, Attrs]:
    pads = _ints(attrs.pop("pads", ()))
    padding: Attr = _AUTO_PAD.get(str(attrs.pop("auto_pad", "NOTSET")))
    attrs["padding"] = padding or (_pairs(pads) if any(pads) else "valid")
    for name in ("strides", "dilations"):
        if all(item == 1 for item in _ints(attrs.get(name))):
            attrs.pop(name, None)
    for name in ("ceil_mode", "count_include_pad"):
        if name in attrs:
            attrs[name] = bool(attrs[name])
    return op, attrs


def _flags(*names: str) -> Callable[[str, Attrs, RawNode, int], tuple[str, Attrs]]:
    def refine(op: str, attrs: Attrs, raw: RawNode, opset: int) -> tuple[str, Attrs]:
        for name in names:
            if name in attrs:
                attrs[name] = bool(attrs[name])
        return op, attrs

    return refine


def _batch_norm(op: str, attrs: Attrs, raw: RawNode, opset: int) -> tuple[str, Attrs]:
    """From opset 7 to 13 a batch norm that writes its running statistics is one in training."""
    writes = 7 <= opset < 14 and any(raw.outputs[1:])
    attrs["training"] = bool(attrs.get("training")) or writes
    return op, attrs


_OLD_BROADCAST = frozenset(
    {"Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less", "PRelu"}
)


def _lines_up(raw: RawNode, opset: int) -> bool:
    """Whether a call lines its operands up at a stated axis, as it could before opset 7.

    Source: ONNX changelog, Add of versions 1 and 6 (attributes axis and broadcast).
    """
    states = bool(raw.attrs.get("broadcast")) and "axis" in raw.attrs
    return 0 < opset < 7 and raw.op in _OLD_BROADCAST and states


def _soft(op: str, attrs: Attrs, raw: RawNode, opset: int) -> tuple[str, Attrs]:
    axis = attrs.get("axis")
    if opset >= 13:
        attrs["axis"] = -1 if axis is None else axis
    else:
        attrs.pop("axis", None)
        attrs["flatten_from"] = 1 if axis is None else axis
    return op, attrs


def _norm_axes(op: str, attrs: Attrs, raw: RawNode, opset: int) -> tuple[str, Attrs]:
    axis = attrs.pop("axis", -1)
    if isinstance(axis, int) and axis < 0:
        attrs["axes"] = tuple(range(axis, 0))
    else:
        attrs["axis"] = axis
    return op, attrs


def _reduce(op: str, attrs: Attrs, raw: RawNode, opset: int) -> tuple[str, Attrs]:
    attrs["keepdims"] = bool(attrs.get("keepdims", 1))
    noop = attrs.pop("noop", 0)
    has_axes = bool(_ints(attrs.get("axes"))) or (len(raw.inputs) > 1 and raw.inputs[1] != "")
    return ("Identity", {}) if noop and not has_axes else (op, attrs)


def _recurrent(op: str, attrs: Attrs, raw: RawNode, opset: int) -> tuple[str, Attrs]:
    attrs["direction"] = "backward" if attrs["direction"] == "reverse" else attrs["direction"]
    attrs["time_axis"] = 1 if attrs.pop("layout", 0) == 1 else 0
    attrs["merge_mode"] = "stack"
    attrs["return_sequences"] = True
    attrs["use_bias"] = len(raw.inputs) > 3 and raw.inputs[3] != ""
    if "reset_after" in attrs:
        attrs["reset_after"] = bool(attrs["reset_after"])
    names = attrs.pop("activations", None)
    words = [str(name).lower() for name in names] if isinstance(names, tuple) else []
    if op == "RNN":
        attrs["activation"] = words[0] if words else "tanh"
    elif len(words) > 1:
        attrs["recurrent_activation"], attrs["activation"] = words[0], words[1]
    return op, attrs


def _gelu(op: str, attrs: Attrs, raw: RawNode, opset: int) -> tuple[str, Attrs]:
    return op, {"approximate": attrs.get("approximate") == "tanh"}


def _shrink(op: str, attrs: Attrs, raw: RawNode, opset: int) -> tuple[str, Attrs]:
    bias, threshold = attrs.pop("bias"), attrs["threshold"]
    if bias == 0:
        return "HardShrink", attrs
    return ("SoftShrink", attrs) if bias == threshold else ("Unknown", {})


def _swish(op: str, attrs: Attrs, raw: RawNode, opset: int) -> tuple[str, Attrs]:
    return (op, {}) if raw.attrs.get("alpha", 1.0) == 1.0 else ("Unknown", {})


def _clip(op: str, attrs: Attrs, raw: RawNode, opset: int) -> tuple[str, Attrs]:
    return op, {
        key: value for key, value in attrs.items() if isinstance(value, float) and abs(value) < 3.4e38
    }


def _cast(op: str, attrs: Attrs, raw: RawNode, opset: int) -> tuple[str, Attrs]:
    to = attrs.get("to")
    dtype = DTYPES.get(to) if isinstance(to, int) else str(to).lower()
    return (op, {"to": dtype}) if dtype else ("Unknown", {})


def _split(op: str, attrs: Attrs, raw: RawNode, opset: int) -> tuple[str, Attrs]:
    if "split" not in attrs and len(raw.inputs) < 2:
        attrs.setdefault("num_outputs", len(raw.outputs))
    return op, attrs


def _pad(op: str, attrs: Attrs, raw: RawNode, opset: int) -> tuple[str, Attrs]:
    pads = attrs.pop("pads", None)
    if isinstance(pads, tuple):
        attrs["pads"] = _pairs(_ints(pads))
    return op, attrs


def _upsample(op: str, attrs: Attrs, raw: RawNode, opset: int) -> tuple[str, Attrs]:
    scales = attrs.get("scales")
    if isinstance(scales, tuple):
        if scales[:2] != (1.0, 1.0):
            return "Unknown", {}
        attrs["scales"] = scales[2:]
    return op, attrs


def _attention(op: str, attrs: Attrs, raw: RawNode, opset: int) -> tuple[str, Attrs]:
    heads = raw.attrs.get("q_num_heads")
    attrs["layout"] = "btd" if heads else "bhtd"
    attrs["causal"] = bool(attrs.get("causal", 0))
    return op, attrs


def _filled(op: str, attrs: Attrs, raw: RawNode, opset: int) -> tuple[str, Attrs]:
    stored = raw.attrs.get("value")
    if not isinstance(stored, Stored):
        return op, {"value": 0.0}
    value = stored.value[0] if stored.value else None
    known = value is not None and value == value
    return op, {"value": value if known else None, "dtype": stored.dtype}


def _eye(op: str, attrs: Attrs, raw: RawNode, opset: int) -> tuple[str, Attrs]:
    dtype = attrs.get("dtype")
    return op, {**attrs, "dtype": DTYPES.get(dtype) if isinstance(dtype, int) else None}


def _roi_align(op: str, attrs: Attrs, raw: RawNode, opset: int) -> tuple[str, Attrs]:
    height, width = raw.attrs.get("output_height", 1), raw.attrs.get("output_width", 1)
    size = (_attr(height), _attr(width))
    return op, {"output_size": size, "mode": _attr(raw.attrs.get("mode", "avg"))}


def _two_halves(op: str, attrs: Attrs, raw: RawNode, opset: int) -> tuple[str, Attrs]:
    """ONNX's SwiGLU takes the gate as an input of its own, the catalogue's splits its only input."""
    return (op, {}) if len(raw.inputs) == 1 else ("Unknown", {})


_REFINE: dict[str, Callable[[str, Attrs, RawNode, int], tuple[str, Attrs]]] = {
    "Conv": _window,
    "ConvTranspose": _window,
    "MaxPool": _window,
    "AveragePool": _window,
    "LpPool": _window,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _norm_axes,
    "RMSNormalization": _norm_axes,
    "Softmax": _soft,
    "LogSoftmax": _soft,
    "Hardmax": _soft,
    "ArgMax": _flags("keepdims"),
    "ArgMin": _flags("keepdims"),
    "Reshape": _flags("allowzero"),
    "Trilu": _flags("upper"),
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
    "Gelu": _gelu,
    "Shrink": _shrink,
    "Swish": _swish,
    "Clip": _clip,
    "Cast": _cast,
    "Split": _split,
    "Pad": _pad,
    "Upsample": _upsample,
    "Attention": _attention,
    "ConstantOfShape": _filled,
    "EyeLike": _eye,
    "RoiAlign": _roi_align,
    "SwiGLU": _two_halves,
    "DeformConv": _window,
    "ConvInteger": _window,
    "QLinearConv": _window,
    "MaxUnpool": _window,
    **{name: _reduce for name in ROWS if name.startswith("Reduce")},
}
