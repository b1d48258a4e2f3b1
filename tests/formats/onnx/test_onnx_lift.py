"""Idioms: what the exporter wrote on the left, what archlint sees on the right."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from onnx_files import integers, lines, model, read_model, roles, scalar, stored, value

n = helper.make_node
IMAGE = value("x", "N", 8, 6, 6)
VECTOR = value("x", "N", 8)
TOKENS = value("x", "N", 5, 8)
HEADS = [value(name, "N", 2, 5, 4) for name in "qkv"]

W = stored("w", 8, 3)
LAYER_NORM = [
    n("ReduceMean", ["x"], ["mu"], axes=[-1], name="ln"),
    n("Sub", ["x", "mu"], ["d"]),
    n("Pow", ["d", "two"], ["d2"]),
    n("ReduceMean", ["d2"], ["var"], axes=[-1]),
    n("Add", ["var", "eps"], ["ve"]),
    n("Sqrt", ["ve"], ["s"]),
    n("Div", ["d", "s"], ["h"]),
    n("Mul", ["h", "g"], ["hg"]),
    n("Add", ["hg", "b"], ["y"]),
]
LAYER_NORM_WEIGHTS = [scalar("two", 2), scalar("eps", 1e-5), stored("g", 8), stored("b", 8)]
RMS = [
    n("Pow", ["x", "two"], ["x2"]),
    n("ReduceMean", ["x2"], ["var"], axes=[-1]),
    n("Add", ["var", "eps"], ["ve"]),
    n("Sqrt", ["ve"], ["s"]),
    n("Reciprocal", ["s"], ["k"]),
]
HALVES = [scalar("half", 0.5), scalar("one", 1), scalar("root2", sqrt(2))]
SHAPE = n("Shape", ["x"], ["s"])

CASES: dict[str, tuple[list[onnx.NodeProto], list[onnx.ValueInfoProto], list[TensorProto], list[str]]] = {
    "a product with a stored matrix and a vector": (
        [n("MatMul", ["x", "w"], ["m"]), n("Add", ["b", "m"], ["y"])],
        [VECTOR],
        [W, stored("b", 3)],
        ["Dense(x) units=3"],
    ),
    "a product whose result is also read elsewhere keeps its sum": (
        [n("MatMul", ["x", "w"], ["m"]), n("Add", ["m", "b"], ["a"]), n("Mul", ["m", "a"], ["y"])],
        [VECTOR],
        [W, stored("b", 3)],
        ["Dense(x) units=3 use_bias=false", "Add(m, b)", "Mul(m, a)"],
    ),
    "a vector that widens the product is no bias": (
        [n("MatMul", ["x", "w"], ["m"]), n("Add", ["m", "b"], ["y"])],
        [VECTOR],
        [W, stored("b", 1, 1, 3)],
        ["Dense(x) units=3 use_bias=false", "Add(m, b)"],
    ),
    "gemm with a turned kernel": (
        [n("Gemm", ["x", "w", "b"], ["y"], transB=1)],
        [VECTOR],
        [stored("w", 3, 8), stored("b", 3)],
        ["Dense(x) units=3 kernel_transposed=true"],
    ),
    "gemm that scales": (
        [n("Gemm", ["x", "w", "b"], ["y"], alpha=0.5, beta=2.0)],
        [VECTOR],
        [W, stored("b", 3)],
        ["Dense(x) units=3 alpha=0.5 beta=2.0"],
    ),
    "gemm that scales a bias which it has not": (
        [n("Gemm", ["x", "w"], ["y"], alpha=0.5, beta=2.0)],
        [VECTOR],
        [W],
        ["Dense(x) units=3 use_bias=false alpha=0.5"],
    ),
    "convolution and a bias after it": (
        [n("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), n("Add", ["c", "b"], ["y"])],
        [IMAGE],
        [stored("w", 4, 8, 3, 3), stored("b", 1, 4, 1, 1)],
        ["Conv(x) kernel=(3,3) channel_axis=1 padding=((1,1),(1,1)) filters=4"],
    ),
    "flatten by a fixed target": (
        [n("Reshape", ["x", "t"], ["y"])],
        [IMAGE],
        [integers("t", -1, 288)],
        ["Flatten(x)"],
    ),
    "flatten by a copied batch": (
        [n("Reshape", ["x", "t"], ["y"])],
        [IMAGE],
        [integers("t", 0, -1)],
        ["Flatten(x)"],
    ),
    "a reshape that moves lengths into the batch is no flatten": (
        [n("Reshape", ["x", "t"], ["y"])],
        [IMAGE],
        [integers("t", -1, 144)],
        ["Reshape(x) shape=(-1,144)"],
    ),
    "a reshape that moves a single channel": (
        [n("Reshape", ["x", "t"], ["y"])],
        [value("x", "N", 28, 14, 1)],
        [integers("t", -1, 1, 28, 14)],
        ["Transpose(x) perm=(0,3,1,2)"],
    ),
    "a reshape that moves two channels is no transpose": (
        [n("Reshape", ["x", "t"], ["y"])],
        [value("x", "N", 28, 14, 2)],
        [integers("t", -1, 2, 28, 14)],
        ["Reshape(x) shape=(-1,2,28,14)"],
    ),
    "flatten by shape arithmetic": (
        [
            SHAPE,
            n("Cast", ["s"], ["s32"], to=TensorProto.INT32),
            n("Slice", ["s32", "i0", "i1", "i0"], ["batch"]),
            n("Concat", ["batch", "rest"], ["t32"], axis=0),
            n("Cast", ["t32"], ["t"], to=TensorProto.INT64),
            n("Reshape", ["x", "t"], ["y"]),
        ],
        [IMAGE],
        [integers("i0", 0), integers("i1", 1), helper.make_tensor("rest", TensorProto.INT32, [1], [288])],
        ["Flatten(x)"],
    ),
    "view by the size of the batch": (
        [
            SHAPE,
            n("Gather", ["s", "zero"], ["batch"]),
            n("Unsqueeze", ["batch", "i0"], ["b1"]),
            n("Concat", ["b1", "rest"], ["t"], axis=0),
            n("Reshape", ["x", "t"], ["y"]),
        ],
        [value("x", None, 8, 6, 6)],
        [helper.make_tensor("zero", TensorProto.INT64, [], [0]), integers("i0", 0), integers("rest", -1)],
        ["Flatten(x)"],
    ),
    "global pooling by a mean": (
        [n("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)],
        [IMAGE],
        [],
        ["GlobalAveragePool(x) channel_axis=1"],
    ),
    "global pooling of channels last": (
        [n("ReduceMax", ["x"], ["y"], axes=[1, 2], keepdims=0)],
        [IMAGE],
        [],
        ["GlobalMaxPool(x)"],
    ),
    "a mean over one spatial axis is no global pooling": (
        [n("ReduceMean", ["x"], ["y"], axes=[2])],
        [IMAGE],
        [],
        ["ReduceMean(x) axes=(2)"],
    ),
    "a mean over the last of three axes is no global pooling": (
        [n("ReduceMean", ["x"], ["y"], axes=[2])],
        [TOKENS],
        [],
        ["ReduceMean(x) axes=(2)"],
    ),
    "global pooling and flatten": (
        [n("GlobalAveragePool", ["x"], ["p"]), n("Flatten", ["p"], ["y"])],
        [IMAGE],
        [],
        ["GlobalAveragePool(x) channel_axis=1"],
    ),
    "global pooling and squeeze": (
        [n("GlobalAveragePool", ["x"], ["p"]), n("Squeeze", ["p", "axes"], ["y"])],
        [IMAGE],
        [integers("axes", 2, 3)],
        ["GlobalAveragePool(x) channel_axis=1"],
    ),
    "global pooling that drops one axis": (
        [n("GlobalAveragePool", ["x"], ["p"]), n("Squeeze", ["p", "axes"], ["y"])],
        [IMAGE],
        [integers("axes", 2)],
        ["GlobalAveragePool(x) channel_axis=1 keepdims=true", "Squeeze(p) axes=(2)"],
    ),
    "relu6 by clip": (
        [n("Clip", ["x", "lo", "hi"], ["y"])],
        [VECTOR],
        [scalar("lo", 0), scalar("hi", 6)],
        ["Relu(x) max_value=6.0"],
    ),
    "relu6 by relu and min": (
        [n("Relu", ["x"], ["r"]), n("Min", ["r", "hi"], ["y"])],
        [VECTOR],
        [scalar("hi", 6)],
        ["Relu(x) max_value=6.0"],
    ),
    "clip from another bound": (
        [n("Clip", ["x", "lo", "hi"], ["y"])],
        [VECTOR],
        [scalar("lo", -1), scalar("hi", 6)],
        ["Clip(x) min=-1.0 max=6.0"],
    ),
    "swish": ([n("Sigmoid", ["x"], ["s"]), n("Mul", ["s", "x"], ["y"])], [VECTOR], [], ["Swish(x)"]),
    "a gate by another value is no swish": (
        [n("Sigmoid", ["x"], ["s"]), n("Mul", ["s", "z"], ["y"])],
        [VECTOR, value("z", "N", 8)],
        [],
        ["Sigmoid(x)", "Mul(s, z)"],
    ),
    "hard swish": (
        [
            n("Add", ["x", "three"], ["a"]),
            n("Clip", ["a", "lo", "hi"], ["c"]),
            n("Mul", ["x", "c"], ["m"]),
            n("Div", ["m", "hi"], ["y"]),
        ],
        [VECTOR],
        [scalar("three", 3), scalar("lo", 0), scalar("hi", 6)],
        ["HardSwish(x)"],
    ),
    "hard sigmoid": (
        [n("Add", ["x", "three"], ["a"]), n("Clip", ["a", "lo", "hi"], ["c"]), n("Div", ["c", "hi"], ["y"])],
        [VECTOR],
        [scalar("three", 3), scalar("lo", 0), scalar("hi", 6)],
        ["HardSigmoid(x)"],
    ),
    "mish": (
        [n("Softplus", ["x"], ["p"]), n("Tanh", ["p"], ["t"]), n("Mul", ["x", "t"], ["y"])],
        [VECTOR],
        [],
        ["Mish(x)"],
    ),
    "softplus": (
        [n("Exp", ["x"], ["e"]), n("Add", ["e", "one"], ["a"]), n("Log", ["a"], ["y"])],
        [VECTOR],
        [scalar("one", 1)],
        ["Softplus(x)"],
    ),
    "gelu": (
        [
            n("Div", ["x", "root2"], ["d"]),
            n("Erf", ["d"], ["e"]),
            n("Add", ["e", "one"], ["a"]),
            n("Mul", ["x", "a"], ["m"]),
            n("Mul", ["m", "half"], ["y"]),
        ],
        [VECTOR],
        HALVES,
        ["Gelu(x)"],
    ),
    "gelu with another divisor": (
        [
            n("Div", ["x", "one"], ["d"]),
            n("Erf", ["d"], ["e"]),
            n("Add", ["e", "one"], ["a"]),
            n("Mul", ["x", "a"], ["m"]),
            n("Mul", ["m", "half"], ["y"]),
        ],
        [VECTOR],
        HALVES,
        ["Div(x, one)", "Erf(d)", "Add(e, one)", "Mul(x, a)", "Mul(m, half)"],
    ),
    "layer norm": (LAYER_NORM, [TOKENS], LAYER_NORM_WEIGHTS, ["LayerNormalization(x) epsilon=1e-05"]),
    "layer norm without gain and offset": (
        [*LAYER_NORM[:6], n("Div", ["d", "s"], ["y"])],
        [TOKENS],
        LAYER_NORM_WEIGHTS[:2],
        ["LayerNormalization(x) epsilon=1e-05 scale=false center=false"],
    ),
    "folded batch norm": (
        [
            n("MaxPool", ["x"], ["p"], kernel_shape=[2, 2]),
            n("Mul", ["p", "g"], ["m"]),
            n("Add", ["m", "b"], ["y"]),
        ],
        [IMAGE],
        [stored("g", 1, 8, 1, 1), stored("b", 1, 8, 1, 1)],
        ["MaxPool(x) kernel=(2,2) channel_axis=1", "BatchNormalization(p) channel_axis=1 folded=true"],
    ),
    "folded batch norm of a flattened map": (
        [
            n("Relu", ["x"], ["r"]),
            n("Flatten", ["r"], ["f"]),
            n("Mul", ["f", "g"], ["m"]),
            n("Add", ["m", "b"], ["y"]),
        ],
        [value("x", "N", 2, 3, 3)],
        [stored("g", 18), stored("b", 18)],
        ["Relu(x)", "Flatten(r)", "BatchNormalization(f) folded=true"],
    ),
    "the scaling of a flattened input is no batch norm": (
        [n("Flatten", ["x"], ["f"]), n("Mul", ["f", "g"], ["m"]), n("Add", ["m", "b"], ["y"])],
        [value("x", "N", 2, 3, 3)],
        [stored("g", 18), stored("b", 18)],
        ["Flatten(x)", "Mul(f, g)", "Add(m, b)"],
    ),
    "the scaling of an input is no batch norm": (
        [n("Mul", ["x", "g"], ["m"]), n("Add", ["m", "b"], ["y"])],
        [IMAGE],
        [stored("g", 1, 8, 1, 1), stored("b", 1, 8, 1, 1)],
        ["Mul(x, g)", "Add(m, b)"],
    ),
    "LayerScale is no batch norm": (
        [n("MatMul", ["x", "w"], ["m"]), n("Mul", ["m", "g"], ["y"])],
        [TOKENS],
        [W, stored("g", 3)],
        ["Dense(x) units=3 use_bias=false", "Mul(m, g)"],
    ),
    "attention with a mask": (
        [
            n("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
            n("MatMul", ["q", "kt"], ["s"]),
            n("Div", ["s", "two"], ["d"]),
            n("Add", ["d", "mask"], ["a"]),
            n("Softmax", ["a"], ["p"]),
            n("MatMul", ["p", "v"], ["y"]),
        ],
        [*HEADS, value("mask", 5, 5)],
        [scalar("two", 2)],
        ["Attention(q, k, v, mask) scale=0.5"],
    ),
    "attention on a split that turns the keys at once": (
        [
            n("Transpose", ["k"], ["kt"], perm=[0, 2, 3, 1]),
            n("MatMul", ["q", "kt"], ["s"]),
            n("Softmax", ["s"], ["p"]),
            n("MatMul", ["p", "v"], ["y"]),
        ],
        [HEADS[0], value("k", "N", 5, 2, 4), HEADS[2]],
        [],
        ["Transpose(k) perm=(0,2,1,3)", "Attention(q, kt/keys, v) scale=1.0"],
    ),
    "attention with a mask that chooses": (
        [
            n("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
            n("MatMul", ["q", "kt"], ["s"]),
            n("Where", ["mask", "s", "two"], ["a"]),
            n("Softmax", ["a"], ["p"]),
            n("MatMul", ["p", "v"], ["y"]),
        ],
        [*HEADS, value("mask", 5, 5, dtype=TensorProto.BOOL)],
        [scalar("two", -1e9)],
        ["Attention(q, k, v, mask) scale=1.0"],
    ),
    "attention of tf2onnx: keys by queries, turned around, chosen by a mask in numbers": (
        [
            n("Mul", ["q", "two"], ["h"]),
            n("Transpose", ["h"], ["qt"], perm=[0, 1, 3, 2]),
            n("MatMul", ["k", "qt"], ["s"]),
            n("Transpose", ["s"], ["st"], perm=[0, 1, 3, 2]),
            n("Mul", ["st", "keep"], ["c"]),
            n("Add", ["c", "mask"], ["a"]),
            n("Softmax", ["a"], ["p"]),
            n("MatMul", ["p", "v"], ["y"]),
        ],
        [*HEADS, value("mask", 5, 5), value("keep", 5, 5)],
        [scalar("two", 0.5)],
        ["Attention(q, k, v, mask) scale=0.5"],
    ),
    "attention of tf2onnx: a mask widened to the shape of the scores": (
        [
            n("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
            n("MatMul", ["q", "kt"], ["s"]),
            n("Shape", ["s"], ["n32"]),
            n("Cast", ["n32"], ["n"], to=TensorProto.INT64),
            n("Expand", ["yes", "n"], ["ones"]),
            n("And", ["ones", "mask"], ["m"]),
            n("Cast", ["m"], ["keep"], to=TensorProto.FLOAT),
            n("Mul", ["keep", "s"], ["c"]),
            n("Not", ["m"], ["hide"]),
            n("Cast", ["hide"], ["far"], to=TensorProto.FLOAT),
            n("Mul", ["low", "far"], ["b"]),
            n("Add", ["c", "b"], ["a"]),
            n("Softmax", ["a"], ["p"]),
            n("MatMul", ["p", "v"], ["y"]),
        ],
        [*HEADS, value("mask", 5, 5, dtype=TensorProto.BOOL)],
        [scalar("low", -1e9), helper.make_tensor("yes", TensorProto.BOOL, (), [True])],
        [
            "Not(mask)",
            "Cast(hide) to=float32",
            "Mul(low, far)",
            "Attention(q, k, v, b) scale=1.0",
        ],
    ),
    "attention whose probabilities are turned around": (
        [
            n("Transpose", ["q"], ["qt"], perm=[0, 1, 3, 2]),
            n("MatMul", ["k", "qt"], ["s"]),
            n("Softmax", ["s"], ["p"], axis=2),
            n("Transpose", ["p"], ["pt"], perm=[0, 1, 3, 2]),
            n("MatMul", ["pt", "v"], ["y"]),
        ],
        HEADS,
        [],
        ["Attention(q, k, v) scale=1.0"],
    ),
    "a softmax along the queries is no attention, however it is turned": (
        [
            n("Transpose", ["q"], ["qt"], perm=[0, 1, 3, 2]),
            n("MatMul", ["k", "qt"], ["s"]),
            n("Softmax", ["s"], ["p"], axis=3),
            n("Transpose", ["p"], ["pt"], perm=[0, 1, 3, 2]),
            n("MatMul", ["pt", "v"], ["y"]),
        ],
        HEADS,
        [],
        [
            "Transpose(q) perm=(0,1,3,2)",
            "MatMul(k, qt)",
            "Softmax(s) axis=3",
            "Transpose(p) perm=(0,1,3,2)",
            "MatMul(pt, v)",
        ],
    ),
    "attention that puts zeros where all is masked": (
        [
            n("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
            n("MatMul", ["q", "kt"], ["s"]),
            n("Add", ["s", "mask"], ["a"]),
            n("Softmax", ["a"], ["p"]),
            n("IsNaN", ["p"], ["none"]),
            n("Where", ["none", "zero", "p"], ["w"]),
            n("MatMul", ["w", "v"], ["y"]),
        ],
        [*HEADS, value("mask", 5, 5)],
        [scalar("zero", 0)],
        ["Attention(q, k, v, mask) scale=1.0"],
    ),
    "attention with a bias and a mask": (
        [
            n("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
            n("MatMul", ["q", "kt"], ["s"]),
            n("Add", ["s", "bias"], ["b"]),
            n("Add", ["b", "mask"], ["a"]),
            n("Softmax", ["a"], ["p"]),
            n("MatMul", ["p", "v"], ["y"]),
        ],
        [*HEADS, value("bias", 5, 5), value("mask", 5, 5)],
        [],
        ["Add(bias, mask)", "Attention(q, k, v, a) scale=1.0"],
    ),
    "a bias that is added under a mask that chooses is not one input": (
        [
            n("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
            n("MatMul", ["q", "kt"], ["s"]),
            n("Add", ["s", "bias"], ["b"]),
            n("Where", ["mask", "b", "low"], ["a"]),
            n("Softmax", ["a"], ["p"]),
            n("MatMul", ["p", "v"], ["y"]),
        ],
        [*HEADS, value("bias", 5, 5), value("mask", 5, 5, dtype=TensorProto.BOOL)],
        [scalar("low", -1e9)],
        [
            "Transpose(k) perm=(0,1,3,2)",
            "MatMul(q, kt)",
            "Add(s, bias)",
            "Where(mask, b, low)",
            "Softmax(a)",
            "MatMul(p, v)",
        ],
    ),
    "attention that merges heads for the product": (
        [
            n("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
            n("MatMul", ["q", "kt"], ["s"]),
            n("Reshape", ["s", "four"], ["r"]),
            n("Add", ["r", "mask"], ["a"]),
            n("Reshape", ["a", "three"], ["f"]),
            n("Softmax", ["f"], ["p"]),
            n("MatMul", ["p", "v"], ["y"]),
        ],
        [*(value(name, 6, 5, 4) for name in "qkv"), value("mask", 5, 5)],
        [integers("four", 3, 2, 5, 5), integers("three", 6, 5, 5)],
        ["Attention(q, k, v, mask) scale=1.0 layout=btd"],
    ),
    "attention with a soft cap": (
        [
            n("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
            n("MatMul", ["q", "kt"], ["s"]),
            n("Mul", ["s", "half"], ["h"]),
            n("Div", ["h", "cap"], ["d"]),
            n("Tanh", ["d"], ["t"]),
            n("Mul", ["t", "cap"], ["c"]),
            n("Softmax", ["c"], ["p"]),
            n("MatMul", ["p", "v"], ["y"]),
        ],
        HEADS,
        [scalar("half", 0.5), scalar("cap", 50)],
        ["Attention(q, k, v) scale=0.5 softcap=50.0"],
    ),
    "root mean square norm": (
        [*RMS, n("Mul", ["x", "k"], ["h"]), n("Mul", ["g", "h"], ["y"])],
        [TOKENS],
        LAYER_NORM_WEIGHTS[:3],
        ["RMSNormalization(x) epsilon=1e-05"],
    ),
    "root mean square norm with a gain that is computed": (
        [*RMS, n("Mul", ["x", "k"], ["h"]), n("Mul", ["h", "gain"], ["y"])],
        [TOKENS, value("gain", 8)],
        LAYER_NORM_WEIGHTS[:2],
        ["RMSNormalization(x) epsilon=1e-05 scale=false", "Mul(h, gain)"],
    ),
    "the root of another value's mean is no norm of this one": (
        [*RMS, n("Mul", ["z", "k"], ["y"])],
        [TOKENS, value("z", "N", 5, 8)],
        LAYER_NORM_WEIGHTS[:2],
        [
            "Pow(x, two)",
            "ReduceMean(x2) axes=(-1)",
            "Add(var, eps)",
            "Sqrt(ve)",
            "Reciprocal(s)",
            "Mul(z, k)",
        ],
    ),
    "softsign": (
        [n("Abs", ["x"], ["a"]), n("Add", ["a", "one"], ["s"]), n("Div", ["x", "s"], ["y"])],
        [VECTOR],
        HALVES,
        ["Softsign(x)"],
    ),
    "division by another sum is no softsign": (
        [n("Abs", ["x"], ["a"]), n("Add", ["a", "half"], ["s"]), n("Div", ["x", "s"], ["y"])],
        [VECTOR],
        HALVES,
        ["Abs(x)", "Add(a, half)", "Div(x, s)"],
    ),
    "softmax over another axis is no attention": (
        [
            n("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
            n("MatMul", ["q", "kt"], ["s"]),
            n("Softmax", ["s"], ["p"], axis=1),
            n("MatMul", ["p", "v"], ["y"]),
        ],
        HEADS,
        [],
        ["Transpose(k) perm=(0,1,3,2)", "MatMul(q, kt)", "Softmax(s) axis=1", "MatMul(p, v)"],
    ),
    "embedding": (
        [n("Gather", ["w", "x"], ["y"])],
        [value("x", "N", 5, dtype=TensorProto.INT64)],
        [stored("w", 11, 4)],
        ["Embedding(x) input_dim=11 output_dim=4"],
    ),
    "recurrent weights": (
        [n("LSTM", ["x", "w", "r", "b"], ["y"], hidden_size=4)],
        [value("x", 5, "N", 3)],
        [stored("w", 1, 16, 3), stored("r", 1, 16, 4), stored("b", 1, 32)],
        ["LSTM(x) units=4 time_axis=0 merge_mode=stack return_sequences=true"],
    ),
    "enlarging maps": (
        [n("Resize", ["x", "", "s"], ["y"])],
        [IMAGE],
        [helper.make_tensor("s", TensorProto.FLOAT, [4], [1, 1, 2, 2])],
        ["Resize(x) channel_axis=1 scales=(2.0,2.0)"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_idiom_is_seen_as(case: str, tmp_path: Path) -> None:
    nodes, inputs, weights, expected = CASES[case]
    assert expected == lines(read_model(model(nodes, inputs, ["y"], weights), tmp_path))


def test_a_lifted_node_has_the_name_of_what_gives_it_away(tmp_path: Path) -> None:
    graph = read_model(model(LAYER_NORM, [TOKENS], ["y"], LAYER_NORM_WEIGHTS), tmp_path)
    found = graph.nodes[0]
    assert ("ln", ("y",), "ReduceMean", ("ln",)) == (
        found.name,
        found.outputs,
        found.origin.native,
        found.origin.address,
    )
    assert ["gamma g (8,)", "beta b (8,)"] == roles(graph, "ln")


@pytest.mark.parametrize(
    ("opset", "nodes", "weights", "expected"),
    [
        (9, [n("Softmax", ["x"], ["y"])], [], ["Softmax(x)"]),
        (9, [n("Clip", ["x"], ["y"], min=0.0, max=6.0)], [], ["Relu(x) max_value=6.0"]),
        (9, [n("Dropout", ["x"], ["y"], ratio=0.25)], [], ["Dropout(x) rate=0.25"]),
        (13, [n("Dropout", ["x", "r"], ["y"])], [scalar("r", 0.25)], ["Dropout(x) rate=0.25"]),
        (9, [n("Unsqueeze", ["x"], ["y"], axes=[1])], [], ["Unsqueeze(x) axes=(1)"]),
        (13, [n("Unsqueeze", ["x", "a"], ["y"])], [integers("a", 1)], ["Unsqueeze(x) axes=(1)"]),
        (
            9,
            [n("Slice", ["x"], ["y"], starts=[0], ends=[1], axes=[1])],
            [],
            ["Slice(x) starts=(0) ends=(1) axes=(1)"],
        ),
        (
            13,
            [n("Slice", ["x", "s", "e", "a"], ["y"])],
            [integers("s", 0), integers("e", 1), integers("a", 1)],
            ["Slice(x) starts=(0) ends=(1) axes=(1)"],
        ),
        (
            18,
            [n("ReduceSum", ["x", "a"], ["y"], keepdims=0)],
            [integers("a", 1)],
            ["ReduceSum(x) axes=(1) keepdims=false"],
        ),
        (18, [n("ReduceSum", ["x"], ["y"], noop_with_empty_axes=1)], [], ["Identity(x)"]),
        (9, [n("Pad", ["x"], ["y"], pads=[0, 1, 0, 2])], [], ["Pad(x) pads=((0,0),(1,2))"]),
        (13, [n("Pad", ["x", "p"], ["y"])], [integers("p", 0, 1, 0, 2)], ["Pad(x) pads=((0,0),(1,2))"]),
    ],
)
def test_every_opset_says_it_in_the_same_words(
    opset: int, nodes: list[onnx.NodeProto], weights: list[TensorProto], expected: list[str], tmp_path: Path
) -> None:
    assert expected == lines(read_model(model(nodes, [VECTOR], ["y"], weights, opset=opset), tmp_path))


def test_settings_that_are_computed_stay_inputs(tmp_path: Path) -> None:
    inputs = [VECTOR, value("t", 2, dtype=TensorProto.INT64)]
    assert ["Reshape(x, t)"] == lines(
        read_model(model([n("Reshape", ["x", "t"], ["y"])], inputs, ["y"]), tmp_path)
    )


def test_shape_arithmetic_that_is_read_elsewhere_stays(tmp_path: Path) -> None:
    nodes = [SHAPE, n("Reshape", ["x", "s"], ["y"])]
    assert ["Shape(x)", "Reshape(x) shape=(0,8,6,6)"] == lines(
        read_model(model(nodes, [IMAGE], ["y", "s"]), tmp_path)
    )
