"""Padding masks, order of words, last steps."""

from __future__ import annotations

import inspect
from textwrap import dedent

import pytest

from archlint.facts import Facts
from archlint.graph import parse
from archlint.ops import build


def facts_of(text):
    return Facts(build(parse(dedent(text))))


def lost(text):
    return [(mask.maker.name, mask.dropper.name, mask.user.name) for mask in facts_of(text).lost_masks]


EMBEDDED = """
    model m producer="keras 3.15.1"
    input words int32[N,50]
    e = Embedding(words) input_dim=100 output_dim=16 mask_zero=true
"""


@pytest.mark.parametrize(
    "layer",
    [
        "Dense(e) units=8",
        "LayerNormalization(e)",
        "BatchNormalization(e)",
        "Dropout(e) rate=0.1",
        "Relu(e)",
        "MultiHeadAttention(e, e) num_heads=2 key_dim=8 value_dim=8",
        "LSTM(e) units=8 return_sequences=true",
        "Conv(e) filters=8 kernel=(3) time_distributed=true",
    ],
)
def test_layers_that_support_masks_hand_them_on(layer):
    assert [] == lost(EMBEDDED + f"    y = {layer}\n    l = LSTM(y) units=4\n    output l")


@pytest.mark.parametrize(
    "layer",
    [
        "Conv(e) filters=8 kernel=(3)",
        "MaxPool(e) kernel=(2)",
        "Transpose(e) perm=(0,2,1)",
        "Reshape(e) shape=(0,25,32)",
        "RMSNormalization(e)",
    ],
)
def test_other_layers_drop_them(layer):
    found = lost(EMBEDDED + f"    y = {layer}\n    l = LSTM(y) units=4\n    output l")
    assert [("e", "y", "l")] == found


def test_a_mask_that_was_used_cannot_be_lost():
    assert [] == lost(
        EMBEDDED
        + "    l = LSTM(e) units=4\n    r = Reshape(l) shape=(0,2,2)\n    f = Flatten(r)\n    output f"
    )


def test_keras_2_kept_the_mask_of_one_summand():
    text = (
        EMBEDDED
        + "    q = Embedding(words) input_dim=9 output_dim=16\n    s = Add(e, q)\n"
        + "    l = LSTM(s) units=4\n    output l"
    )
    assert [("e", "s", "l")] == lost(text)
    assert [] == lost(text.replace("keras 3.15.1", "keras 2.15.0"))


def test_what_a_stranger_does_with_a_mask_is_unknown():
    assert [] == lost(EMBEDDED + "    u = Unknown(e)\n    f = Flatten(u)\n    output f")


BLIND = """
    input words int32[N,50]
    e = Embedding(words) input_dim=100 output_dim=16
    {extra}
    a = MultiHeadAttention({x}, {x}) num_heads=2 key_dim=8 value_dim=8
    p = GlobalAveragePool(a)
    output p
"""


@pytest.mark.parametrize(
    ("extra", "x", "count"),
    [
        ("", "e", 1),
        ("n = LayerNormalization(e)", "n", 1),
        ("t = Constant() | value float32[16]\n    s = Add(e, t)", "s", 1),
        ("t = Constant() | value float32[50,16]\n    s = Add(e, t)", "s", 0),
        ("s = Conv(e) filters=16 kernel=(3) padding=same", "s", 0),
        ("s = Conv(e) filters=16 kernel=(1)", "s", 0),
        ("s = GRU(e) units=16 return_sequences=true", "s", 0),
        ("s = Unknown(e)", "s", 0),
    ],
)
def test_attention_is_blind_until_something_tells_positions_apart(extra, x, count):
    assert count == len(facts_of(BLIND.format(extra=extra, x=x)).blind_attentions)


def picks(tail, layer="LSTM(x) units=4 return_sequences=true"):
    facts = facts_of(f"input x float32[N,20,8]\nl = {layer}\n{dedent(tail)}")
    return facts.last_step_picks(facts.graph.by_name["l"])


def test_the_last_step_is_found_behind_moves_of_the_axes():
    tail = "t = Transpose(l) perm=(1,0,2)\ns = Slice(t) starts=(-1) ends=(2147483647) axes=(0)\noutput s"
    assert ["s"] == [node.name for node in picks(tail)]


@pytest.mark.parametrize(
    "tail",
    [
        "s = Slice(l) starts=(-2) ends=(2147483647) axes=(1)\noutput s",
        "s = Slice(l) starts=(-1) ends=(-5) axes=(1)\noutput s",
        "s = Slice(l) starts=(-1) ends=(2147483647) axes=(1)\noutput s l",
        "d = Dense(l) units=2\noutput d",
        "output l",
    ],
)
def test_anything_but_the_last_step_is_none(tail):
    assert picks(tail) is None


@pytest.mark.oracle
def test_the_table_of_masks_is_that_of_keras():
    keras = pytest.importorskip("keras")
    from archlint.facts.masks import DROPS

    classes = {
        "Conv1D": "Conv",
        "MaxPooling1D": "MaxPool",
        "AveragePooling1D": "AveragePool",
        "Permute": "Transpose",
    }
    classes |= {"GlobalMaxPooling1D": "GlobalMaxPool", "ZeroPadding1D": "Pad", "UpSampling1D": "Resize"}
    classes |= {
        name: name for name in ("Flatten", "Reshape", "RepeatVector", "EinsumDense", "RMSNormalization")
    }
    classes |= {"Conv1DTranspose": "ConvTranspose"}
    assert set(classes.values()) == set(DROPS)
    for name in classes:
        assert not _supports(getattr(keras.layers, name)), name
    for name in (
        "Dense",
        "LayerNormalization",
        "Dropout",
        "Add",
        "Concatenate",
        "LSTM",
        "MultiHeadAttention",
    ):
        assert _supports(getattr(keras.layers, name)), name


def _supports(cls):
    known = {
        "filters": 2,
        "kernel_size": 3,
        "units": 2,
        "rate": 0.1,
        "num_heads": 2,
        "key_dim": 2,
        "n": 2,
        "pool_size": 2,
    }
    known |= {"target_shape": (-1,), "dims": (2, 1), "equation": "abc,cd->abd", "output_shape": (None, 2)}
    needed = [
        name
        for name, parameter in inspect.signature(cls.__init__).parameters.items()
        if name in known and parameter.default is inspect.Parameter.empty
    ]
    return bool(cls(**{name: known[name] for name in needed}).supports_masking)
