"""An image's axes are told apart by their lengths, whatever stands between the input and the first window."""

import pytest

from archlint.checks.orientation import swapped_images
from archlint.facts import Facts
from archlint.graph import parse
from archlint.ops import build


def swapped(text):
    return [
        (match.nodes["node"].name, match.values["channel_axis"], match.values["colour_axis"])
        for match in swapped_images(Facts(build(parse(text))))
    ]


def image(shape, rest):
    return swapped(f"input x float32[{shape}]\n{rest}")


LAST = "c = Conv(x) filters=8 kernel=(3,3) padding=same\noutput c"
FIRST = "c = Conv(x) filters=8 kernel=(3,3) padding=((1,1),(1,1)) channel_axis=1\noutput c"


@pytest.mark.parametrize("shape", ["N,1,28,28", "N,3,8,8", "N,4,64,64", "N,3,96,128"])
def test_channels_in_front_are_seen_under_channels_last(shape):
    assert [("c", 3, 1)] == image(shape, LAST)
    assert [] == image(shape, FIRST)


@pytest.mark.parametrize("shape", ["N,28,28,1", "N,224,224,3", "N,480,640,3"])
def test_channels_at_the_end_are_seen_under_channels_first(shape):
    assert [("c", 1, 3)] == image(shape, FIRST)
    assert [] == image(shape, LAST)


@pytest.mark.parametrize("shape", ["N,2,28,28", "N,3,7,7", "N,3,64,95", "N,28,28,28", "N,1,H,W", "N,1,T,40"])
def test_other_lengths_say_nothing(shape):
    assert [] == image(shape, LAST)


def test_a_pool_and_what_scales_or_pads_an_image_are_looked_through():
    rest = (
        "n = Rescaling(x) scale=0.5\np = Pad(n) pads=((0,0),(1,1),(1,1),(0,0))\n"
        "m = MaxPool(p) kernel=(2,2) strides=(2,2)\noutput m"
    )
    assert [("m", 3, 1)] == image("N,3,32,32", rest)


def test_a_transpose_that_sets_it_right_is_followed():
    assert [] == image("N,3,32,32", "t = Transpose(x) perm=(0,2,3,1)\n" + LAST.replace("(x)", "(t)"))


def test_axes_are_counted_as_the_input_has_them():
    rest = "t = Transpose(x) perm=(0,1,3,2)\n" + LAST.replace("(x)", "(t)")
    assert [("c", 2, 1)] == image("N,3,32,32", rest)


def test_a_reshape_ends_the_search():
    assert [] == image("N,3,32,32", "r = Reshape(x) shape=(0,32,32,3)\n" + LAST.replace("(x)", "(r)"))
