"""Norms that are folded: into each other, and not into half of a layer."""

import numpy as np
import pytest
from rewrite_cases import built, edited

from archlint.errors import PatchError
from archlint.fixes import bias, folding

TWO_FOLDED = """model m format=onnx
input x float32[N,3,4,4]
c = Conv(x) filters=3 kernel=(1,1) channel_axis=1
n = BatchNormalization(c) channel_axis=1 folded=true | gamma float32[1,3,1,1], beta float32[1,3,1,1]
m = BatchNormalization(n) channel_axis=1 folded=true | gamma float32[3], beta float32[3]
output m
"""
SEPARABLE = """model m format=keras
input x float32[N,8,8,2]
"s/depthwise" = Conv<SeparableConv2D s>(x) filters=2 kernel=(3,3) groups=2 use_bias=false
s = Conv<SeparableConv2D s>("s/depthwise") filters=4 kernel=(1,1)
n = BatchNormalization<BatchNormalization n>(s)
output n
"""


def test_two_gains_and_offsets_become_one() -> None:
    source = np.random.default_rng(0)
    stored = {
        "n/gamma": source.normal(size=(1, 3, 1, 1)),
        "n/beta": source.normal(size=(1, 3, 1, 1)),
        "m/gamma": source.normal(size=3),
        "m/beta": source.normal(size=3),
    }
    after, (edit,) = edited(built(TWO_FOLDED), folding.norms, first="n", second="m")
    made = {
        param.role: edit.tensors[param.name].compute(
            *(stored[name] for name in edit.tensors[param.name].sources)
        )
        for param in after.by_name["m"].params
    }
    x = source.normal(size=3)
    once = x * stored["n/gamma"].reshape(-1) + stored["n/beta"].reshape(-1)
    twice = once * stored["m/gamma"] + stored["m/beta"]
    found = x * made["gamma"].reshape(-1) + made["beta"].reshape(-1)
    np.testing.assert_allclose(found, twice, rtol=1e-6)  # rounded to float32 once
    assert after.by_name["m"].attrs["folded"]


@pytest.mark.parametrize("rewrite", [folding.into_layer, bias.before_norm])
def test_half_of_a_layer_is_not_changed_alone(rewrite) -> None:
    with pytest.raises(PatchError, match="'s' and 's/depthwise' are one layer of the file"):
        edited(built(SEPARABLE), rewrite, layer="s", norm="n")
