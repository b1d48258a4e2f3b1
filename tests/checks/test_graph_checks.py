"""Which numbers a type holds, and which places the graph checks name."""

import pytest

from archlint.checks.graph_casts import holds, rounds
from archlint.checks.graph_exports import unread_tensors
from archlint.checks.graph_layout import separate_pads
from archlint.checks.graph_repeats import constant_work, repeated_work
from archlint.facts import Facts
from archlint.graph import parse
from archlint.ops import build

np = pytest.importorskip("numpy")

BOUNDS = {
    "bool": [0, 1],
    **{f"int{bits}": [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": [0, 2**bits - 1] for bits in (8, 16, 32, 64)},
}
FLOATS = ("float16", "float32", "float64")


def survives(number: int, dtype: str) -> bool:
    """Whether a whole number is the same after it went through a type."""
    if dtype in BOUNDS:
        return BOUNDS[dtype][0] <= number <= BOUNDS[dtype][1]
    with np.errstate(over="ignore"):
        back = np.dtype(dtype).type(number)
    return bool(np.isfinite(back)) and int(back) == number


@pytest.mark.parametrize("narrow", BOUNDS)
@pytest.mark.parametrize("wide", [*BOUNDS, *FLOATS])
def test_a_type_holds_integers_whose_extremes_and_neighbours_survive_it(wide: str, narrow: str) -> None:
    low, high = BOUNDS[narrow]
    samples = {low, high, min(low + 1, high), high - 1 if high > 1 else high}
    assert all(survives(number, wide) for number in samples) == holds(wide, narrow)


@pytest.mark.parametrize(
    ("wide", "narrow", "lost"),
    [
        ("float32", "float16", True),
        ("float32", "bfloat16", True),
        ("float16", "bfloat16", True),
        ("bfloat16", "float16", True),
        ("float64", "float32", True),
        ("float16", "float32", False),
        ("bfloat16", "float32", False),
        ("float32", "int32", False),
    ],
)
def test_floats_lose_digits_or_range_in_a_type_that_lacks_either(wide: str, narrow: str, lost: bool) -> None:
    assert lost == rounds(wide, narrow)


def facts_of(text: str) -> Facts:
    return Facts(build(parse(text)))


def test_a_repeat_behind_a_repeat_counts_too() -> None:
    facts = facts_of(
        """
        input x float32[N,4]
        a = Tanh(x)
        b = Tanh(x)
        c = Exp(a)
        d = Exp(b)
        y = Add(c, d)
        output y
        """
    )
    found = [(match.nodes["node"].name, match.nodes["first"].name) for match in repeated_work(facts)]
    assert [("b", "a"), ("d", "c")] == found


def test_settings_that_only_compare_equal_are_not_the_same_setting() -> None:
    facts = facts_of(
        "input x float32[N,4]\na = Clip(x) min=0.0 max=1.0\nb = Clip(x) min=0.0 max=2.0\n"
        "y = Add(a, b)\noutput y"
    )
    assert [] == list(repeated_work(facts))


def test_bytes_of_unread_tensors_count_by_their_type() -> None:
    facts = facts_of(
        "input x float32[N,4]\na = Constant() | value float16[10]\nb = Constant() | value int64[2,2]\n"
        "y = Relu(x)\noutput y"
    )
    (match,) = unread_tensors(facts)
    assert (2, 52, "b") == (match.values["count"], match.values["bytes"], match.nodes["node"].name)


def test_quantized_weights_are_no_work_that_could_be_folded() -> None:
    facts = facts_of(
        """
        input x float32[N,8]
        w = Constant() | value int8[8,4]
        s = Constant() | value float32[4]
        d = DequantizeLinear(w, s)
        y = MatMul(x, d)
        output y
        """
    )
    assert [] == list(constant_work(facts))


def test_pads_are_told_per_spatial_axis_also_across_a_change_of_layout() -> None:
    facts = facts_of(
        """
        input x float32[N,8,6,3]
        p = Pad(x) pads=((0,0),(1,2),(0,3),(0,0))
        t = Transpose(p) perm=(0,3,1,2)
        c = Conv(t) filters=4 kernel=(3,3) channel_axis=1
        output c
        """
    )
    (match,) = separate_pads(facts)
    assert ((1, 2), (0, 3)) == match.values["pads"]


def test_layers_whose_weights_are_not_known_are_not_the_same() -> None:
    facts = Facts(
        parse("input x float32[N,?]\na = Dense(x) units=4\nb = Dense(x) units=4\ny = Add(a, b)\noutput y")
    )
    assert [] == list(repeated_work(facts))
