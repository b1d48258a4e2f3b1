"""A flattened head becomes a convolution: the graph, the kernels of every order, and what is refused."""

import numpy as np
import pytest
from rewrite_cases import built, edited

from archlint.errors import PatchError
from archlint.facts import Facts
from archlint.fixes import unlock
from archlint.graph import SetInput, render

KERAS = """model m format=keras
input image float32[N,32,32,3]
c = Conv<Conv2D c>(image) filters=8 kernel=(3,3)
f = Flatten<Flatten f>(c)
o = Dropout<Dropout o>(f) rate=0.5
fc1 = Dense<Dense fc1>(o) units=16 kernel_l2=0.1
fc1/relu = Relu<Dense fc1>(fc1)
m = BatchNormalization<BatchNormalization m>(fc1/relu)
out = Dense<Dense out>(m) units=10
out/softmax = Softmax<Dense out>(out)
output out/softmax
"""


def test_a_keras_head_becomes_convolutions_and_a_pool_before_the_softmax():
    after, _ = edited(built(KERAS), unlock.flatten, flatten="f")
    lines = [line.split(" |")[0] for line in render(after).splitlines()[1:]]
    assert [
        "input image float32[N,?,?,3]",
        "c = Conv<Conv2D c>(image) filters=8 kernel=(3,3)",
        "o = Dropout<Dropout o>(c) rate=0.5",
        "fc1 = Conv<_ fc1>(o) filters=16 kernel=(30,30) kernel_l2=0.1",
        "fc1/relu = Relu<Dense fc1>(fc1)",
        "m = BatchNormalization<BatchNormalization m>(fc1/relu)",
        "out_scores = Conv<_ out_scores>(m) filters=10 kernel=(1,1)",
        "out_pool = GlobalAveragePool<_ out_pool>(out_scores)",
        "out/softmax = Softmax<Dense out>(out_pool)",
        "output out/softmax",
    ] == lines


def test_a_pool_takes_the_name_of_a_dense_layer_that_is_an_output():
    text = KERAS.replace("out/softmax = Softmax<Dense out>(out)\noutput out/softmax", "output out")
    after, _ = edited(built(text), unlock.flatten, flatten="f")
    assert "GlobalAveragePool" == after.by_name["out"].op
    assert "Conv" == after.by_name["out_scores"].op


def test_no_parameter_is_won_or_lost():
    before = built(KERAS)
    after, _ = edited(before, unlock.flatten, flatten="f")
    assert Facts(before).params == Facts(after).params


ROWS = [
    # how the map is flattened, format, channel axis, axes of the map in the order of the vector
    ("f = Flatten(c)", "keras", -1, "hwc"),
    ("f = Flatten(c) channels_first=true", "keras", 1, "hwc"),
    ("f = Flatten(c)", "keras", 1, "chw"),
    ("p = Transpose(c) perm=(0,2,1,3)\nf = Flatten(p)", "keras", -1, "whc"),
    ("f = Flatten(c)", "onnx", 1, "chw"),
    ("t = Transpose(c) perm=(0,2,3,1)\nf = Flatten(t)", "onnx", 1, "hwc"),
    ("t = Transpose(c) perm=(0,3,2,1)\nr = Relu(t)\nf = Flatten(r)", "onnx", 1, "whc"),
]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("text", "form", "axis", "order"), ROWS)
def test_the_kernel_follows_the_order_of_the_vector(text, form, axis, order, turned):
    if turned and form == "keras":
        pytest.skip("Keras stores (inputs, units) only")
    channels, height, width, units = 2, 3, 4, 5
    map_ = (channels, height, width) if axis == 1 else (height, width, channels)
    attrs = f"filters=2 kernel=(1,1){' channel_axis=1' if axis == 1 else ''}"
    dense = "units=5" + (" kernel_transposed=true | kernel float32[5,24], bias float32[5]" if turned else "")
    dims = ",".join(map(str, map_))
    graph = built(
        f"model m format={form}\ninput x float32[N,{dims}]\nc = Conv(x) {attrs}\n{text}\n"
        f"d = Dense(f) {dense}\noutput d\n"
    )
    after, (splice, _) = edited(graph, unlock.flatten, flatten="f")
    conv = next(node for node in after.nodes if node.op == "Conv" and node.name != "c")
    made = splice.tensors[conv.param("kernel").name]
    random = np.random.default_rng(0)
    weights = random.normal(size=(24, units)).astype("float32")
    values = dict(zip("chw", np.meshgrid(range(2), range(3), range(4), indexing="ij"), strict=True))
    chw = random.normal(size=(channels, height, width))
    vector = chw.transpose([{"c": 0, "h": 1, "w": 2}[letter] for letter in order]).reshape(-1)
    kernel = made.compute(weights.T if turned else weights)
    assert conv.param("kernel").shape == kernel.shape
    spell = "uchw,chw->u" if form == "onnx" else "hwcu,chw->u"
    assert {"c", "h", "w"} == values.keys()
    np.testing.assert_allclose(np.einsum(spell, kernel, chw), vector @ weights, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("axes", [1, 3])
def test_signals_and_volumes_are_freed_too(axes):
    size, kernel = ",".join(["6"] * axes), ",".join(["3"] * axes)
    text = f"model m format=keras\ninput x float32[N,{size},2]\nc = Conv(x) filters=4 kernel=({kernel})\n"
    after, edits = edited(
        built(text + "f = Flatten(c)\nd = Dense(f) units=3\noutput d\n"), unlock.flatten, flatten="f"
    )
    assert (4,) * axes == after.by_name["d_scores"].attrs["kernel"]
    assert edits[-1] == SetInput("x", after.inputs[0][1].__class__("float32", ("N", *[None] * axes, 2)))


def test_a_norm_on_the_vector_goes_into_the_kernel_and_the_bias():
    text = KERAS.replace("fc1 = Dense<Dense fc1>(o)", "n = BatchNormalization(o)\nfc1 = Dense<Dense fc1>(n)")
    after, (splice, _) = edited(built(text), unlock.flatten, flatten="f")
    assert "n" not in after.by_name
    random, size = np.random.default_rng(0), 30 * 30 * 8
    kernel, bias = random.normal(size=(size, 16)), random.normal(size=16)
    gamma, beta, mean = random.normal(size=(3, size))
    variance = random.uniform(0.5, 2, size)
    vector = random.normal(size=size)
    stats = (gamma, beta, mean, variance)
    new_kernel = splice.tensors["fc1/kernel"].compute(kernel, *stats)
    new_bias = splice.tensors["fc1/bias"].compute(kernel, bias, *stats)
    wanted = ((vector - mean) / np.sqrt(variance + 0.001) * gamma + beta) @ kernel + bias
    found = vector @ new_kernel.reshape(size, 16) + new_bias
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("o = Dropout", "s = Softmax<Softmax s>(f)\no = Dropout", "read by several nodes"),
        (
            "o = Dropout<Dropout o>(f) rate=0.5",
            "o = LayerNormalization<_ o>(f)",
            "whole vector",
        ),
        ("o = Dropout<Dropout o>(f)", "o = SpatialDropout<SpatialDropout1D o>(f)", "whole vector"),
        ("[N,32,32,3]", "[N,?,32,3]", "size of the map"),
        (
            "fc1 = Dense<Dense fc1>(o)",
            "n = BatchNormalization(o)\ng = Relu(n)\nfc1 = Dense<Dense fc1>(g)",
            "stands between",
        ),
    ],
)
def test_what_is_not_provably_right_is_refused(old, new, why):
    graph = built(KERAS.replace(old, new))
    with pytest.raises(PatchError, match=why):
        edited(graph, unlock.flatten, flatten="f")


def test_a_shared_dense_layer_is_refused():
    text = KERAS.replace(
        "fc1 = Dense<Dense fc1>(o) units=16 kernel_l2=0.1",
        "fc1 = Dense<Dense fc1>(o) units=16 | kernel float32[7200,16] @w\n"
        "fc2 = Dense(o) units=16 | kernel float32[7200,16] @w",
    ).replace("(o) rate", "(f) rate")
    with pytest.raises(PatchError, match="several nodes"):
        edited(built(text), unlock.flatten, flatten="f")


EQUAL_BIASES = """model m format=onnx
input x float32[N,2,4,4]
c = Conv(x) filters=5 kernel=(2,2) channel_axis=1 | kernel float32[5,2,2,2], bias float32[5] @b
f = Flatten(c)
d1 = Dense(f) units=5 | kernel float32[45,5], bias float32[5] @b
d2 = Dense(d1) units=5 | kernel float32[5,5], bias float32[5] @b
output d2
"""


def test_biases_that_an_exporter_stored_once_stay_so():
    before = built(EQUAL_BIASES)
    after, _ = edited(before, unlock.flatten, flatten="f")
    convs = [node for node in after.nodes if node.op == "Conv"]
    assert ["b"] * 3 == [node.param("bias").name for node in convs]
    assert Facts(before).params == Facts(after).params


def test_a_shared_bias_that_takes_up_a_norm_is_a_new_one():
    text = EQUAL_BIASES.replace("(f)", "(n)").replace(
        "d1 =", "n = BatchNormalization(f) channel_axis=1\nd1 =", 1
    )
    after, (splice, *_) = edited(built(text), unlock.flatten, flatten="f")
    names = [node.param("bias").name for node in after.nodes if node.op == "Conv"]
    assert ("b", "b") == (names[0], names[2])
    assert names[1] in splice.tensors
    assert "b" not in splice.tensors


def test_a_kernel_that_two_layers_of_an_onnx_file_read_stays():
    text = EQUAL_BIASES.replace("units=5 | kernel float32[5,5]", "units=5 | kernel float32[5,5] @k").replace(
        "output d2", "d3 = Dense(d2) units=5 | kernel float32[5,5] @k\noutput d3"
    )
    after, _ = edited(built(text), unlock.flatten, flatten="f")
    assert ["d2", "d3"] == [node.name for node in after.nodes if node.op == "Dense"]


def test_another_node_that_is_tied_to_the_size_is_named():
    text = KERAS.replace(
        "f = Flatten<Flatten f>(c)", "l = LayerNormalization(c) axes=(1,2,3)\nf = Flatten(l)"
    )
    with pytest.raises(PatchError, match="'l' is tied to the size"):
        edited(built(text), unlock.flatten, flatten="f")


def test_a_reshape_that_moves_a_single_channel_becomes_the_transpose_that_it_is():
    before = built(
        "model m format=onnx\ninput x float32[N,8,8,1]\nt = Transpose<Reshape t>(x) perm=(0,3,1,2)\n"
        "c = Conv(t) filters=2 kernel=(3,3) channel_axis=1\nf = Flatten(c)\nd = Dense(f) units=3\noutput d\n"
    )
    after, _ = edited(before, unlock.flatten, flatten="f")
    assert (("N", None, None, 1), "") == (after.inputs[0][1].shape, after.by_name["t"].origin.native)
