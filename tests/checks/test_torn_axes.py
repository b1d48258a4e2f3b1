"""Reshapes that stand for a transpose are told from those that only cut or merge."""

import pytest

from archlint.checks import Match
from archlint.checks.rows import torn_axes
from archlint.facts import Facts
from archlint.graph import parse


def orders(was, made, reader="Relu(r)", before="Relu(x)"):
    text = (
        f"input x float32[N,{was}]\nh = {before}\nr = Reshape(h) shape=(0,{made})\no = {reader}\noutput o\n"
    )
    return [found.values["order"] for found in torn_axes(Facts(parse(text))) if isinstance(found, Match)]


@pytest.mark.parametrize(
    ("was", "made", "order"),
    [
        ("3,64,64", "64,64,3", (2, 3, 1)),
        ("64,64,3", "3,64,64", (3, 1, 2)),
        ("22,256", "256,22", (2, 1)),
        ("8,32,48", "32,384", (2, 3, 1)),
        ("64,64,6", "6,4096", (3, 1, 2)),
        ("1,22,256", "256,22", (2, 1)),
    ],
)
def test_lengths_that_only_a_transpose_gives_are_found(was, made, order):
    assert [order] == orders(was, made)


@pytest.mark.parametrize(
    ("was", "made"),
    [
        ("8,8,64", "64,64"),
        ("4,4,24", "96,4"),
        ("64,32,32", "32,2048"),
        ("16,16", "16,16"),
        ("3,64", "192"),
        ("12,64", "12,4,16"),
        ("3,3,2,16", "96,3"),
        ("28,28,1", "1,28,28"),
    ],
)
def test_lengths_that_a_cut_or_a_merge_gives_are_passed(was, made):
    assert [] == orders(was, made)


def test_the_shift_of_relative_positions_is_passed():
    assert [] == orders("9,10", "10,9", before="Pad(x) pads=((0,0),(0,0),(0,0))")
    assert [] == orders("9,10", "10,9", reader="Slice(r) starts=(1) ends=(10) axes=(1)")
    assert [(2, 1)] == orders("9,10", "10,9")


def test_a_group_norm_and_a_reshape_that_is_undone_are_passed():
    assert [] == orders("3,64,64", "64,64,3", reader="LayerNormalization(r)")
    assert [] == orders("3,64,64", "64,64,3", reader="Reshape(r) shape=(0,3,64,64)")
