"""The expression language: what it computes, what it refuses, and unknown as a value."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archlint.engine.expr import compile_expr
from archlint.engine.scene import ExprError, Names, Scene
from archlint.engine.values import UNKNOWN, EvaluationError
from archlint.facts import Facts
from archlint.graph import parse
from archlint.ops import build

GRAPH = build(
    parse(
        """
loss categorical_crossentropy from_logits=true
input x float32[N,32,32,3]
input free float32[N,?,?,3]
c = Conv(x) filters=8 kernel=(3,3) strides=(2,2)
u = Conv(free) filters=8 kernel=(3,3)
d = Dense(c) units=10
output d u
"""
    )
)
CONV = frozenset({"Conv"})
NAMES = Names({"c": CONV, "u": CONV, "d": frozenset({"Dense"})}, {}, {"limit": "number"})


def evaluate(text):
    scene = Scene(Facts(GRAPH), GRAPH.by_name, {}, {"limit": 5})
    return compile_expr(text, NAMES).evaluate(scene)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("c.params", 3 * 3 * 3 * 8 + 8),
        ("c.params / model.params", 224 / 538),
        ("c.strides", (2, 2)),
        ("c.dilations", ()),
        ("d.units + options.limit * 2 - 1", 19),
        ("7 // 2 + 7 % 2", 4),
        ("-d.units", -10),
        ("1 < options.limit < 10", True),
        ("1 < options.limit < 5", False),
        ("'Conv' == c.op", True),
        ("c.op in ['Dense', 'Conv']", True),
        ("c.op not in ['Dense', 'Conv']", False),
        ("none is none", True),
        ("[k for k in c.kernel if k > 2]", (3, 3)),
        ("any([s > r for s, r in zip(c.steps, c.kernel_reach)])", False),
        ("sum([k for k in c.kernel]) + prod(c.kernel)", 15),
        ("c.in_shape[1:]", (32, 32, 3)),
        ("dim(c.in_shape, -1)", 3),
        ("rank(c.in_shape)", 4),
        ("max(1, 2) + min([3, 4])", 5),
        ("count([k == 3 for k in c.kernel])", 2),
        ("glob('block1_conv', 'block*')", True),
        ("join(['a', 'b'], '+')", "a+b"),
        ("lower('ABC')", "abc"),
        ("'big' if d.units > 5 else 'small'", "big"),
        ("model.loss.from_logits", True),
        ("[loss.name for loss in model.losses]", ("categorical_crossentropy",)),
        ("unique([1, 1, 2])", (1, 2)),
        ("round(2.567, 1)", 2.6),
    ],
)
def test_an_expression_has_this_value(text, value):
    assert value == pytest.approx(evaluate(text)) if isinstance(value, float) else value == evaluate(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("u.in_shape[1] > 3", UNKNOWN),
        ("u.in_shape[1] == u.in_shape[1]", UNKNOWN),
        ("u.in_shape[1] + 1", UNKNOWN),
        ("u.in_shape[3] == 3", True),
        ("u.in_shape[9]", UNKNOWN),
        ("u.in_shape[1] > 3 or true", True),
        ("u.in_shape[1] > 3 and false", False),
        ("u.in_shape[1] > 3 and true", UNKNOWN),
        ("not (u.in_shape[1] > 3)", UNKNOWN),
        ("any([n > 2 for n in u.in_shape])", True),
        ("all([n > 2 for n in u.in_shape])", UNKNOWN),
        ("3 in u.in_shape", True),
        ("4 in u.in_shape", UNKNOWN),
        ("known(u.in_shape)", False),
        ("known(u.in_shape[3])", True),
        ("prod(u.in_shape)", UNKNOWN),
        ("1 if u.in_shape[1] > 3 else 2", UNKNOWN),
        ("1 / 0", UNKNOWN),
        ("none > 1", UNKNOWN),
        ("none == 1", False),
    ],
)
def test_unknown_flows_as_in_three_valued_logic(text, value):
    result = evaluate(text)
    assert value is result


@pytest.mark.parametrize(
    ("text", "words", "advice"),
    [
        ("c.parms > 1", "'c' has no fact 'parms'", "did you mean 'params'?"),
        ("dd.params", "unknown name 'dd'", "did you mean 'd'?"),
        ("d.strides", "'d' has no fact 'strides'", "it is a setting of other ops"),
        ("options.limt", "no option 'limt'", "did you mean 'limit'?"),
        ("model.parms", "'model' has no fact 'parms'", "did you mean 'params'?"),
        ("model", "'model' is not a value by itself", ""),
        ("lenn(c.kernel)", "no function 'lenn'", "did you mean 'len'?"),
        ("len()", "called as len(xs)", ""),
        ("c.params.bit_length", "has no facts", ""),
        ("c.op.upper()", "only functions of the rule language can be called", ""),
        ("(lambda: 1)()", "only functions of the rule language can be called", ""),
        ("lambda: 1", "a lambda cannot be used", ""),
        ("2 ** 9", "only + - * / // % can be used", ""),
        ("__import__('os')", "no function '__import__'", ""),
        ("c.__class__", "no fact '__class__'", ""),
        ("[a for a in c.kernel for b in c.kernel]", "one 'for'", ""),
        ("[c for c in c.kernel]", "hides another name", ""),
        ("f'{c.op}'", "an f-string cannot be used", ""),
        ("c.params >", "this is not an expression", ""),
        ("c.kernel[::2]", "a slice has no step", ""),
        ("(" * 300 + "1" + ")" * 300, "not an expression", ""),
        ("-" * 200 + "1", "nests at most", ""),
        ("1" + " + 1" * 400, "at most 1000 characters", ""),
    ],
)
def test_what_is_not_in_the_language_is_refused_when_loaded(text, words, advice):
    with pytest.raises(ExprError) as caught:
        compile_expr(text, NAMES)
    assert words in caught.value.what
    assert advice in caught.value.advice


def test_the_position_of_a_mistake_is_that_of_the_wrong_word():
    with pytest.raises(ExprError) as caught:
        compile_expr("c.params > options.limt", NAMES)
    assert (19, 4) == (caught.value.at, caught.value.length)


@pytest.mark.parametrize(
    "text",
    [
        "sum([sum([sum([1 for a in range(99)]) for b in range(99)]) for z in range(99)])",
        "range(99999)",
        "prod([9999999 for a in range(9000)])",
        "'a' < 1",
        "c.op + 1",
        "any([1])",
        "c.params and true",
    ],
)
def test_what_makes_no_sense_or_takes_too_long_is_a_fault_of_the_rule(text):
    with pytest.raises(EvaluationError):
        evaluate(text)


TRUTHS = st.sampled_from([True, False, UNKNOWN])
WORDS = {True: "true", False: "false", UNKNOWN: "unknown"}


@given(TRUTHS, TRUTHS)
def test_and_or_and_not_follow_de_morgan_with_unknown(left, right):
    a, b = WORDS[left], WORDS[right]
    assert evaluate(f"not ({a} and {b})") is evaluate(f"not {a} or not {b}")
    assert evaluate(f"{a} or {b}") is evaluate(f"{b} or {a}")


@given(st.text(alphabet="abcdm.()[]+-*/<>=' 1,model.paramsoptions", max_size=60))
def test_any_text_is_either_compiled_or_refused(text):
    with contextlib.suppress(ExprError):
        assert compile_expr(text, NAMES).text == text
