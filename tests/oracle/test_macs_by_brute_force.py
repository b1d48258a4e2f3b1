"""Multiply-accumulates against loops that do the arithmetic and count every multiply-add.

Each loop is written from the definition of the op, gives the op's result, and is checked to be that op by
comparing the result with numpy on a case where both are easy. Padding counts as work, as it does in every
published count.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from archlint.graph import parse
from archlint.ops import build, inference, macs_of


class Counter:
    """Multiplies and adds, and counts."""

    def __init__(self) -> None:
        self.macs = 0

    def dot(self, left: np.ndarray, right: np.ndarray) -> float:
        total = 0.0
        for a, b in zip(left.ravel(), right.ravel(), strict=True):
            total += a * b
            self.macs += 1
        return total


def conv(x: np.ndarray, kernel: np.ndarray, stride: int, groups: int) -> tuple[np.ndarray, int]:
    """Valid convolution of (H, W, C) with (h, w, C / groups, F)."""
    count = Counter()
    h, w, per_group, filters = kernel.shape
    rows, columns = (x.shape[0] - h) // stride + 1, (x.shape[1] - w) // stride + 1
    out = np.zeros((rows, columns, filters))
    for i, j, f in itertools.product(range(rows), range(columns), range(filters)):
        group = f // (filters // groups)
        patch = x[i * stride : i * stride + h, j * stride : j * stride + w]
        out[i, j, f] = count.dot(patch[:, :, group * per_group : (group + 1) * per_group], kernel[..., f])
    return out, count.macs


def conv_transpose(x: np.ndarray, kernel: np.ndarray, stride: int) -> tuple[np.ndarray, int]:
    """Transposed valid convolution of (H, W, C) with (h, w, F, C): every input is spread over its window."""
    h, w, filters, channels = kernel.shape
    out = np.zeros(((x.shape[0] - 1) * stride + h, (x.shape[1] - 1) * stride + w, filters))
    macs = 0
    for i, j, c in itertools.product(*(range(length) for length in x.shape)):
        for a, b, f in itertools.product(range(h), range(w), range(filters)):
            out[i * stride + a, j * stride + b, f] += x[i, j, c] * kernel[a, b, f, c]
            macs += 1
    assert channels == x.shape[2]
    return out, macs


def matrix(count: Counter, x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    out = np.zeros((x.shape[0], kernel.shape[1]))
    for i, j in itertools.product(range(x.shape[0]), range(kernel.shape[1])):
        out[i, j] = count.dot(x[i], kernel[:, j])
    return out


def macs(line: str, *shapes: str) -> int | None:
    inputs = "\n".join(f"input {name} float32[{shape}]" for name, shape in zip("abc", shapes, strict=False))
    graph = build(parse(f"{inputs}\ny = {line}\noutput y"))
    known = inference(graph).tensors
    node = graph.nodes[0]
    return macs_of(node, [known[v] for v in node.inputs], [known[v] for v in node.outputs])


RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("stride", "groups"), [(1, 1), (2, 1), (1, 2), (2, 4)])
def test_convolution(stride: int, groups: int) -> None:
    x, kernel = RNG.normal(size=(6, 7, 4)), RNG.normal(size=(3, 2, 4 // groups, 8))
    out, counted = conv(x, kernel, stride, groups)
    if groups == 1:
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 2), axis=(0, 1))[::stride, ::stride]
        np.testing.assert_allclose(np.einsum("ijchw,hwcf->ijf", windows, kernel), out)
    line = f"Conv(a) filters=8 kernel=(3,2) strides=({stride},{stride}) groups={groups}"
    assert counted == macs(line, "8,6,7,4")


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_transposed_convolution(stride: int) -> None:
    x, kernel = RNG.normal(size=(4, 5, 3)), RNG.normal(size=(3, 2, 6, 3))
    out, counted = conv_transpose(x, kernel, stride)
    # The transpose of a convolution: <conv(z, k), x> = <z, conv_transpose(x, k)>.
    z = RNG.normal(size=out.shape)
    forward, _ = conv(z, kernel, stride, 1)
    np.testing.assert_allclose((forward * x).sum(), (z * out).sum())
    line = f"ConvTranspose(a) filters=6 kernel=(3,2) strides=({stride},{stride})"
    assert counted == macs(line, "N,4,5,3")


def test_dense_acts_on_every_position() -> None:
    count = Counter()
    x, kernel = RNG.normal(size=(7, 3)), RNG.normal(size=(3, 5))
    np.testing.assert_allclose(x @ kernel, matrix(count, x, kernel))
    assert count.macs == macs("Dense(a) units=5", "N,7,3")


def test_einsum_dense() -> None:
    count = Counter()
    x, kernel = RNG.normal(size=(7, 3)), RNG.normal(size=(3, 2, 5))
    matrix(count, x, kernel.reshape(3, 10))
    line = 'EinsumDense(a) equation="abc,cde->abde" output_shape=(none,2,5)'
    assert count.macs == macs(line, "N,7,3")


def test_product_of_two_computed_stacks() -> None:
    count = Counter()
    for _ in range(2):
        matrix(count, RNG.normal(size=(3, 4)), RNG.normal(size=(4, 5)))
    assert count.macs == macs("MatMul(a, b)", "N,2,3,4", "N,2,4,5")
    assert count.macs == macs('Einsum(a, b) equation="nhij,nhjk->nhik"', "N,2,3,4", "N,2,4,5")


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize(("op", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
@pytest.mark.parametrize("ways", [1, 2])
def test_recurrent_layers(op: str, gates: int, ways: int) -> None:
    count, steps, features, units = Counter(), 6, 3, 5
    for _ in range(ways):
        kernel, recurrent = (
            RNG.normal(size=(features, gates * units)),
            RNG.normal(size=(units, gates * units)),
        )
        state = np.zeros((1, units))
        for _ in range(steps):
            mixed = matrix(count, RNG.normal(size=(1, features)), kernel) + matrix(count, state, recurrent)
            state = np.tanh(mixed[:, :units]) * sigmoid(mixed[:, -units:])
    direction = "forward" if ways == 1 else "bidirectional"
    assert count.macs == macs(f"{op}(a) units={units} direction={direction}", "N,6,3")


@pytest.mark.parametrize("gated", [False, True])
def test_multi_head_attention(gated: bool) -> None:
    count, heads, wide, deep = Counter(), 2, 4, 3
    query, value = RNG.normal(size=(7, 10)), RNG.normal(size=(5, 6))
    gate = sigmoid(matrix(count, query, RNG.normal(size=(10, heads * deep)))) if gated else 1.0
    joined = []
    for _ in range(heads):
        q = matrix(count, query, RNG.normal(size=(10, wide)))
        k = matrix(count, value, RNG.normal(size=(6, wide)))
        v = matrix(count, value, RNG.normal(size=(6, deep)))
        scores = np.exp(matrix(count, q, k.T))
        joined.append(matrix(count, scores / scores.sum(1, keepdims=True), v))
    matrix(count, np.concatenate(joined, axis=1) * gate, RNG.normal(size=(heads * deep, 10)))
    line = f"MultiHeadAttention(a, b) num_heads=2 key_dim=4 value_dim=3 use_gate={str(gated).lower()}"
    assert count.macs == macs(line, "N,7,10", "N,5,6")


@pytest.mark.parametrize("gated", [False, True])
def test_grouped_query_attention(gated: bool) -> None:
    count, wide = Counter(), 4
    x = RNG.normal(size=(7, 10))
    gate = sigmoid(matrix(count, x, RNG.normal(size=(10, 4 * wide)))) if gated else 1.0
    keys = [matrix(count, x, RNG.normal(size=(10, wide))) for _ in range(2)]
    values = [matrix(count, x, RNG.normal(size=(10, wide))) for _ in range(2)]
    joined = []
    for head in range(4):
        q = matrix(count, x, RNG.normal(size=(10, wide)))
        joined.append(matrix(count, matrix(count, q, keys[head // 2].T), values[head // 2]))
    matrix(count, np.concatenate(joined, axis=1) * gate, RNG.normal(size=(4 * wide, 10)))
    line = "GroupedQueryAttention(a, a) head_dim=4 num_query_heads=4 num_key_value_heads=2"
    line += f" use_gate={str(gated).lower()}"
    assert count.macs == macs(line, "N,7,10")


def test_bare_attention() -> None:
    count = Counter()
    q, k, v = RNG.normal(size=(7, 4)), RNG.normal(size=(5, 4)), RNG.normal(size=(5, 6))
    matrix(count, matrix(count, q, k.T), v)
    assert count.macs == macs("Attention(a, b, c)", "N,7,4", "N,5,4", "N,5,6")
    assert 3 * count.macs == macs("Attention(a, b, c)", "N,3,7,4", "N,3,5,4", "N,3,5,6")


def test_convolutional_recurrent_layer() -> None:
    total, filters = 0, 4
    for _ in range(3):
        _, inner = conv(RNG.normal(size=(6, 6, 2)), RNG.normal(size=(3, 3, 2, 4 * filters)), 1, 1)
        # The state is padded, so that it keeps its 4 × 4 positions.
        _, again = conv(RNG.normal(size=(6, 6, filters)), RNG.normal(size=(3, 3, filters, 4 * filters)), 1, 1)
        total += inner + again
    assert total == macs("ConvLSTM(a) filters=4 kernel=(3,3)", "N,3,6,6,2")


@pytest.mark.parametrize(
    "line", ["Relu(a)", "BatchNormalization(a)", "Add(a, a)", "MaxPool(a) kernel=(2,2)", "Flatten(a)"]
)
def test_what_adds_compares_or_moves_does_no_multiply_adds(line: str) -> None:
    assert macs(line, "N,4,4,3") == 0


@pytest.mark.parametrize(
    ("line", "shape"),
    [
        ("Conv(a) filters=8 kernel=(3,3)", "N,H,6,3"),
        ("LSTM(a) units=5", "N,T,3"),
        ("Dense(a) units=5", "N,T,3"),
        ("Unknown(a)", "N,3"),
    ],
)
def test_work_on_an_unknown_length_is_unknown(line: str, shape: str) -> None:
    assert macs(line, shape) is None


def test_a_fixed_batch_still_counts_one_sample() -> None:
    assert macs("Dense(a) units=5", "N,3") == macs("Dense(a) units=5", "8,3") == 15
