"""Rows on the first axis are followed from the inputs to the outputs."""

import pytest

from archlint.checks.batch import torn_samples
from archlint.facts import Facts
from archlint.graph import parse
from archlint.ops import build


def torn(text):
    return [
        (match.nodes["reshape"].name, match.values["rows"])
        for match in torn_samples(Facts(build(parse(text))))
    ]


HEAD = "input x float32[N,6,10]\nr = Reshape(x) shape=(-1,15)\n"


@pytest.mark.parametrize(
    "rest",
    [
        "d = Dense(r) units=4\noutput d",
        "a = Relu(r)\nb = Sigmoid(r)\nm = Mul(a, b)\noutput m",
        "d = Dense(r) units=4\nc = Concat(d, r) axis=-1\noutput c",
        "u = Unsqueeze(r) axes=(1)\nt = Transpose(u) perm=(0,2,1)\noutput t",
        "d = Dense(r) units=30\nq = Reshape(d) shape=(-1,5)\noutput q",
    ],
)
def test_torn_samples_are_found_however_they_go_on(rest):
    assert [("r", 4)] == torn(HEAD + rest)


@pytest.mark.parametrize(
    "rest",
    [
        "d = Dense(r) units=15\nq = Reshape(d) shape=(-1,6,10)\noutput q",
        "t = Transpose(r) perm=(1,0)\noutput t",
        "s = ReduceMean(r) axes=(0)\noutput s",
        "g = Gather(r, x) axis=0\noutput g",
        "c = Concat(r, r) axis=0\noutput c",
        "u = Unknown(r)\noutput u",
        "m = Mul(r, x)\noutput m",
    ],
)
def test_what_gives_the_batch_back_or_is_not_followed_is_silent(rest):
    assert [] == torn(HEAD + rest)


def test_a_cut_that_fits_only_some_batches_has_no_number_of_rows():
    assert [("r", None)] == torn("input x float32[N,6,10]\nr = Reshape(x) shape=(-1,16)\noutput r")


def test_a_fixed_batch_counts_as_samples_too():
    assert [("r", 4)] == torn("input x float32[2,6,10]\nr = Reshape(x) shape=(8,15)\noutput r")
