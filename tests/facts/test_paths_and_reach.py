"""Looking through nodes, reachability, heads, and what lies up- and downstream."""

from __future__ import annotations

import pytest

from archlint.facts import Facts
from archlint.graph import parse
from archlint.ops import build


def facts_of(text: str) -> Facts:
    return Facts(build(parse(text)))


def names(nodes: object) -> list[str]:
    return [node.name for node in nodes]  # type: ignore[attr-defined]


LAYOUT = """
    input x float32[N,6,6,3]
    t = Transpose(x) perm=(0,3,1,2)
    i = Identity(t)
    h = Cast(i) to=float16
    c = Conv(h) filters=4 kernel=(3,3) channel_axis=1
    back = Transpose(c) perm=(0,2,3,1)
    r = Relu(back)
    output r
"""


def test_converter_transposes_identities_and_float_casts_are_looked_through() -> None:
    facts = facts_of(LAYOUT)
    assert facts.source("h") == "x"
    assert facts.source("back") == "c"
    assert names(facts.users("x")) == ["c"]
    assert facts.single_user("c") is facts.graph.by_name["r"]
    assert facts.maker("back") is facts.graph.by_name["c"]
    assert facts.maker("x") is None


@pytest.mark.parametrize(
    "line",
    [
        "t = Transpose(x) perm=(0,2,1,3)",
        "t = Cast(x) to=int32",
        "t = Reshape(x) shape=(0,6,6,3)",
        "t = Dropout(x) rate=0.5",
    ],
)
def test_what_changes_the_elements_or_their_meaning_is_not_looked_through(line: str) -> None:
    facts = facts_of(f"input x float32[N,6,6,3]\n{line}\ny = Relu(t)\noutput y")
    assert facts.source("t") == "t"
    assert names(facts.users("x")) == ["t"]


def test_a_value_that_is_also_an_output_has_no_single_user() -> None:
    facts = facts_of("input x float32[N,3]\na = Relu(x)\ni = Identity(a)\ny = Relu(a)\noutput y i")
    assert names(facts.users("a")) == ["y"]
    assert facts.reaches_output("a")
    assert facts.single_user("a") is None


def test_two_readers_are_no_single_user() -> None:
    facts = facts_of(
        "input x float32[N,3]\na = Relu(x)\nb = Tanh(a)\nc = Sigmoid(a)\nd = Add(b, c)\noutput d"
    )
    assert names(facts.users("a")) == ["b", "c"]
    assert facts.single_user("a") is None


DEAD = """
    input x float32[N,3]
    input unused float32[N,3]
    a = Relu(x)
    b = Tanh(a)
    c = Exp(b)
    k = Constant() | value float32[3]
    y = Sigmoid(a)
    output y
"""


def test_nodes_and_inputs_that_reach_no_output_are_dead() -> None:
    facts = facts_of(DEAD)
    assert names(facts.dead_nodes) == ["b", "c"]
    assert facts.unused_inputs == ("unused",)
    assert facts.is_dead(facts.graph.by_name["c"])
    assert not facts.is_dead(facts.graph.by_name["a"])


def test_an_input_that_only_feeds_dead_nodes_is_unused() -> None:
    facts = facts_of("input x float32[N]\ninput z float32[N]\nd = Relu(z)\ny = Relu(x)\noutput y")
    assert facts.unused_inputs == ("z",)


def test_what_a_body_captures_is_used() -> None:
    facts = facts_of("""
        input c bool[]
        input x float32[N,4]
        a = Relu(x)
        y = If(c)
          body then_branch
            b = Tanh(a)
            output b
          body else_branch
            output a
        output y
    """)
    assert facts.dead_nodes == ()
    assert facts.unused_inputs == ()


def test_an_input_that_masks_are_made_of_is_used() -> None:
    head = 'model m mask_inputs=("z")'
    facts = facts_of(head + "\ninput x float32[N]\ninput z bool[N]\ny = Relu(x)\noutput y")
    assert facts.unused_inputs == ()


def test_an_input_that_is_an_output_is_used() -> None:
    assert facts_of("input x float32[N]\noutput x").unused_inputs == ()


HEADS = [
    ("d = Dense(x) units=10\ny = Softmax(d)", "", "softmax", 10, "classification"),
    ("d = Dense(x) units=1\ny = Sigmoid(d)", "", "sigmoid", 1, "classification"),
    ("y = Dense(x) units=4", "", "linear", 4, None),
    ("y = Dense(x) units=4", "loss mse", "linear", 4, "regression"),
    (
        "y = Dense(x) units=4",
        "loss categorical_crossentropy from_logits=true",
        "linear",
        4,
        "classification",
    ),
    ("d = Dense(x) units=4\nr = Dropout(d) rate=0.5\ny = Identity(r)", "", "linear", 4, None),
    ("d = Dense(x) units=4\ny = Tanh(d)", "", "other", 4, None),
    ("u = Unknown(x)\ny = Softmax(u)", "", "unknown", None, None),
    ("d = Dense(x) units=4\ne = Relu(d)\ny = Add(d, e)", "", "unknown", None, None),
    ("d = Dense(x) units=9\ny = Softmax(d)", "loss mystery custom", "softmax", 9, None),
]


@pytest.mark.parametrize(("lines", "loss", "kind", "width", "task"), HEADS)
def test_head(lines: str, loss: str, kind: str, width: int | None, task: str | None) -> None:
    facts = facts_of(f"{loss}\ninput z float32[N,3]\nx = Relu(z)\n{lines}\noutput y")
    head = facts.head("x")
    assert (kind, width, task) == (head.kind, head.width, head.task)


def test_the_head_of_the_last_node_is_its_own_kind() -> None:
    facts = facts_of("input x float32[N,3]\nd = Dense(x) units=4\ny = Softmax(d)\noutput y")
    assert facts.head(facts.graph.by_name["y"]).kind == "softmax"


def test_the_loss_of_the_right_output_judges_a_head() -> None:
    facts = facts_of("""
        loss mse @0
        loss binary_crossentropy @1
        input x float32[N,3]
        a = Dense(x) units=4
        b = Dense(x) units=1
        output a b
    """)
    assert facts.head("a").task == "regression"
    assert facts.head("b").task == "classification"


def test_convolutions_upstream() -> None:
    facts = facts_of("""
        input x float32[N,6,6,3]
        f0 = Flatten(x)
        d0 = Dense(f0) units=3
        c = Conv(x) filters=4 kernel=(3,3)
        f1 = Flatten(c)
        d1 = Dense(f1) units=3
        y = Add(d0, d1)
        output y
    """)
    after = [node.name for node in facts.graph.nodes if facts.conv_upstream(node)]
    assert after == ["f1", "d1", "y"]


def test_first_learners_after_a_value_pass_norms_and_activations() -> None:
    facts = facts_of("""
        input x float32[N,6,6,3]
        b = BatchNormalization(x)
        r = PRelu(b)
        c = Conv(r) filters=4 kernel=(3,3)
        f = Flatten(r)
        d = Dense(f) units=3
        c2 = Conv(c) filters=4 kernel=(3,3)
        output c2 d
    """)
    assert names(facts.learners_after("x")) == ["c", "d"]


REGIONS = [
    ("a = Dense(x) units=4\ny = Dense(a) units=4", [["a", "y"]]),
    ("a = Dense(x) units=4\nr = Relu(a)\ny = Dense(r) units=4", [["a"], ["y"]]),
    (
        "a = Dense(x) units=4\nd = Dropout(a) rate=0.1\nb = BatchNormalization(d)\ny = Dense(b) units=4",
        [["a", "y"]],
    ),
    ("a = Dense(x) units=4\nb = Dense(x) units=4\ny = Add(a, b)", [["a", "b"]]),
    ("a = Dense(x) units=4\nb = Dense(x) units=4\ny = Mul(a, b)", [["a"], ["b"]]),
    (
        "k = Constant() | value float32[4]\na = Dense(x) units=4\nm = Mul(a, k)\ny = Dense(m) units=4",
        [["a", "y"]],
    ),
    ("a = Dense(x) units=4\ns = Softmax(a)\ny = Dense(s) units=4", [["a"], ["y"]]),
]


@pytest.mark.parametrize(("lines", "expected"), REGIONS)
def test_linear_regions(lines: str, expected: list[list[str]]) -> None:
    facts = facts_of(f"input x float32[N,4]\n{lines}\noutput y")
    assert expected == [names(region) for region in facts.linear_regions]


def test_an_exchange_of_the_last_two_of_three_axes_is_a_real_permute() -> None:
    facts = facts_of("input x float32[N,9,4]\nt = Transpose(x) perm=(0,2,1)\ny = Relu(t)\noutput y")
    assert facts.source("t") == "t"
    assert names(facts.users("x")) == ["t"]


def test_what_is_made_of_stored_tensors_alone_reads_no_input() -> None:
    facts = facts_of("""
        input x float32[N,4]
        w = Constant() | value float32[4]
        a = Abs(w)
        y = Mul(x, a)
        output y
    """)
    assert not facts.reads_input(facts.graph.producers["a"])
    assert facts.reads_input(facts.graph.producers["y"])
