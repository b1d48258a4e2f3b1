"""Stored tensors that are cleared or shared, and what their contents come to."""

import numpy as np
from rewrite_cases import built, edited

from archlint.fixes import bias, tensors
from archlint.graph import Splice


def test_denormal_numbers_become_zero_and_others_stay():
    graph = built("model m format=keras\ninput x float32[N,2]\nd = Dense(x) units=2\noutput d\n")
    _, (splice,) = edited(graph, tensors.no_denormals, layer="d")
    assert {"d/kernel", "d/bias"} == splice.tensors.keys()
    stored = np.array([[1e-39, -2.0], [1.3e-38, 0.0]], "float32")
    found = splice.tensors["d/kernel"].compute(stored)
    np.testing.assert_array_equal(np.array([[0, -2], [1.3e-38, 0]], "float32"), found)


def test_a_folded_norm_takes_the_bias_times_its_gain():
    text = (
        "model m format=onnx\ninput x float32[N,8]\nd = Dense(x) units=3\n"
        "n = BatchNormalization(d) folded=true | gamma float32[3], beta float32[3]\noutput n\n"
    )
    after, (splice,) = edited(built(text), bias.before_norm, layer="d", norm="n")
    assert isinstance(splice, Splice)
    made = splice.tensors[after.by_name["n"].param("beta").name]
    np.testing.assert_allclose(
        [12.0, 25.0, -3.0],
        made.compute(np.array([2, 5, 0.0]), np.array([5, 4, 3.0]), np.array([2, 5, -1.0])),
    )
    assert after.by_name["d"].param("bias") is None
