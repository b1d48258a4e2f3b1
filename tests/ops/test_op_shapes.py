"""Hand-worked shapes of each family: one line of the text notation, the shapes of its inputs and outputs."""

from __future__ import annotations

import pytest

from archlint.graph import Shape, parse
from archlint.ops import infer

N = "N"

ROWS: list[tuple[str, list[str], list[Shape]]] = [
    # conv: (6 − 3) / 1 + 1 = 4; same keeps, or halves upwards; dilation 2 makes 3 taps reach 5
    ("Conv(a) filters=8 kernel=(3,3)", ["N,6,6,3"], [(N, 4, 4, 8)]),
    ("Conv(a) filters=8 kernel=(3,3) padding=same", ["N,6,6,3"], [(N, 6, 6, 8)]),
    ("Conv(a) filters=8 kernel=(3,3) padding=same strides=(2,2)", ["N,7,6,3"], [(N, 4, 3, 8)]),
    ("Conv(a) filters=8 kernel=(3,3) dilations=(2,2)", ["N,6,7,3"], [(N, 2, 3, 8)]),
    ("Conv(a) filters=8 kernel=(4) padding=causal strides=(2)", ["N,9,3"], [(N, 5, 8)]),
    ("Conv(a) filters=8 kernel=(3,3) channel_axis=1", ["N,3,6,6"], [(N, 8, 4, 4)]),
    ("Conv(a) filters=8 kernel=(3,3) padding=((1,1),(0,2))", ["N,6,6,3"], [(N, 6, 6, 8)]),
    ("Conv(a) filters=8 kernel=(3,3)", ["N,H,6,3"], [(N, None, 4, 8)]),
    ("Conv(a) filters=8 kernel=(3,3) padding=same", ["N,H,?,3"], [(N, "H", None, 8)]),
    ("Conv(a) filters=8 kernel=(1,1)", ["N,H,6,3"], [(N, "H", 6, 8)]),
    ("Conv(a) filters=8 kernel=(7,7)", ["N,6,6,3"], [(N, None, None, 8)]),
    ("Conv(a) filters=8 kernel=(3,3)", ["?"], [None]),
    # transposed: same multiplies; valid: 4 · 2 + max(3 − 2, 0); pads: 2 · (4 − 1) + 3 − 2
    ("ConvTranspose(a) filters=8 kernel=(3,3) strides=(2,2) padding=same", ["N,4,4,3"], [(N, 8, 8, 8)]),
    ("ConvTranspose(a) filters=8 kernel=(3,3) strides=(2,2)", ["N,4,4,3"], [(N, 9, 9, 8)]),
    ("ConvTranspose(a) filters=8 kernel=(2,2) strides=(3,3)", ["N,4,4,3"], [(N, 12, 12, 8)]),
    ("ConvTranspose(a) filters=8 kernel=(3) strides=(2) padding=((1,1))", ["N,4,3"], [(N, 7, 8)]),
    (
        "ConvTranspose(a) filters=8 kernel=(3) strides=(2) padding=same output_padding=(1)",
        ["N,4,3"],
        [(N, 8, 8)],
    ),
    # dense
    ("Dense(a) units=5", ["N,7,3"], [(N, 7, 5)]),
    ("EinsumDense(a) equation='abc,cd->abd' output_shape=(?,5)".replace("?", "none"), ["N,7,3"], [(N, 7, 5)]),
    ("Embedding(a) input_dim=10 output_dim=4", ["N,7"], [(N, 7, 4)]),
    ("MatMul(a, b)", ["N,2,3,4", "4,5"], [(N, 2, 3, 5)]),
    ("MatMul(a, b)", ["4", "N,4,5"], [(N, 5)]),
    ("Gemm(a, b) transB=1", ["N,3", "5,3"], [(N, 5)]),
    ('Einsum(a, b) equation="bij,bjk->bik"', ["N,2,3", "N,3,4"], [(N, 2, 4)]),
    ('Einsum(a) equation="...ij->...ji"', ["N,2,3"], [(N, 3, 2)]),
    ("Dot(a, b) axes=(1,1)", ["N,3", "N,3"], [(N, 1)]),
    ("Dot(a, b) axes=(2,2)", ["N,4,3", "N,5,3"], [(N, 4, 5)]),
    # norm and activation keep the shape
    ("BatchNormalization(a)", ["N,7,3"], [(N, 7, 3)]),
    ("Softmax(a)", ["N,7,3"], [(N, 7, 3)]),
    ("Glu(a)", ["N,7,4"], [(N, 7, 2)]),
    # pool: ceil_mode rounds (6 − 3) / 2 up, but a window that starts past the end is dropped
    ("MaxPool(a) kernel=(2,2) strides=(2,2)", ["N,7,6,3"], [(N, 3, 3, 3)]),
    ("MaxPool(a) kernel=(3,3) strides=(2,2) ceil_mode=true", ["N,6,7,3"], [(N, 3, 3, 3)]),
    ("MaxPool(a) kernel=(1,1) strides=(3,3) ceil_mode=true", ["N,7,9,3"], [(N, 3, 3, 3)]),
    ("AveragePool(a) kernel=(2,2) strides=(2,2) padding=same", ["N,7,6,3"], [(N, 4, 3, 3)]),
    ("GlobalAveragePool(a)", ["N,7,6,3"], [(N, 3)]),
    ("GlobalMaxPool(a) keepdims=true channel_axis=1", ["N,3,7,6"], [(N, 3, 1, 1)]),
    ("AdaptiveAveragePool(a) output_size=(2,2)", ["N,H,6,3"], [(N, 2, 2, 3)]),
    # recurrent
    ("LSTM(a) units=5", ["N,7,3"], [(N, 5)]),
    ("LSTM(a) units=5 return_sequences=true", ["N,T,3"], [(N, "T", 5)]),
    ("GRU(a) units=5 direction=bidirectional", ["N,7,3"], [(N, 10)]),
    ("GRU(a) units=5 direction=bidirectional merge_mode=sum", ["N,7,3"], [(N, 5)]),
    ("ConvLSTM(a) filters=4 kernel=(3,3) padding=same", ["N,5,8,8,3"], [(N, 8, 8, 4)]),
    ("ConvLSTM(a) filters=4 kernel=(3,3) return_sequences=true", ["N,5,8,8,3"], [(N, 5, 6, 6, 4)]),
    # attention
    ("MultiHeadAttention(a, b) num_heads=2 key_dim=8", ["N,7,16", "N,5,12"], [(N, 7, 16)]),
    ("Attention(a, b, c)", ["N,7,16", "N,5,16", "N,5,12"], [(N, 7, 12)]),
    ("Attention(a, b, c)", ["N,2,7,8", "N,2,5,8", "N,2,5,6"], [(N, 2, 7, 6)]),
    # shape
    ("Flatten(a)", ["N,7,6,3"], [(N, 126)]),
    ("Flatten(a)", ["?,7,6,3"], [(None, 126)]),
    ("Flatten(a)", ["N,H,6,3"], [(N, None)]),
    ("Flatten(a)", ["N"], [(N, 1)]),
    ("Reshape(a) shape=(0,-1)", ["?,7,6,3"], [(None, 126)]),
    ("Reshape(a) shape=(-1,42,3)", ["?,7,6,3"], [(None, 42, 3)]),
    ("Reshape(a) shape=(-1,42,3)", ["N,7,6,3"], [(N, 42, 3)]),
    ("Reshape(a) shape=(-1,5)", ["N,7,6,3"], [(None, 5)]),
    ("Reshape(a) shape=(0,0,-1)", ["N,H,W,3"], [(N, "H", None)]),
    ("Reshape(a) shape=(0,0,-1)", ["N,H,2,3"], [(N, "H", 6)]),
    ("Transpose(a) perm=(0,3,1,2)", ["N,7,6,3"], [(N, 3, 7, 6)]),
    ("Transpose(a)", ["N,7,6"], [(6, 7, N)]),
    ("Squeeze(a)", ["4,1,3,1"], [(4, 3)]),
    ("Squeeze(a) axes=(1)", ["N,1,3,1"], [(N, 3, 1)]),
    ("Unsqueeze(a) axes=(1,-1)", ["N,3"], [(N, 1, 3, 1)]),
    ("Expand(a) shape=(2,1,6)", ["3,1"], [(2, 3, 6)]),
    ("Tile(a) repeats=(1,2)", ["N,3"], [(N, 6)]),
    ("RepeatVector(a) n=4", ["N,3"], [(N, 4, 3)]),
    ("Resize(a) scales=(2.0,1.5)", ["N,4,5,3"], [(N, 8, 7, 3)]),
    ("Resize(a) sizes=(9,9) channel_axis=1", ["N,3,4,5"], [(N, 3, 9, 9)]),
    ("DepthToSpace(a) blocksize=2", ["N,8,4,5"], [(N, 2, 8, 10)]),
    ("SpaceToDepth(a) blocksize=2 channel_axis=-1", ["N,8,4,2"], [(N, 4, 2, 8)]),
    ("Shape(a)", ["N,7,3"], [(3,)]),
    # selection
    ("Concat(a, b) axis=-1", ["N,7,3", "N,?,4"], [(N, 7, 7)]),
    ("Concat(a, b) axis=1", ["N,H,3", "N,4,3"], [(N, None, 3)]),
    ("Stack(a, b) axis=1", ["N,3", "N,3"], [(N, 2, 3)]),
    ("Slice(a) starts=(1) ends=(-1) axes=(1)", ["N,7,3"], [(N, 5, 3)]),
    ("Slice(a) starts=(-1) ends=(-8) axes=(1) steps=(-2)", ["N,7,3"], [(N, 4, 3)]),
    ("Slice(a) starts=(0) ends=(9223372036854775807) axes=(1)", ["N,H,3"], [(N, "H", 3)]),
    ("Slice(a) starts=(0) ends=(2) axes=(1)", ["N,H,3"], [(N, None, 3)]),
    ("Pad(a) pads=((0,0),(1,2),(0,0))", ["N,7,3"], [(N, 10, 3)]),
    ("Gather(a, b) axis=1", ["N,7,3", "4,2"], [(N, 4, 2, 3)]),
    ("GatherND(a, b) batch_dims=1", ["2,7,3", "2,5,1"], [(2, 5, 3)]),
    ("OneHot(a) depth=9", ["N,4"], [(N, 4, 9)]),
    # elementwise: a length that could be one of two is unknown
    ("Add(a, b)", ["N,7,3", "3"], [(N, 7, 3)]),
    ("Add(a, b)", ["N,H,3", "N,5,3"], [(N, 5, 3)]),
    ("Add(a, b)", ["N,H,3", "N,W,3"], [(N, None, 3)]),
    ("Where(a, b, c)", ["N,1", "4", "1"], [(N, 4)]),
    # reduce
    ("ReduceMean(a) axes=(1,2)", ["N,7,6,3"], [(N, 1, 1, 3)]),
    ("ReduceSum(a) keepdims=false", ["N,7"], [()]),
    ("ArgMax(a) axis=-1 keepdims=false", ["N,7"], [(N,)]),
    # random, preprocessing, quantisation
    ("Dropout(a) rate=0.3", ["N,7"], [(N, 7)]),
    ("RandomCrop(a) height=4 width=5", ["N,7,6,3"], [(N, 4, 5, 3)]),
    ("Resizing(a) height=4 width=5 channel_axis=1", ["N,3,7,6"], [(N, 3, 4, 5)]),
    ("CategoryEncoding(a) num_tokens=9 output_mode=multi_hot", ["N,4"], [(N, 9)]),
    ("QLinearMatMul(a, s, z, b, s, z, s, z)", ["N,3", "3,5"], [(N, 5)]),
    # once per step
    ("Conv(a) filters=8 kernel=(3,3) time_distributed=true", ["N,T,6,6,3"], [(N, "T", 4, 4, 8)]),
    ("Flatten(a) time_distributed=true", ["N,4,6,6,3"], [(N, 4, 108)]),
    # what is not recognised
    ("Unknown(a)", ["N,7"], [None]),
    ("NoSuchOp(a)", ["N,7"], [None]),
]


def graph_text(line: str, inputs: list[str]) -> str:
    names = [*"abc"[: len(inputs)]]
    heads = [
        f"input {name} float32" + (f"[{shape}]" if shape != "?" else "")
        for name, shape in zip(names, inputs, strict=True)
    ]
    scalars = ["input s float32[]", "input z uint8[]"] if ", s," in line else []
    return "\n".join([*heads, *scalars, f"y = {line}", "output y"]).replace("'", '"')


@pytest.mark.parametrize(("line", "inputs", "outputs"), ROWS)
def test_shape(line: str, inputs: list[str], outputs: list[Shape]) -> None:
    graph = parse(graph_text(line, inputs))
    assert [infer(graph)[value].shape for value in graph.nodes[0].outputs] == outputs


MANY: list[tuple[str, list[str], dict[str, Shape]]] = [
    ("p, q = Split(a) axis=1", ["N,7,3"], {"p": (N, 4, 3), "q": (N, 3, 3)}),
    ("p, q = Split(a) axis=1 split=(2,5)", ["N,7,3"], {"p": (N, 2, 3), "q": (N, 5, 3)}),
    ("p, q = TopK(a) k=2", ["N,7"], {"p": (N, 2), "q": (N, 2)}),
    ("p, q = MaxPool(a) kernel=(2)", ["N,7,3"], {"p": (N, 6, 3), "q": (N, 6, 3)}),
    (
        "p, q, r = LSTM(a) units=5 return_sequences=true return_state=true",
        ["N,7,3"],
        {"p": (N, 7, 5), "q": (N, 5), "r": (N, 5)},
    ),
    (
        "p, q, r = LSTM(a) units=5 time_axis=0 merge_mode=stack direction=bidirectional",
        ["7,N,3"],
        {"p": (7, 2, N, 5), "q": (2, N, 5), "r": (2, N, 5)},
    ),
    ("p, q = Dropout(a)", ["N,7"], {"p": (N, 7), "q": (N, 7)}),
    ("p, q = Unstack(a) axis=1", ["N,2,3"], {"p": (N, 3), "q": (N, 3)}),
]


@pytest.mark.parametrize(("line", "inputs", "outputs"), MANY)
def test_shapes_of_several_outputs(line: str, inputs: list[str], outputs: dict[str, Shape]) -> None:
    graph = parse(f"input a float32[{inputs[0]}]\n{line}\noutput p")
    found = infer(graph)
    assert outputs == {value: found[value].shape for value in outputs}
