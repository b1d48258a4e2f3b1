"""Checks of windows, grids and layers against enumeration, and where examples cannot reach."""

from textwrap import dedent

import pytest

from archlint.checks import linear, nonlinearity, windows
from archlint.facts import Facts
from archlint.graph import parse
from archlint.ops import build


def facts_of(text):
    return Facts(build(parse(dedent(text))))


def one_conv(length, kernel, stride, dilation, padding):
    return facts_of(
        f"input x float32[N,{length},2]\n"
        f"c = Conv(x) filters=2 kernel=({kernel}) strides=({stride}) dilations=({dilation})"
        f" padding={padding}\n"
        "output c"
    )


def live_by_hand(length, made, kernel, stride, dilation, before):
    """Taps of one axis that meet a pixel, every position tried."""
    at = [{place * stride + tap * dilation - before for place in range(made)} for tap in range(kernel)]
    return sum(any(0 <= pixel < length for pixel in row) for row in at)


@pytest.mark.parametrize("length", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("kernel", [2, 3, 4, 7])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2, 5])
def test_live_taps_are_those_that_meet_a_pixel_somewhere(length, kernel, stride, dilation):
    reach = (kernel - 1) * dilation
    for padding, before in (("same", None), ("causal", reach), (f"(({reach},{reach}))", reach)):
        if stride > 1 and dilation > 1:
            continue
        facts = one_conv(length, kernel, stride, dilation, padding)
        made = facts.out_shape(facts.graph.nodes[0])[1]
        total = max((made - 1) * stride + reach + 1 - length, 0)
        live = live_by_hand(length, made, kernel, stride, dilation, total // 2 if before is None else before)
        found = [match.values["live"] for match in windows.dead_taps(facts)]
        assert ([(live,)] if live < kernel else []) == found, padding


def test_a_wasted_layer_is_not_blamed_for_its_taps_as_well():
    facts = facts_of("""
        input x float32[N,8,8,3]
        a = Conv(x) filters=8 kernel=(9,9) strides=(4,4) padding=same
        b = Conv(a) filters=64 kernel=(5,5) padding=same
        g = GlobalAveragePool(b)
        output g
    """)
    (match,) = windows.wasted_layers(facts)
    assert ("b", 1, 2) == (match.nodes["conv"].name, match.values["count"], match.values["total"])
    assert [] == list(windows.dead_taps(facts))


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("b = Dense(a) units=4\noutput b", ("a", "b")),
        ("n = BatchNormalization(a)\nb = Dense(n) units=4\ns = Softmax(b)\noutput s", ("a", "b")),
        ("r = Relu(a)\nb = Dense(r) units=4\noutput b", ()),
        ("n = LayerNormalization(a)\nb = Dense(n) units=4\noutput b", ()),
        ("b = Dense(a) units=8\nm = Mul(a, b)\noutput m", ()),
        ("b = Dense(x) units=8\ns = Add(a, b)\noutput s", ()),
        ("u = Unknown(a)\nb = Dense(u) units=4\noutput b", ()),
        ("output a", ()),
    ],
)
def test_a_model_is_linear_as_a_whole_or_not(body, names):
    facts = facts_of("input x float32[N,8]\na = Dense(x) units=8\n" + body)
    assert names == tuple(node.name for node in linear.whole_model(facts))


def test_a_bottleneck_needs_no_activation():
    text = """
        input x float32[N,{inputs}]
        r = Relu(x)
        a = Dense(r) units=16
        n = BatchNormalization(a)
        b = Dense(n) units=64
        s = Relu(b)
        y = Dense(s) units=4
        output y
    """
    assert 1 == len(list(nonlinearity.missing_between(facts_of(text.format(inputs=16)))))
    assert [] == list(nonlinearity.missing_between(facts_of(text.format(inputs=17))))
