"""What keeps the size of an input from being dynamic."""

from __future__ import annotations

import pytest

from archlint.facts import Facts
from archlint.graph import parse
from archlint.ops import build

# lines after c = Conv 3×3 on (N, 32, 32, 3) → blockers as "kind node" or "kind node < maker"
ROWS = [
    ("f = Flatten(c)\ny = Dense(f) units=4", ["features y < f"]),
    ("f = Reshape(c) shape=(0,-1)\nr = Dropout(f) rate=0.5\ny = Dense(r) units=4", ["features y < f"]),
    ("f = Reshape(c) shape=(-1,3600)\ny = Dense(f) units=4", ["reshape f"]),
    ("f = Reshape(c) shape=(0,900,4)\ny = Dense(f) units=4", ["reshape f"]),
    ("f = Reshape(c) shape=(0,-1,4)\ny = Dense(f) units=4", []),
    (
        "f = Flatten(c)\nn = BatchNormalization(f)\ny = Dense(n) units=4",
        ["norm n < f", "features y < f"],
    ),
    ("g = GlobalAveragePool(c)\ny = Dense(g) units=4", []),
    ("g = GlobalAveragePool(c)\nf = Flatten(g)\ny = Dense(f) units=4", []),
    ("r = Resize(c) sizes=(8,8)\nf = Flatten(r)\ny = Dense(f) units=4", []),
    ("r = AdaptiveAveragePool(c) output_size=(2,2)\nf = Flatten(r)\ny = Dense(f) units=4", []),
    ("r = Resize(c) scales=(2.0,2.0)\nf = Flatten(r)\ny = Dense(f) units=4", ["features y < f"]),
    ("y = LayerNormalization(c) axes=(1,2,3)", ["norm y"]),
    ("y = LayerNormalization(c)", []),
    ("y = BatchNormalization(c)", []),
    ("y = PRelu(c)", ["norm y"]),
    ("y = PRelu(c) shared_axes=(1,2)", []),
    ("t = Transpose(c) perm=(0,3,1,2)\ny = Dense(t) units=4", ["features y < t"]),
    (
        "t = Reshape(c) shape=(0,-1,4)\nk = Constant() | value float32[1,900,4]\ny = Add(t, k)",
        ["constant y"],
    ),
    ("k = Constant() | value float32[4]\ny = Add(c, k)", []),
    ("t = Reshape(c) shape=(0,30,-1)\ny = LSTM(t) units=4", ["reshape t", "features y < t"]),
    ("d = Conv(c) filters=4 kernel=(3,3) padding=same\ny = Add(c, d)", []),
    (
        "f = Flatten(c)\na = Dense(f) units=4\nn = LayerNormalization(c) axes=(1,2,3)\n"
        "g = GlobalAveragePool(n)\ny = Add(a, g)",
        ["features a < f", "norm n"],
    ),
]


@pytest.mark.parametrize(("lines", "expected"), ROWS)
def test_blockers(lines: str, expected: list[str]) -> None:
    text = f"input x float32[N,32,32,3]\nc = Conv(x) filters=4 kernel=(3,3)\n{lines}\noutput y"
    facts = Facts(build(parse(text)))
    found = [
        f"{one.kind} {one.node.name}" + (f" < {one.maker.name}" if one.maker else "")
        for one in facts.spatial_blockers
    ]
    assert expected == found


def test_blockers_name_the_axes_of_the_input() -> None:
    facts = Facts(
        build(
            parse("""
                input x float32[N,32,24,3]
                c = Conv(x) filters=4 kernel=(3,3)
                f = Flatten(c)
                y = Dense(f) units=4
                output y
            """)
        )
    )
    assert facts.spatial_inputs == (("x", (1, 2)),)
    assert facts.spatial_blockers[0].origins == (("x", 1), ("x", 2))


@pytest.mark.parametrize("shape", ["N,?,?,3", "N,H,W,3"])
def test_an_input_of_any_size_has_no_blockers(shape: str) -> None:
    text = (
        f"input x float32[{shape}]\nc = Conv(x) filters=4 kernel=(3,3)\ny = LayerNormalization(c) axes=(1,2)"
    )
    facts = Facts(parse(f"{text}\noutput y"))
    assert facts.spatial_inputs == ()
    assert facts.spatial_blockers == ()


def test_a_model_without_convolutions_has_no_spatial_input() -> None:
    facts = Facts(parse("input x float32[N,28,28]\nf = Flatten(x)\ny = Dense(f) units=4\noutput y"))
    assert facts.spatial_inputs == ()


def test_nodes_without_inputs_or_outputs_tie_nothing_and_crash_nothing() -> None:
    text = "input x float32[N,8,8,3]\n= Reshape(x) @r shape=(-1,192)\ny = Relu(x)\noutput y"
    facts = Facts(build(parse(text)))
    bare = Facts(parse("input x float32[N,8,8,3]\nr = Reshape() shape=(-1,192)\ny = Relu(x)\noutput y"))
    assert facts.spatial_blockers == bare.spatial_blockers == ()
