"""Smaller heads in files that Keras and ONNX Runtime run: the outputs are those that the formulas say."""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras")
ort = pytest.importorskip("onnxruntime")

import onnx  # noqa: E402 (after the frameworks, which may be absent)
from keras import layers  # noqa: E402
from onnx_heads import Builder  # noqa: E402

from archlint.api import read_one  # noqa: E402
from archlint.facts import Facts  # noqa: E402
from archlint.fixes import pooling, smaller  # noqa: E402
from archlint.formats import open_weights, write  # noqa: E402

pytestmark = pytest.mark.oracle

CLOSE = {"rtol": 1e-4, "atol": 1e-5}
"""Some hundred float32 products are summed in another order than in float64 here."""

SIZES = {1: (7,), 2: (5, 7), 3: (3, 5, 4)}
CHANNELS, UNITS, CLASSES = 3, 6, 4


def kernel_for(source, size):
    """A kernel (P, C, U) with something in common from place to place."""
    places = int(np.prod(size))
    parts = source.normal(size=(1, CHANNELS, UNITS)) + 0.5 * source.normal(size=(places, CHANNELS, UNITS))
    return parts.astype("float32") / places


def cells_of(length):
    """The two windows along an axis: the first half and the last; both hold the middle of an odd length."""
    window = length - length // 2
    return slice(0, window), slice(length // 2, length)


def said(name, maps, parts):
    """What a head computes of maps (N, *size, C) before the bias: the formula, written out by place."""
    count, size = len(maps), maps.shape[1:-1]
    rows = maps.reshape(count, -1, CHANNELS).astype(np.float64)
    if name == "keep":
        return rows.mean(axis=1) @ parts.sum(axis=0, dtype=np.float64)
    if name == "grid":
        grid = parts.reshape(*size, CHANNELS, UNITS).astype(np.float64)
        times = np.zeros(size)
        corners = [
            tuple(cells_of(n)[bit] for n, bit in zip(size, bits, strict=True))
            for bits in np.ndindex(*(2,) * len(size))
        ]
        for cell in corners:
            times[cell] += 1
        total = np.zeros((count, UNITS))
        for cell in corners:
            mean = maps[:, *cell].reshape(count, -1, CHANNELS).mean(axis=1, dtype=np.float64)
            shared = grid[cell] / times[cell][..., None, None]
            total += mean @ shared.reshape(-1, CHANNELS, UNITS).sum(axis=0)
        return total
    if name == "spatial":
        near = np.empty(parts.shape)
        for channel in range(CHANNELS):
            u, s, v = np.linalg.svd(parts[:, channel].astype(np.float64), full_matrices=False)
            near[:, channel] = s[0] * np.outer(u[:, 0], v[0])
        return np.einsum("npc,pcu->nu", rows, near)
    # This kernel has full rank, and all of it is asked for.
    return np.einsum("npc,pcu->nu", rows, parts)


REWRITES = {
    "keep": pooling.keep,
    "grid": smaller.grid,
    "spatial": smaller.spatial,
    "low-rank": smaller.low_rank,
}


def rewritten(path, name, out):
    """The file after a rewrite; what is written is read back and compared by the writer."""
    file, graph = read_one(path)
    facts = Facts(graph, file.size_bytes, open_weights(file, graph))
    nodes = {
        "flatten": next(node for node in graph.nodes if node.op == "Flatten"),
        "dense": next(node for node in graph.nodes if node.op == "Dense"),
    }
    write(file, graph, REWRITES[name](facts, nodes, {}), out)


def keras_model(source, size, parts):
    shape = (*size, CHANNELS)
    conv = getattr(layers, f"Conv{len(size)}D")
    start = keras.Input(shape)
    value = conv(CHANNELS, 1, activation="tanh")(start)
    flat = layers.Flatten()(value)
    value = layers.Dense(UNITS, activation="relu", name="first")(layers.Dropout(0.4)(flat))
    model = keras.Model(start, layers.Dense(CLASSES, name="last")(value))
    model.get_layer("first").set_weights([parts.reshape(-1, UNITS), source.normal(size=UNITS)])
    return model, keras.Model(start, flat)


def behind(made, bias, kernel, last):
    return np.maximum(made + bias, 0) @ kernel + last


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("axes", SIZES)
def test_keras_computes_what_the_formula_says(axes, suffix, tmp_path):
    source, size = np.random.default_rng(axes), SIZES[axes]
    parts = kernel_for(source, size)
    model, trunk = keras_model(source, size, parts)
    path, out = str(tmp_path / f"in{suffix}"), str(tmp_path / f"out{suffix}")
    model.save(path)
    x = source.normal(size=(3, *size, CHANNELS)).astype("float32")
    maps = np.asarray(trunk(x)).reshape(3, *size, CHANNELS)
    bias = model.get_layer("first").get_weights()[1]
    for name in REWRITES:
        rewritten(path, name, out)
        patched = keras.models.load_model(out, compile=False)
        expected = behind(said(name, maps, parts), bias, *model.get_layer("last").get_weights())
        np.testing.assert_allclose(expected, np.asarray(patched(x)), **CLOSE, err_msg=name)
        assert name == "low-rank" or patched.count_params() < model.count_params()


def onnx_model(source, size, parts, order):
    """Conv, Tanh, Flatten, two dense layers, as PyTorch or tf2onnx write them; with its weights."""
    make = Builder(source)
    axes = len(size)
    weight, offset = source.normal(size=(CHANNELS, CHANNELS, *(1,) * axes)), source.normal(size=CHANNELS)
    value = make.add("Conv", "x", make.stored(weight), make.stored(offset))
    value = make.add("Tanh", value)
    make.nodes[-1].output[0] = value = "map"
    grid = parts.reshape(*size, CHANNELS, UNITS)
    bias, kernel, last = (
        source.normal(size=UNITS),
        source.normal(size=(UNITS, CLASSES)),
        source.normal(size=CLASSES),
    )
    if order == "torch":
        rows = np.moveaxis(grid, axes, 0).reshape(-1, UNITS)
        value = make.add("Flatten", value)
        value = make.add("Gemm", value, make.stored(rows.T), make.stored(bias), transB=1)
    else:
        value = make.add("Transpose", value, perm=(0, *range(2, axes + 2), 1))
        value = make.add("Flatten", value)
        value = make.add("MatMul", value, make.stored(grid.reshape(-1, UNITS)))
        value = make.add("Add", value, make.stored(bias))
    value = make.add("Relu", value)
    value = make.add("MatMul", value, make.stored(kernel))
    value = make.add("Add", value, make.stored(last))
    make.nodes[-1].output[0] = "y"
    ends = [("y", ["N", CLASSES])]
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        make.nodes,
        "g",
        [info("x", onnx.TensorProto.FLOAT, ["N", CHANNELS, *size])],
        [info(name, onnx.TensorProto.FLOAT, shape) for name, shape in ends],
        make.tensors,
    )
    model = onnx.helper.make_model(graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 17)])
    return model, (weight, offset), (bias, kernel, last)


@pytest.mark.parametrize("order", ["torch", "tf2onnx"])
@pytest.mark.parametrize("axes", SIZES)
def test_onnx_runtime_computes_what_the_formula_says(axes, order, tmp_path):
    source, size = np.random.default_rng(axes), SIZES[axes]
    parts = kernel_for(source, size)
    model, (weight, offset), rest = onnx_model(source, size, parts, order)
    path, out = str(tmp_path / "in.onnx"), str(tmp_path / "out.onnx")
    onnx.save(model, path)
    x = source.normal(size=(3, CHANNELS, *size)).astype("float32")
    mixed = np.einsum("oi,ni...->no...", weight.reshape(CHANNELS, CHANNELS), x)
    maps = np.moveaxis(np.tanh(mixed + offset.reshape(-1, *(1,) * axes)), 1, -1)
    for name in REWRITES:
        rewritten(path, name, out)
        onnx.checker.check_model(out)
        found = ort.InferenceSession(out).run(None, {"x": x})[0]
        np.testing.assert_allclose(behind(said(name, maps, parts), *rest), found, **CLOSE, err_msg=name)


@pytest.mark.parametrize("axes", SIZES)
@pytest.mark.parametrize("name", ["keep", "grid"])
def test_on_a_map_that_is_the_same_everywhere_nothing_changes(axes, name, tmp_path):
    source, size = np.random.default_rng(axes), SIZES[axes]
    parts = kernel_for(source, size)
    model, _ = keras_model(source, size, parts)
    path, out = str(tmp_path / "in.keras"), str(tmp_path / "out.keras")
    model.save(path)
    rewritten(path, name, out)
    pixel = source.normal(size=(3, *(1,) * axes, CHANNELS)).astype("float32")
    x = np.broadcast_to(pixel, (3, *size, CHANNELS)).copy()
    patched = keras.models.load_model(out, compile=False)
    np.testing.assert_allclose(np.asarray(model(x)), np.asarray(patched(x)), **CLOSE)
