"""Between which numbers values lie, as far as the ops before them say so."""

from math import inf

import pytest

from archlint.checks.bounds import bounds_of
from archlint.facts import Facts
from archlint.graph import parse


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("v = Sigmoid(x)", (0, 1)),
        ("v = Tanh(x)", (-1, 1)),
        ("v = Relu(x)", (0, inf)),
        ("v = Relu(x) max_value=6.0", (0, 6)),
        ("v = Relu(x) negative_slope=0.1", None),
        ("a = Softmax(x)\nb = MaxPool(a) kernel=(2,2)\nc = Flatten(b)\nv = Dropout(c) rate=0.5", (0, 1)),
        ("a = Tanh(x)\nb = Relu(x) max_value=6.0\nv = Concat(a, b) axis=-1", (-1, 6)),
        ("a = Tanh(x)\nv = Concat(a, x) axis=-1", None),
        ("a = Sigmoid(x)\nv = Add(a, a)", None),
        ("a = Sigmoid(x)\nv = BatchNormalization(a)", None),
        ("v = Gelu(x)", None),
        ("v = Identity(x)", None),
    ],
)
def test_bounds_follow_from_the_ops_before(lines: str, expected: tuple[float, float] | None) -> None:
    facts = Facts(parse(f"input x float32[N,8,8,4]\n{lines}\noutput v"))
    assert expected == bounds_of(facts, "v")
