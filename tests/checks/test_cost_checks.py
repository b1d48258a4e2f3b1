"""Checks of cost where the examples of their rules do not go."""

from archlint.checks import Unsure, cost
from archlint.facts import Facts
from archlint.graph import parse
from archlint.ops import build


def matches(check, text, **settings):
    return list(check(Facts(build(parse(text))), **settings))


def test_the_first_of_equal_layers_is_the_heaviest():
    text = "input x float32[N,8]\na = Dense(x) units=8\nb = Dense(a) units=8\noutput b\n"
    (match,) = matches(cost.heaviest_layer, text)
    assert ("a", 2) == (match.nodes["node"].name, match.values["layers"])


def test_a_model_without_weights_has_no_heaviest_layer():
    assert [] == matches(cost.heaviest_layer, "input x float32[N,8]\nr = Relu(x)\noutput r\n")


def test_float64_that_is_only_looked_up_or_cast_is_passed():
    text = """\
input x float32[N,8]
c = Constant() | value float64[8]
f = Cast(c) to=float32
a = Add(x, f)
output a
"""
    assert [] == matches(cost.float64_layers, text)


def test_shared_float64_weights_are_counted_once():
    text = """\
input x float64[N,8]
a = Dense(x) units=8 use_bias=false | kernel float64[8,8] @k
b = Dense(a) units=8 use_bias=false | kernel float64[8,8] @k
output b
"""
    (match,) = matches(cost.float64_layers, text)
    assert (2, 64, True) == (match.values["count"], match.values["params"], match.values["throughout"])


def test_an_unknown_size_makes_the_peak_unsure():
    text = "input x float32[N,H,8]\nd = Dense(x) units=4\noutput d\n"
    (found,) = matches(cost.activation_peak, text)
    assert isinstance(found, Unsure)


def test_first_and_last_layers_may_have_any_channels():
    text = (
        "input x float32[N,64,64,3]\n"
        "a = Conv(x) filters=32 kernel=(3,3)\n"
        "b = Conv(a) filters=7 kernel=(3,3)\n"
        "output b\n"
    )
    assert [] == matches(cost.misaligned, text, step=8)


def test_channels_that_a_layer_reads_after_a_concat_are_not_blamed_on_it():
    text = """\
input x float32[N,64,64,3]
a = Conv(x) filters=32 kernel=(3,3) padding=same
c = Concat(x, a) axis=-1
b = Conv(c) filters=32 kernel=(3,3)
d = Conv(b) filters=8 kernel=(3,3)
output d
"""
    assert [] == matches(cost.misaligned, text, step=8)


def test_a_side_of_unknown_length_is_left_out_of_the_size_of_an_image():
    text = "input x float32[N,H,640,3]\na = Conv(x) filters=4 kernel=(3,3)\noutput a\n"
    (match,) = matches(cost.input_sizes, text)
    assert ((640,), 640, 640) == (match.values["size"], match.values["smallest"], match.values["largest"])
