"""What the models are fed, worked out from the graph alone."""

import pytest

from archlint.facts import Facts
from archlint.graph import parse
from archlint.ops import build
from archlint.runtime import job_for


def job(before: str, after: str | None = None, exact: bool = True):
    facts = [Facts(build(parse(text))) for text in (before, after or before)]
    return job_for(("a", "b"), facts[0], facts[1], "onnx", exact)


def shapes(found, at: int = 0):
    return [feed.shape for feed in found.feeds[at]]


def test_a_free_batch_is_two_samples() -> None:
    found = job("input x float32[N,8]\nd = Dense(x) units=2\noutput d\n")
    assert ([(2, 8)], 1) == (shapes(found), len(found.feeds))


def test_the_batch_that_a_reshape_asks_for_is_run() -> None:
    found = job("input x float32[N,4,6]\nr = Reshape(x) shape=(3,24)\noutput r\n")
    assert [(3, 4, 6)] == shapes(found)


def test_a_fixed_batch_stays() -> None:
    assert [(1, 8)] == shapes(job("input x float32[1,8]\nd = Dense(x) units=2\noutput d\n"))


def test_several_lengths_are_tried_where_the_model_leaves_one_free() -> None:
    found = job("input x float32[N,?,T,3]\nc = Conv(x) filters=2 kernel=(3,3)\noutput c\n")
    assert [[(2, 16, 16, 3)], [(2, 64, 64, 3)], [(2, 224, 224, 3)]] == [shapes(found, at) for at in range(3)]


@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_numbers_of_words_stay_below_the_smallest_vocabulary(dtype) -> None:
    found = job(
        f"input w {dtype}[N,5]\nc = Cast(w) to=int64\na = Embedding(c) input_dim=40 output_dim=4\n"
        "b = Embedding(w) input_dim=30 output_dim=4\ns = Add(a, b)\noutput s\n"
    )
    assert 30 == found.feeds[0][0].below


def test_numbers_that_arithmetic_has_changed_have_no_bound() -> None:
    found = job(
        "input w float32[N,5]\nd = Dense(w) units=5\ne = Embedding(d) input_dim=9 output_dim=2\noutput e\n"
    )
    assert found.feeds[0][0].below is None


def test_freed_sizes_are_grown_unequally() -> None:
    before = "input x float32[N,12,12,3]\nc = Conv(x) filters=2 kernel=(3,3)\noutput c\n"
    found = job(before, before.replace("12,12", "?,?"))
    assert [(2, 12, 12, 3)] == shapes(found)
    assert [[(2, 44, 44, 3)], [(2, 76, 44, 3)]] == [[feed.shape for feed in row] for row in found.larger]


def test_a_freed_batch_is_one_sample_more() -> None:
    before = "input x float32[4,8]\nd = Dense(x) units=2\noutput d\n"
    found = job(before, before.replace("[4,8]", "[N,8]"))
    assert [[(5, 8)]] == [[feed.shape for feed in row] for row in found.larger]


def test_what_was_free_before_is_not_run_at_larger_sizes() -> None:
    assert () == job("input x float32[N,?,?,3]\nc = Conv(x) filters=2 kernel=(3,3)\noutput c\n").larger


def test_the_coarsest_float_type_decides_the_precision() -> None:
    assert "float32" == job("input x float32[N,8]\nd = Dense(x) units=2\noutput d\n").precision
    found = job("input x float32[N,8]\nc = Cast(x) to=float16\nd = Dense(c) units=2\noutput d\n")
    assert "float16" == found.precision


@pytest.mark.parametrize("type_", ["string[N]", "?", "float32"])
def test_inputs_of_which_none_can_be_drawn_are_said(type_) -> None:
    assert "the input 'x' takes" in job(f"input x {type_}\ni = Identity(x)\noutput i\n")
