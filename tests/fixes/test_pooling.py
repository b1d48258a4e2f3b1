"""Global average pooling in place of Flatten: what is left, where it starts from, what is refused."""

import numpy as np
import pytest
from rewrite_cases import built, edited

from archlint.errors import PatchError
from archlint.facts import Facts
from archlint.fixes import pooling

TUTORIAL = """model m format=keras
input image float32[N,224,224,3]
conv1 = Conv(image) filters=32 kernel=(3,3)
relu1 = Relu(conv1)
conv2 = Conv(relu1) filters=32 kernel=(3,3)
relu2 = Relu(conv2)
pool1 = MaxPool(relu2) kernel=(2,2) strides=(2,2)
norm1 = BatchNormalization(pool1)
conv3 = Conv(norm1) filters=64 kernel=(3,3)
relu3 = Relu(conv3)
conv4 = Conv(relu3) filters=64 kernel=(3,3)
relu4 = Relu(conv4)
pool2 = MaxPool(relu4) kernel=(2,2) strides=(2,2)
norm2 = BatchNormalization(pool2)
flat = Flatten(norm2)
drop = Dropout(flat) rate=0.3
fc1 = Dense(drop) units=64
relu5 = Relu(fc1)
fc2 = Dense(relu5) units=32
relu6 = Relu(fc2)
fc3 = Dense(relu6) units=10
probs = Softmax(fc3)
output probs
"""

SMALL = """model m format=keras
input x float32[N,3,4,2]
c = Conv(x) filters=2 kernel=(1,1)
f = Flatten(c)
n = BatchNormalization(f)
d = Dense(n) units=5
output d
"""


@pytest.mark.parametrize(("way", "left"), [("keep", 72_522), ("collapse", 66_602)])
def test_the_tutorial_network_shrinks_to_the_parameters_that_the_finding_says(way, left):
    before = built(TUTORIAL)
    after, edits = edited(before, getattr(pooling, way), flatten="flat", dense="fc1")
    assert 11_574_090 == Facts(before).params
    assert left == Facts(after).params
    assert (None, 10) == (None, Facts(after).shape("probs")[1])
    assert not Facts(after).conflicts
    assert ["drop"] == [node.name for node in after.consumers["flat"]]
    assert edits[0].tensors


def test_a_map_that_is_the_same_everywhere_gives_the_same_numbers():
    graph = built(SMALL.replace("n = BatchNormalization(f)\nd = Dense(n)", "d = Dense(f)"))
    _, (splice,) = edited(graph, pooling.keep, flatten="f", dense="d")
    random = np.random.default_rng(0)
    kernel, pixel = random.normal(size=(24, 5)).astype("float32"), random.normal(size=2)
    new = splice.tensors["d/kernel"].compute(kernel)
    np.testing.assert_allclose(np.tile(pixel, 12) @ kernel, pixel @ new, rtol=1e-5, atol=1e-6)


def test_a_norm_keeps_the_means_of_its_statistics():
    _, (splice,) = edited(built(SMALL), pooling.keep, flatten="f", dense="d")
    gamma = np.arange(24, dtype="float32")
    assert [11.0, 12.0] == splice.tensors["n/gamma"].compute(gamma).tolist()


def test_a_new_kernel_is_the_same_in_every_run_and_small():
    _, (splice,) = edited(built(TUTORIAL), pooling.collapse, flatten="flat", dense="fc1")
    made = splice.tensors["fc3/kernel"]
    first, second = made.compute(), made.compute()
    assert (64, 10) == first.shape
    assert 0.1 < np.abs(first).max() <= (6 / 74) ** 0.5
    assert np.array_equal(first, second)


def test_a_transpose_before_the_flatten_is_left_out():
    text = """model m format=onnx
input x float32[N,2,3,4]
c = Conv(x) filters=2 kernel=(1,1) channel_axis=1
t = Transpose(c) perm=(0,2,3,1)
f = Flatten(t)
d = Dense(f) units=5 kernel_transposed=true | kernel float32[5,24]
output d
"""
    after, _ = edited(built(text), pooling.keep, flatten="f", dense="d")
    assert ("GlobalAveragePool", ("c",), {"channel_axis": 1}) == (
        after.by_name["f"].op,
        after.by_name["f"].inputs,
        dict(after.by_name["f"].attrs),
    )
    assert (5, 2) == after.by_name["d"].param("kernel").shape


def test_a_flatten_with_other_readers_is_refused():
    text = SMALL.replace("output d", "s = Dense(f) units=2\noutput d s")
    with pytest.raises(PatchError, match="feeds more than"):
        edited(built(text), pooling.keep, flatten="f", dense="d")


def test_a_single_dense_layer_cannot_be_collapsed():
    with pytest.raises(PatchError, match="no other dense layer"):
        edited(built(SMALL), pooling.collapse, flatten="f", dense="d")
