"""Nodes of TensorFlow's graphs: what TensorFlow 1.13 to 2.3, and graph mode since, made of a function call.

A ``TensorFlowOpLayer`` holds the node's definition, and its operands that are constant by their place.
Source: ``TensorFlowOpLayer.get_config`` in keras/engine/base_layer.py of Keras 2, and the op definitions in
https://www.tensorflow.org/api_docs/python/tf/raw_ops.
"""

from __future__ import annotations

from collections.abc import Mapping

from archlint.formats.keras.arguments import parse_arg
from archlint.formats.keras.call import Arg, Call
from archlint.formats.keras.nodes.operands import TF_NODES, OpCall, whole, wholes
from archlint.formats.keras.raw import Raw, parse_json

_DTYPES: Mapping[str, str] = {
    "DT_BFLOAT16": "bfloat16",
    "DT_BOOL": "bool",
    "DT_DOUBLE": "float64",
    "DT_FLOAT": "float32",
    "DT_HALF": "float16",
    "DT_INT32": "int32",
    "DT_INT64": "int64",
    "DT_INT8": "int8",
    "DT_UINT8": "uint8",
}

_OPERANDS: Mapping[str, tuple[str, ...]] = {
    "Argmax": ("x", "axis"),
    "Argmin": ("x", "axis"),
    "BroadcastTo": ("x", "shape"),
    "Cumsum": ("x", "axis"),
    "ExpandDims": ("x", "axis"),
    "Max": ("x", "axis"),
    "Mean": ("x", "axis"),
    "Min": ("x", "axis"),
    "OneHot": ("x", "num_classes"),
    "Pad": ("x", "pad_width"),
    "Prod": ("x", "axis"),
    "Reshape": ("x", "newshape"),
    "Resize": ("images", "size"),
    "Sum": ("x", "axis"),
    "Take": ("x", "indices", "axis"),
    "Tile": ("x", "repeats"),
    "Transpose": ("x", "axes"),
}
"""Class of ``keras.ops`` → names of the operands of the node, in order; others go by their place."""

_ATTRIBUTES: Mapping[str, str] = {
    "DstT": "dtype",
    "adj_x": "transpose_a",
    "adj_y": "transpose_b",
    "alpha": "alpha",
    "axis": "axis",
    "block_size": "block_size",
    "keep_dims": "keepdims",
    "num": "num",
    "num_split": "num_or_size_splits",
    "squeeze_dims": "axis",
    "transpose_a": "transpose_a",
    "transpose_b": "transpose_b",
}
"""Attribute of a node → setting of the op that it is."""


def op_call(call: Call) -> OpCall:
    """The op call that a node stands for; its constants stand among its operands."""
    node = call.config["node_def"]
    if isinstance(node.value, str):
        node = parse_json(node.value.encode("utf-8", "replace"), node.path, node.where)
    native = node["op"].text("")
    name = TF_NODES.get(native, native)
    attributes = {key: _attribute(raw) for key, raw in node["attr"].members() if key in _ATTRIBUTES}
    settings: dict[str, Arg] = {_ATTRIBUTES[key]: value for key, value in attributes.items()}
    operands = _operands(call)
    if name in ("Concatenate", "Stack", "AddN"):
        if name == "Concatenate" and operands:
            settings["axis"] = operands.pop()
        operands = [operands]
    elif native == "Split" and operands:
        settings["axis"] = operands.pop(0)
    elif native == "StridedSlice":
        operands = [*operands[:1], _slices(operands, node)]
    elif native in _RESIZES:
        settings["interpolation"] = _RESIZES[native]
    places = _OPERANDS.get(name, ())
    settings |= dict(zip(places[1:], operands[1:], strict=False))
    args = tuple(operands[:1] if places else operands)
    return OpCall(Call(call.builder, call.layer, args, {}, call.per_step), name, native, settings)


_RESIZES = {"ResizeBilinear": "bilinear", "ResizeNearestNeighbor": "nearest"}


def _operands(call: Call) -> list[Arg]:
    """The operands of a node: values in the order of the call, constants at the places stated."""
    given: list[Arg] = list(call.all_inputs())
    for key, raw in sorted(call.config["constants"].members(), key=lambda item: (len(item[0]), item[0])):
        place = int(key) if key.isdecimal() and len(key) < 4 else len(given)
        given.insert(place, parse_arg(raw))
    return given


def _attribute(raw: Raw) -> Arg:
    """The value of a node's attribute, which protobuf's JSON wraps in the name of its type."""
    value = raw.value
    if not isinstance(value, dict) or len(value) != 1:
        return None
    ((kind, inner),) = value.items()
    if kind == "i" and isinstance(inner, str | int):
        return _int(inner)
    if kind == "list" and isinstance(inner, dict):
        items = inner.get("i")
        return [_int(item) for item in items] if isinstance(items, list) else None
    if kind == "type" and isinstance(inner, str):
        return _DTYPES.get(inner)
    return inner if kind in ("b", "f") and isinstance(inner, bool | int | float) else None


def _int(value: object) -> int | None:
    """A 64-bit integer, which protobuf's JSON writes as text."""
    if isinstance(value, str) and value.lstrip("-").isdecimal() and len(value) < 20 and "--" not in value:
        return int(value)
    return value if isinstance(value, int) else None


def _slices(operands: list[Arg], node: Raw) -> Arg:
    """The key of ``x[key]`` from begins, ends, steps and the bit masks of a StridedSlice."""
    ends = [wholes(operand) for operand in operands[1:4]]
    if len(ends) != 3 or any(part is None or len(part) != len(ends[0] or ()) for part in ends):
        return {}  # a computed bound; no key, so that the op is not understood
    masks = {
        key: whole(_attribute(node["attr"][f"{key}_mask"])) or 0
        for key in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    begins, stops, steps = ((*part,) if part is not None else () for part in ends)
    key: list[Arg] = []
    for axis, (begin, stop, step) in enumerate(zip(begins, stops, steps, strict=True)):
        marked = {name for name, mask in masks.items() if mask >> axis & 1}
        if "ellipsis" in marked:
            key.append(...)
        elif "new_axis" in marked:
            key.append(None)
        elif "shrink_axis" in marked:
            key.append(begin)
        else:
            key.append(slice(None if "begin" in marked else begin, None if "end" in marked else stop, step))
    return key
