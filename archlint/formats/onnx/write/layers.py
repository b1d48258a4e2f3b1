"""ONNX forms of layers: those with weights, and pools.

Source of the forms and the opsets at which they changed: https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from archlint.formats.onnx.write.native import Native
from archlint.graph import Attr
from archlint.ops.base import UNKNOWN

_WORDS = {"same": "SAME_UPPER", "same_lower": "SAME_LOWER"}

_GEMM_WITHOUT_BIAS = 11
"""Opset since which Gemm may be called without the summand."""

_CELL_ACTIVATIONS = {"tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "Relu", "hardsigmoid": "HardSigmoid"}


def begins_then_ends(native: Native, pairs: Attr) -> tuple[int, ...]:
    """``((begin, end), …)`` as ONNX writes it: all begins, then all ends."""
    found = (
        [pair for pair in pairs if isinstance(pair, tuple) and len(pair) == 2]
        if isinstance(pairs, tuple)
        else []
    )
    flat = [item for side in (0, 1) for pair in found for item in [pair[side]]]
    whole = tuple(item for item in flat if isinstance(item, int))
    if not found or not isinstance(pairs, tuple) or len(whole) != 2 * len(pairs):
        raise native.refuse(f"its padding has to be pairs of whole numbers, not {pairs}")
    return whole


def _window(native: Native) -> dict[str, object]:
    """The attributes that Conv and the pools share."""
    if native.integer("channel_axis") != 1:
        raise native.refuse("ONNX has its channels at axis 1")
    attrs: dict[str, object] = {"kernel_shape": native.integers("kernel")}
    for name in ("strides", "dilations"):
        values = native.integers(name) if native.setting(name) is not None else ()
        if any(value != 1 for value in values):
            attrs[name] = values
    padding = native.setting("padding")
    if isinstance(padding, tuple):
        attrs["pads"] = begins_then_ends(native, padding)
    elif padding in _WORDS:
        attrs["auto_pad"] = _WORDS[str(padding)]
    elif padding != "valid":
        raise native.refuse(f"ONNX has no padding '{padding}'")
    return attrs


_WINDOW_NAMES = ("kernel", "strides", "dilations", "padding", "channel_axis")


def _conv(native: Native) -> None:
    own = ("output_padding",) if native.node.op == "ConvTranspose" else ()
    native.plain(*_WINDOW_NAMES, "filters", "groups", "use_bias", *own)
    attrs = _window(native)
    groups = native.integer("groups")
    if groups != 1:
        attrs["group"] = groups
    if own and native.setting("output_padding"):
        attrs["output_padding"] = native.integers("output_padding")
    _expect_kernel(native, groups)
    inputs = (native.node.inputs[0], native.needed("kernel"), native.param("bias"))
    native.add(native.node.op, inputs, native.node.outputs, attrs, True)


def _expect_kernel(native: Native, groups: int) -> None:
    kernel = native.node.param("kernel")
    shape = kernel.shape if kernel else None
    filters = native.integer("filters")
    transposed = native.node.op == "ConvTranspose"
    found = None if not shape or len(shape) < 3 else (shape[1] if transposed else shape[0], *shape[2:])
    wanted = (filters // groups if transposed else filters, *native.integers("kernel"))
    if found != wanted:
        raise native.refuse(f"its kernel is stored as {shape}, which ONNX would read as another one")


def _pool(native: Native) -> None:
    node = native.node
    native.plain(*_WINDOW_NAMES, "ceil_mode", "count_include_pad")
    attrs = _window(native)
    for name in ("ceil_mode", "count_include_pad"):
        if native.setting(name):
            attrs[name] = 1
    native.add(node.op, node.inputs, node.outputs, attrs, True)


_REDUCTIONS = {"GlobalAveragePool": "ReduceMean", "GlobalMaxPool": "ReduceMax"}


def _global_pool(native: Native) -> None:
    """A global pool keeps its axes in ONNX, and Flatten drops them; over leading axes it is a reduction."""
    native.plain("channel_axis", "keepdims")
    node, keeps = native.node, bool(native.setting("keepdims"))
    if native.integer("channel_axis") == 1:
        pooled = node.outputs[0] if keeps else native.fresh("pooled")
        native.add(node.op, node.inputs, (pooled,), named=True)
        if not keeps:
            native.add("Flatten", (pooled,), node.outputs, {"axis": 1})
        return
    axes = tuple(range(1, native.rank() - 1))
    attrs: dict[str, object] = {"keepdims": int(keeps)}
    inputs = list(node.inputs)
    if native.opset >= 18:
        inputs.append(native.ints("axes", axes))
    else:
        attrs["axes"] = axes
    native.add(_REDUCTIONS[node.op], inputs, node.outputs, attrs, True)


def _dense(native: Native) -> None:
    """Gemm on matrices, else a product and a sum."""
    native.plain("units", "use_bias", "kernel_transposed", "alpha", "beta")
    factors = {key: float(native.number(key)) for key in ("alpha", "beta") if key in native.node.attrs}
    node, transposed = native.node, bool(native.setting("kernel_transposed"))
    source, kernel, bias = node.inputs[0], native.needed("kernel"), native.param("bias")
    shape = native.tensors.get(source, UNKNOWN).shape
    if shape is not None and len(shape) == 2 and (bias or native.opset >= _GEMM_WITHOUT_BIAS):
        native.add("Gemm", (source, kernel, bias), node.outputs, {"transB": int(transposed), **factors}, True)
        return
    if factors:
        raise native.refuse("only Gemm multiplies its weights by a number, and only for matrices")
    if transposed:
        turned = native.fresh("turned")
        native.add("Transpose", (kernel,), (turned,), {"perm": (1, 0)})
        kernel = turned
    product = native.fresh("product") if bias else node.outputs[0]
    native.add("MatMul", (source, kernel), (product,), named=True)
    if bias:
        native.add("Add", (product, bias), node.outputs)


def _batch_norm(native: Native) -> None:
    """BatchNormalization; exporters' folded form is a product and a sum."""
    native.plain("channel_axis", "epsilon", "momentum", "center", "scale", "folded")
    node = native.node
    if native.setting("folded"):
        source = node.inputs[0]
        beta = native.param("beta")
        scaled = native.fresh("scaled") if beta else node.outputs[0]
        native.add("Mul", (source, native.needed("gamma")), (scaled,), named=True)
        if beta:
            native.add("Add", (scaled, beta), node.outputs)
        return
    if native.integer("channel_axis") != 1:
        raise native.refuse("ONNX has its channels at axis 1")
    attrs = {key: float(native.number(key)) for key in ("epsilon", "momentum")}
    roles = ("gamma", "beta", "moving_mean", "moving_variance")
    inputs = (node.inputs[0], *(native.needed(role) for role in roles))
    native.add("BatchNormalization", inputs, node.outputs, attrs, True)


def _layer_norm(native: Native) -> None:
    """LayerNormalization, spelled out before opset 17."""
    native.plain("axes", "epsilon", "center", "scale")
    node, axes = native.node, native.integers("axes")
    source, epsilon = node.inputs[0], float(native.number("epsilon"))
    if axes != tuple(range(-len(axes), 0)):
        raise native.refuse("ONNX normalises over the last axes")
    if native.opset >= 17:
        inputs = (source, native.needed("gamma"), native.param("beta"))
        attrs = {"axis": -len(axes), "epsilon": epsilon}
        native.add("LayerNormalization", inputs, node.outputs, attrs, True)
        return
    mean: dict[str, object] = {"axes": axes, "keepdims": 1}
    steps = ("mean", "centred", "square", "variance", "shifted", "deviation")
    at = {role: native.fresh(role) for role in steps}
    native.add("ReduceMean", (source,), (at["mean"],), mean, True)
    native.add("Sub", (source, at["mean"]), (at["centred"],))
    native.add("Mul", (at["centred"], at["centred"]), (at["square"],))
    native.add("ReduceMean", (at["square"],), (at["variance"],), mean)
    native.add("Add", (at["variance"], native.scalar("epsilon", epsilon)), (at["shifted"],))
    native.add("Sqrt", (at["shifted"],), (at["deviation"],))
    tail = [("Div", at["centred"], at["deviation"])]
    for op, role in (("Mul", "gamma"), ("Add", "beta")):
        if native.param(role):
            tail.append((op, native.fresh(f"before_{role}"), native.param(role)))
    results = [first for _, first, _ in tail[1:]] + [node.outputs[0]]
    for (op, first, second), result in zip(tail, results, strict=True):
        native.add(op, (first, second), (result,))


def _cell(native: Native) -> None:
    """LSTM, GRU and RNN in ONNX's own layout."""
    node = native.node
    own = ("units", "activation", "recurrent_activation", "use_bias", "return_sequences", "direction")
    native.plain(*own, "reset_after", "merge_mode", "time_axis")
    if native.setting("merge_mode") != "stack" or not native.setting("return_sequences"):
        raise native.refuse("ONNX gives all steps, its directions stacked")
    direction = str(native.setting("direction"))
    attrs: dict[str, object] = {
        "hidden_size": native.integer("units"),
        "direction": "reverse" if direction == "backward" else direction,
    }
    if native.integer("time_axis") == 1:
        attrs["layout"] = 1
    if node.op == "GRU":
        attrs["linear_before_reset"] = int(bool(native.setting("reset_after")))
    attrs.update(_activations(native, 2 if direction == "bidirectional" else 1))
    weights = (native.needed("kernel"), native.needed("recurrent_kernel"), native.param("bias"))
    native.add(node.op, (node.inputs[0], *weights, *node.inputs[1:]), node.outputs, attrs, True)


def _activations(native: Native, directions: int) -> dict[str, object]:
    words = [str(native.setting("activation"))]
    if native.node.op != "RNN":
        words.insert(0, str(native.setting("recurrent_activation")))
    if words in (["tanh"], ["sigmoid", "tanh"]):
        return {}
    if any(word not in _CELL_ACTIVATIONS for word in words):
        raise native.refuse(f"activations {words} are not ONNX's")
    names = [_CELL_ACTIVATIONS[word] for word in words]
    if native.node.op == "LSTM":
        names.append(names[-1])
    return {"activations": names * directions}


def _embedding(native: Native) -> None:
    native.plain("input_dim", "output_dim")
    inputs = (native.needed("embeddings"), native.node.inputs[0])
    native.add("Gather", inputs, native.node.outputs, {"axis": 0}, True)


FORMS: Mapping[str, Callable[[Native], None]] = {
    **dict.fromkeys(("Conv", "ConvTranspose"), _conv),
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool"), _pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), _global_pool),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _cell),
    "Dense": _dense,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "Embedding": _embedding,
}
"""Op of the normal form → what writes it."""
