"""Products with a stored matrix are dense layers, and a stored vector added to them is their bias.

before: ``t = MatMul(x, w)``, ``y = Add(t, b)``; after: ``y = Dense(x) units=10 | kernel, bias``
before: ``y = Gemm(x, w, b) transB=1``
after: ``y = Dense(x) units=10 kernel_transposed=true | kernel, bias``;
the factors alpha of the product and beta of the bias stay attributes

before: ``Reshape(Dense(Reshape(x, [-1, 8])), [N, 5, 16])``; after: ``Dense(x)``

The kernel keeps the file's axis order; ``kernel_transposed`` says that it is (units, inputs). The node is
called what the file calls the product.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from archlint.formats.onnx.lift.bench import Bench, Held
from archlint.formats.onnx.lift.weights import param_of
from archlint.graph import Attr, Node

NO_FACTORS: Mapping[str, Attr] = MappingProxyType({})


def lift(bench: Bench) -> None:
    """Lifts MatMul and Gemm with a stored second operand, then biases added to Dense and Conv nodes."""
    for node in bench.nodes("MatMul"):
        kernel = bench.held(node.inputs[1]) if len(node.inputs) == 2 else None
        if kernel is not None and kernel.shape is not None and len(kernel.shape) == 2:
            _dense(bench, node, kernel, kernel.shape[1], None, kernel.transposed)
    for node in bench.nodes("Gemm"):
        _gemm(bench, node)
    for node in bench.nodes("Reshape"):
        _on_last_axis(bench, node)
    for node in bench.nodes("Add"):
        _bias(bench, node)


def _gemm(bench: Bench, node: Node) -> None:
    kernel = bench.held(node.inputs[1]) if len(node.inputs) > 1 else None
    if node.attrs.get("transA") or kernel is None or kernel.shape is None or len(kernel.shape) != 2:
        return
    turned = bool(node.attrs.get("transB"))
    units = kernel.shape[0 if turned else 1]
    bias = None
    if len(node.inputs) > 2 and node.inputs[2]:
        bias = bench.held(node.inputs[2])
        if bias is None or not _is_vector(bias, units):
            return
    factors = {
        key: item
        for key, given in (("alpha", True), ("beta", bias is not None))
        if given and (item := node.attrs.get(key)) not in (None, 1.0)
    }
    _dense(bench, node, kernel, units, bias, turned != kernel.transposed, factors)


def _dense(
    bench: Bench,
    node: Node,
    kernel: Held,
    units: Attr,
    bias: Held | None,
    transposed: bool,
    factors: Mapping[str, Attr] = NO_FACTORS,
) -> None:
    if not isinstance(units, int):
        return
    attrs: dict[str, Attr] = {"units": units, "use_bias": bias is not None, **factors}
    if transposed:
        attrs["kernel_transposed"] = True
    params = [param_of(kernel, "kernel")]
    if bias is not None:
        params.append(param_of(bias, "bias"))
    bench.replace(node, replace(node, op="Dense", inputs=node.inputs[:1], attrs=attrs, params=tuple(params)))


def _on_last_axis(bench: Bench, node: Node) -> None:
    """Drops the reshapes by which tf2onnx brings maps to a product of matrices and back."""
    dense = bench.only(node.inputs[0], "Dense")
    before = bench.only(dense.inputs[0], "Reshape") if dense is not None else None
    if dense is None or before is None:
        return
    source, result = bench.shape(before.inputs[0]), bench.shape(node.outputs[0])
    if not source or result is None or len(bench.shape(before.outputs[0]) or ()) != 2:
        return
    units, width = dense.attrs.get("units"), (bench.shape(before.outputs[0]) or (None,))[-1]
    if None not in source and source[-1] == width and result == (*source[:-1], units):
        bench.replace(node, replace(dense, inputs=before.inputs[:1], outputs=node.outputs))


def _is_vector(held: Held, units: Attr, axis: int = -1) -> bool:
    """Whether a stored tensor has one element per unit, all along ``axis`` (counted from the end)."""
    if held.shape is None or len(held.shape) < -axis:
        return False
    return held.shape[axis] == units and all(
        dim == 1 for at, dim in enumerate(held.shape, -len(held.shape)) if at != axis
    )


def _bias(bench: Bench, node: Node) -> None:
    for mine, other in ((0, 1), (1, 0)):
        if len(node.inputs) != 2:
            return
        before = bench.only(node.inputs[mine], "Dense", "Conv", "ConvTranspose")
        held = bench.held(node.inputs[other]) if before is not None else None
        if before is None or held is None or before.param("bias") or not before.param("kernel"):
            continue
        conv = before.op != "Dense"
        window = before.attrs.get("kernel")
        axis = -1 - len(window) if conv and isinstance(window, tuple) else -1
        units = before.attrs.get("filters" if conv else "units")
        if _is_vector(held, units, axis) and not _widens(bench, before, held):
            params = (*before.params, param_of(held, "bias"))
            attrs = {**before.attrs, "use_bias": True}
            bench.replace(node, replace(before, outputs=node.outputs, attrs=attrs, params=params))
            return


def _widens(bench: Bench, before: Node, held: Held) -> bool:
    """Whether adding the vector gives the result more axes than the product has."""
    rank = bench.rank(before.outputs[0])
    return rank is not None and held.shape is not None and len(held.shape) > rank
