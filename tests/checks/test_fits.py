"""Windows and the maps that reach them: what fits, and what covers everything."""

import itertools

import pytest

from archlint.checks.fits import pools_over_all, too_large
from archlint.facts import Facts
from archlint.graph import parse
from archlint.ops import build


def facts(text):
    return Facts(build(parse(text)))


def pool(op, length, window, step, padding="same"):
    text = f"input x float32[N,{length},2]\np = {op}(x) kernel=({window}) strides=({step}) padding={padding}"
    return facts(f"{text}\noutput p")


@pytest.mark.oracle
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_a_pool_over_all_gives_what_a_global_pool_gives_at_every_place(op):
    keras = pytest.importorskip("keras")
    numpy = pytest.importorskip("numpy")
    layer = {"MaxPool": keras.layers.MaxPooling1D, "AveragePool": keras.layers.AveragePooling1D}[op]
    whole = {"MaxPool": numpy.max, "AveragePool": numpy.mean}[op]
    for length, window, step in itertools.product(range(1, 6), range(1, 9), range(1, 4)):
        image = numpy.random.default_rng(length).normal(size=(64, length, 2)).astype("float32")
        made = numpy.asarray(layer(window, step, "same")(image))
        alike = numpy.allclose(made, whole(image, axis=1, keepdims=True), atol=1e-6)
        found = list(pools_over_all(pool(op, length, window, step)))
        # A window that only just fits needs no padding for it: other rules speak of global pools.
        expected = bool(alike) and window > length
        assert (length, window, step, expected) == (length, window, step, bool(found))
        assert all(match.values["places"] == made.shape[1] for match in found)


def test_counted_padding_makes_places_differ():
    text = "input x float32[N,8,3,3]\np = AveragePool(x) kernel=(5,5) padding=((2,2),(2,2)) channel_axis=1{}"
    assert [] != list(pools_over_all(facts(text.format("\noutput p"))))
    assert [] == list(pools_over_all(facts(text.format(" count_include_pad=true\noutput p"))))


@pytest.mark.parametrize(
    ("length", "window", "holes", "padding", "fits"),
    [
        (5, 5, 1, "valid", True),
        (5, 6, 1, "valid", False),
        (5, 3, 2, "valid", True),
        (5, 3, 3, "valid", False),
        (5, 3, 3, "((1,1))", True),
        (5, 3, 4, "((1,2))", False),
        (5, 9, 1, "same", True),
        (5, 9, 1, "causal", True),
        ("T", 9, 1, "valid", True),
    ],
)
def test_a_window_fits_a_map_of_its_span_with_padding(length, window, holes, padding, fits):
    text = f"input x float32[N,{length},2]\nc = Conv(x) filters=2 kernel=({window}) dilations=({holes})"
    assert fits == (not list(too_large(facts(f"{text} padding={padding}\noutput c"))))


def test_rounding_up_is_not_judged():
    text = "input x float32[N,3,2]\np = MaxPool(x) kernel=(5) strides=(2){}\noutput p"
    assert [] != list(too_large(facts(text.format(""))))
    assert [] == list(too_large(facts(text.format(" ceil_mode=true"))))
