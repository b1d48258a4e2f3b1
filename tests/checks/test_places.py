"""Heads that lose the place or keep it: what is promised, and where the lines are."""

import pytest

from archlint.checks.places import flattened_sequences, head_on_map, pooled_before_numbers
from archlint.facts import Facts
from archlint.graph import parse
from archlint.ops import build


def facts(text):
    return Facts(build(parse(text)))


SIGNAL = """
input x float32[N,{shape}]
c = Conv(x) filters=16 kernel=(3) channel_axis={axis}
r = Relu(c)
{head}
d = Dense(f) units=8
e = Dense(d) units=3
output e
"""


@pytest.mark.parametrize(("shape", "axis"), [("40,6", -1), ("6,40", 1)])
def test_the_promised_size_is_that_of_the_pooled_network(shape, axis):
    (match,) = flattened_sequences(facts(SIGNAL.format(shape=shape, axis=axis, head="f = Flatten(r)")))
    pooled = f"f = GlobalAveragePool(r) channel_axis={axis}"
    assert facts(SIGNAL.format(shape=shape, axis=axis, head=pooled)).params == match.values["pooled"]
    assert (38, 16) == (match.values["steps"], match.values["features"])


def test_a_norm_per_number_makes_the_pooled_size_unknown():
    head = "g = Flatten(r)\nf = BatchNormalization(g)"
    (match,) = flattened_sequences(facts(SIGNAL.format(shape="40,6", axis=-1, head=head)))
    assert match.values["pooled"] is None


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ("c = Conv(x) filters=8 kernel=(3,3)", True),
        ("c = Conv(x) filters=8 kernel=(3,3) padding=same", False),
        ("c = Conv(x) filters=8 kernel=(2,2) strides=(2,2)", False),
        ("c = Conv(x) filters=8 kernel=(28,28)", False),
        ("b = Conv(x) filters=8 kernel=(3,3)\nc = Resize(b) scales=(2.0,2.0)", False),
        ("b = Conv(x) filters=8 kernel=(3,3)\nc = Unknown(b)", False),
    ],
)
def test_a_dense_head_on_a_map_is_told_by_lengths_that_labels_cannot_have(layers, found):
    text = f"input x float32[N,28,28,1]\n{layers}\nd = Dense(c) units=10\ns = Softmax(d)\noutput s"
    matches = [match for match in head_on_map(facts(text)) if hasattr(match, "nodes")]
    assert found == bool(matches)


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("bbox", True),
        ("predBoxes", True),
        ("key_points", True),
        ("head/landmarks/Gemm", True),
        ("mailbox", False),
        ("boxer", False),
        ("logits", False),
    ],
)
def test_names_of_places_are_whole_words(name, named):
    text = (
        f"input x float32[N,64,64,3]\nc = Conv(x) filters=8 kernel=(3,3)\np = GlobalAveragePool(c)\n"
        f'"{name}" = Dense(p) units=4\noutput "{name}"'
    )
    (match,) = pooled_before_numbers(facts(text))
    assert named == match.values["named"]
    assert (3, 64) == (match.values["seen"], match.values["shortest"])


def test_coordinates_that_join_the_map_make_it_unsure():
    text = """
        input x float32[N,64,64,3]
        g = Constant() | value float32[1,64,64,2]
        j = Concat(x, g) axis=-1
        c = Conv(j) filters=8 kernel=(3,3)
        p = GlobalAveragePool(c)
        boxes = Dense(p) units=4
        output boxes"""
    assert all(not hasattr(one, "nodes") for one in pooled_before_numbers(facts(text)))
