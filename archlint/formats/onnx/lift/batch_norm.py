"""Per-channel gain and offset after a feature map is a batch norm that the exporter has folded.

before: ``Add(Mul(map, g[1,C,1,1]), b[1,C,1,1])``, or the Mul alone
after: ``BatchNormalization(map) folded=true | gamma, beta``
before: ``Add(Mul(vector, g[C]), b[C])``; after: the same with channel_axis=-1

Taken for a batch norm only: on maps, constants along axis 1 and nowhere else, right after an op that makes or
hands on feature maps; along the last axis, gain and offset together right after a dense layer, its activation
or a flattened map, or, on vectors, a gain alone right after a dense layer. So the scaling of an input,
LayerScale (on maps, alone), the scale of attention (a scalar) and squeeze-and-excitation (computed) stay
products.
"""

from __future__ import annotations

from dataclasses import replace

from archlint.formats.onnx.lift.bench import Bench, Held
from archlint.formats.onnx.lift.weights import param_of
from archlint.graph import Attr, Node

_ACTIVATIONS = (
    "Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Gelu", "Sigmoid", "HardSigmoid", "Tanh", "Softplus",
    "Swish", "HardSwish", "Mish",
)  # fmt: skip
_MAP_MAKERS = (
    "Conv", "ConvTranspose", "MaxPool", "AveragePool", "Concat", "Add", "Pad", "Resize", "Dropout",
    *_ACTIVATIONS,
)  # fmt: skip
_VECTOR_MAKERS = ("Dense", "Dropout", *_ACTIVATIONS)


def lift(bench: Bench) -> None:
    """Lifts gains, then the offsets after them; gains on vectors only if an offset follows."""
    for node in bench.nodes("Mul"):
        _gain(bench, node)
    for node in bench.nodes("Add"):
        _offset(bench, node)
        _vector(bench, node)
    for node in bench.nodes("Mul"):
        _vector_gain(bench, node)


def _split(bench: Bench, node: Node, axis: int) -> tuple[str, Held] | None:
    """The computed operand, and the stored one if it has a number per channel of it."""
    for mine, other in ((0, 1), (1, 0)) if len(node.inputs) == 2 else ():
        shape, held = bench.shape(node.inputs[mine]), bench.held(node.inputs[other])
        if not shape:
            continue
        if held is None or held.shape is None or shape is None or len(shape) < len(held.shape):
            continue
        channels = shape[axis]
        wide = [at - len(held.shape) for at, dim in enumerate(held.shape) if dim != 1]
        at_channels = axis - len(shape) if axis >= 0 else axis
        if (
            isinstance(channels, int)
            and channels > 1
            and wide == [at_channels]
            and held.shape[at_channels] == channels
        ):
            return node.inputs[mine], held
    return None


def _gain(bench: Bench, node: Node) -> None:
    shape = bench.shape(node.outputs[0])
    if shape is None or len(shape) < 4:
        return
    found = _split(bench, node, 1)
    if found is None or bench.maker(found[0], *_MAP_MAKERS) is None:
        return
    attrs: dict[str, Attr] = {"channel_axis": 1, "folded": True, "center": False}
    params = (param_of(found[1], "gamma"),)
    bench.replace(
        node, replace(node, op="BatchNormalization", inputs=(found[0],), attrs=attrs, params=params)
    )


def _vector_gain(bench: Bench, node: Node) -> None:
    """A gain alone, when moving mean and offset were zero: only right after the dense layer itself."""
    found = _split(bench, node, -1) if bench.rank(node.outputs[0]) == 2 else None
    if found is None or bench.maker(found[0], "Dense") is None:
        return
    attrs: dict[str, Attr] = {"channel_axis": -1, "folded": True, "center": False}
    params = (param_of(found[1], "gamma"),)
    bench.replace(
        node, replace(node, op="BatchNormalization", inputs=(found[0],), attrs=attrs, params=params)
    )


def _offset(bench: Bench, node: Node) -> None:
    found = _split(bench, node, 1) if (bench.rank(node.outputs[0]) or 0) > 3 else None
    norm = bench.only(found[0], "BatchNormalization") if found else None
    if found is None or norm is None or not norm.attrs.get("folded") or norm.param("beta"):
        return
    attrs = {key: value for key, value in norm.attrs.items() if key != "center"}
    params = (*norm.params, param_of(found[1], "beta"))
    bench.replace(node, replace(norm, outputs=node.outputs, attrs=attrs, params=params))


def _is_flat_map(bench: Bench, value: str) -> bool:
    """Whether a vector is a flattened map that was computed; what scales an input stays a product."""
    flatten = bench.maker(value, "Flatten")
    source = flatten.inputs[0] if flatten is not None else ""
    while (maker := bench.maker(source, "Transpose")) is not None:
        source = maker.inputs[0]
    return bench.maker(source, *_MAP_MAKERS) is not None


def _vector(bench: Bench, node: Node) -> None:
    beta = _split(bench, node, -1)
    product = bench.only(beta[0], "Mul") if beta else None
    gamma = _split(bench, product, -1) if product else None
    makers = _VECTOR_MAKERS if bench.rank(node.outputs[0]) == 2 else ("Dense",)
    if beta is None or product is None or gamma is None:
        return
    if bench.maker(gamma[0], *makers) is None and not _is_flat_map(bench, gamma[0]):
        return
    params = (param_of(gamma[1], "gamma"), param_of(beta[1], "beta"))
    new = replace(
        product,
        op="BatchNormalization",
        inputs=(gamma[0],),
        outputs=node.outputs,
        attrs={"channel_axis": -1, "folded": True},
        params=params,
    )
    bench.replace(node, new)
