"""Receptive fields by hand, and of networks whose field is published."""

from __future__ import annotations

from math import inf
from pathlib import Path

import pytest

from archlint.facts import Facts
from archlint.formats.base import ModelFile
from archlint.formats.onnx import read
from archlint.graph import parse
from archlint.ops import build

# line after c = Conv 3×3 stride 2 (field 3, jump 2) → smallest, largest, jump along the height
ROWS = [
    ("y = Conv(c) filters=4 kernel=(3,3)", 7, 7, 2),
    ("y = Conv(c) filters=4 kernel=(3,3) dilations=(2,2)", 11, 11, 2),
    ("y = MaxPool(c) kernel=(2,2) strides=(2,2)", 5, 5, 4),
    ("y = Relu(c)", 3, 3, 2),
    ("y = BatchNormalization(c)", 3, 3, 2),
    ("y = Resize(c) scales=(2.0,2.0)", 3, 3, 1),
    ("y = ConvTranspose(c) filters=4 kernel=(4,4) strides=(2,2)", 5, 5, 1),
    ("y = GlobalAveragePool(c)", inf, inf, 2),
    ("y = ReduceMean(c) axes=(1,2)", inf, inf, 2),
    ("f = Flatten(c)\ny = Relu(f)", 3, 3, 2),
    ("f = Flatten(c)\ny = Dense(f) units=4", inf, inf, 2),
    ("d = Conv(c) filters=4 kernel=(3,3) padding=same\ny = Add(c, d)", 3, 7, 2),
    (
        "g = GlobalAveragePool(c) keepdims=true\nh = Conv(g) filters=4 kernel=(1,1)\ns = Sigmoid(h)\n"
        "y = Mul(c, s)",
        3,
        3,
        2,
    ),
    (
        "g = GlobalAveragePool(c) keepdims=true\ny = Add(c, g)",
        3,
        inf,
        2,
    ),
    (
        "t = Reshape(c) shape=(0,-1,4)\ny = MultiHeadAttention(t, t) num_heads=1 key_dim=4",
        inf,
        inf,
        2,
    ),
    ("t = Transpose(c) perm=(0,3,1,2)\ny = MaxPool(t) kernel=(2,2) channel_axis=1", 5, 5, 2),
]


def facts_of(text: str) -> Facts:
    return Facts(build(parse(text)))


@pytest.mark.parametrize(("lines", "smallest", "largest", "jump"), ROWS)
def test_receptive_field(lines: str, smallest: float, largest: float, jump: float) -> None:
    facts = facts_of(
        f"input x float32[N,32,32,3]\nc = Conv(x) filters=4 kernel=(3,3) strides=(2,2)\n{lines}\noutput y"
    )
    field = facts.receptive_field("y")
    assert field is not None
    assert (field.input, field.axes) == ("x", (1, 2))
    assert (smallest, largest, jump) == (field.smallest[0], field.largest[0], field.jump[0])


def test_axes_have_fields_of_their_own() -> None:
    facts = facts_of("input x float32[N,32,32,3]\ny = Conv(x) filters=4 kernel=(3,5) strides=(1,2)\noutput y")
    field = facts.receptive_field("y")
    assert field is not None
    assert (field.largest, field.jump) == ((3, 5), (1, 2))


def test_what_an_unknown_node_sees_is_unknown() -> None:
    facts = facts_of("""
        input x float32[N,32,32,3]
        c = Conv(x) filters=4 kernel=(3,3)
        u = Unknown(c) -> float32[N,30,30,4]
        y = Conv(u) filters=4 kernel=(3,3)
        output y
    """)
    assert facts.receptive_field("y") is None


def test_two_inputs_have_a_field_each() -> None:
    facts = facts_of("""
        input a float32[N,32,32,3]
        input b float32[N,32,32,3]
        c = Conv(a) filters=4 kernel=(3,3) padding=same
        d = Conv(b) filters=4 kernel=(5,5) padding=same
        y = Add(c, d)
        output y
    """)
    assert facts.receptive_field("y") is None
    assert [(field.input, field.largest) for field in facts.receptive_fields("y")] == [
        ("a", (3, 3)),
        ("b", (5, 5)),
    ]


def test_a_model_without_windows_has_no_fields() -> None:
    facts = facts_of("input x float32[N,28,28]\nf = Flatten(x)\ny = Dense(f) units=4\noutput y")
    assert facts.receptive_fields("y") == ()


def test_resnet50_sees_483_pixels() -> None:
    """Araujo, Norris & Sim 2019, distill.pub/2019/computing-receptive-fields, for a stride in the 1×1."""
    lines = [
        "input x float32[N,224,224,3]",
        "c = Conv(x) filters=8 kernel=(7,7) strides=(2,2) padding=same",
        "v0 = MaxPool(c) kernel=(3,3) strides=(2,2) padding=same",
    ]
    last = "v0"
    for stage, blocks in enumerate((3, 4, 6, 3)):
        for block in range(blocks):
            name, stride = f"s{stage}b{block}", 2 if stage and not block else 1
            step = f"strides=({stride},{stride})"
            lines += [
                f"{name}a = Conv({last}) filters=8 kernel=(1,1) {step}",
                f"{name}b = Conv({name}a) filters=8 kernel=(3,3) padding=same",
                f"{name}s = Conv({last}) filters=8 kernel=(1,1) {step}",
                f"{name} = Add({name}b, {name}s)",
            ]
            last = name
    field = facts_of("\n".join([*lines, f"output {last}"])).receptive_field(last)
    assert field is not None
    # Along the shortcuts alone, only the first convolution and the pool look around.
    assert (field.largest[0], field.smallest[0], field.jump[0]) == (483, 11, 32)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        # Strides stand in the 3×3 convolutions: 11 after the first pool, then 3 · 8, 8 + 3 · 16, 16 + 5 · 32
        # and 32 + 2 · 64 more.
        ("light_resnet50", 427),
        # VGG16's 212 to its last pool, and one convolution of 8, 16 and 32 more in the last three stages.
        ("light_vgg19", 268),
    ],
)
def test_published_fields(name: str, field: int) -> None:
    onnx = pytest.importorskip("onnx")
    path = Path(onnx.__file__).parent / "backend/test/data/light" / f"{name}.onnx"
    facts = Facts(read(ModelFile(str(path), "onnx", path.stat().st_size)))
    finite = [
        max(seen.largest)
        for node in facts.graph.nodes
        for seen in facts.receptive_fields(node.outputs[0])
        if inf not in seen.largest and node.op in ("Conv", "MaxPool")
    ]
    assert max(finite) == field


def test_a_gate_that_was_mixed_over_the_places_gives_its_sight_to_each_of_them() -> None:
    """The spatial gating unit of gMLP (arXiv:2105.08050, figure 1): Dense over the tokens, then a product."""
    facts = facts_of("""
        input x float32[N,32,32,3]
        c = Conv(x) filters=8 kernel=(8,8) strides=(8,8)
        t = Reshape(c) shape=(-1,16,8)
        p = Transpose(t) perm=(0,2,1)
        d = Dense(p) units=16
        q = Transpose(d) perm=(0,2,1)
        y = Mul(t, q)
        output y
    """)
    field = facts.receptive_field("y")
    assert field is not None
    assert (inf, inf) == field.largest


def test_tokens_flattened_with_the_batch_are_still_mixed_by_attention() -> None:
    facts = facts_of("""
        input x float32[N,4,8,8]
        c = Conv(x) filters=4 kernel=(3,3) padding=same channel_axis=1
        r = Reshape(c) shape=(0,4,64)
        t = Transpose(r) perm=(0,2,1)
        f = Flatten(t) axis=2
        n = BatchNormalization(f)
        q = Reshape(n) shape=(-1,64,4)
        u = Unsqueeze(q) axes=(1)
        a = Attention(u, u, u)
        output a
    """)
    field = facts.receptive_field("a")
    assert field is not None
    assert field.smallest == (inf, inf)


def test_what_mixes_axes_that_were_lost_sight_of_has_no_field() -> None:
    facts = facts_of("""
        input x float32[N,4,8,8]
        w = Constant() | value float32[4,6]
        c = Conv(x) filters=4 kernel=(3,3) padding=same channel_axis=1
        r = Reshape(c) shape=(0,4,64)
        e = Einsum(r, w) equation="...ji,...jk->...ik"
        output e
    """)
    assert facts.receptive_field("c") is not None
    assert facts.receptive_field("e") is None
