"""The weights that Keras creates, by hand: role, shape, and whether training changes them."""

from __future__ import annotations

import pytest

from archlint.graph import parse
from archlint.ops import build

ROWS = [
    ("Conv(a) filters=8 kernel=(3,3)", "N,6,6,4", "kernel 3,3,4,8 | bias 8"),
    ("Conv(a) filters=8 kernel=(3,3) groups=2 use_bias=false", "N,6,6,4", "kernel 3,3,2,8"),
    ("Conv(a) filters=4 kernel=(3,3) groups=4 channel_axis=1", "N,4,6,6", "kernel 3,3,1,4 | bias 4"),
    ("ConvTranspose(a) filters=8 kernel=(3,3)", "N,6,6,4", "kernel 3,3,8,4 | bias 8"),
    ("Dense(a) units=5", "N,7,3", "kernel 3,5 | bias 5"),
    (
        'EinsumDense(a) equation="abc,cde->abde" output_shape=(none,2,5) bias_axes=de',
        "N,7,3",
        "kernel 3,2,5 | bias 2,5",
    ),
    (
        'EinsumDense(a) equation="abc,cd->abd" output_shape=(7,5) bias_axes=b',
        "N,7,3",
        "kernel 3,5 | bias 7,1",
    ),
    ("Embedding(a) input_dim=10 output_dim=4", "N,7", "embeddings 10,4"),
    (
        "BatchNormalization(a)",
        "N,7,3",
        "gamma 3 | beta 3 | moving_mean 3 frozen | moving_variance 3 frozen",
    ),
    (
        "BatchNormalization(a) scale=false channel_axis=1",
        "N,7,3",
        "beta 7 | moving_mean 7 frozen | moving_variance 7 frozen",
    ),
    ("BatchNormalization(a) folded=true center=false", "N,7,3", "gamma 3"),
    ("LayerNormalization(a) axes=(1,2)", "N,7,3", "gamma 7,3 | beta 7,3"),
    ("GroupNormalization(a) groups=3", "N,7,6", "gamma 6 | beta 6"),
    ("PRelu(a) shared_axes=(1,2)", "N,7,6,3", "alpha 1,1,3"),
    ("Normalization(a)", "N,7,3", "mean 3 frozen | variance 3 frozen | count  frozen"),
    ("LSTM(a) units=5", "N,7,3", "kernel 3,20 | recurrent_kernel 5,20 | bias 20"),
    ("GRU(a) units=5", "N,7,3", "kernel 3,15 | recurrent_kernel 5,15 | bias 2,15"),
    ("GRU(a) units=5 reset_after=false", "N,7,3", "kernel 3,15 | recurrent_kernel 5,15 | bias 15"),
    (
        "RNN(a) units=5 direction=bidirectional use_bias=false",
        "N,7,3",
        "forward_kernel 3,5 | forward_recurrent_kernel 5,5 | "
        "backward_kernel 3,5 | backward_recurrent_kernel 5,5",
    ),
    (
        "ConvLSTM(a) filters=4 kernel=(3,3)",
        "N,5,8,8,3",
        "kernel 3,3,3,16 | recurrent_kernel 3,3,4,16 | bias 16",
    ),
    (
        "MultiHeadAttention(a, a) num_heads=2 key_dim=8 value_dim=4",
        "N,7,16",
        "query_kernel 16,2,8 | query_bias 2,8 | key_kernel 16,2,8 | key_bias 2,8 | value_kernel 16,2,4 | "
        "value_bias 2,4 | output_kernel 2,4,16 | output_bias 16",
    ),
    (
        "GroupedQueryAttention(a, a) head_dim=8 num_query_heads=4 num_key_value_heads=2 use_bias=false",
        "N,7,16",
        "query_kernel 16,4,8 | key_kernel 16,2,8 | value_kernel 16,2,8 | output_kernel 4,8,16",
    ),
    (
        "MultiHeadAttention(a, a) num_heads=2 key_dim=8 value_dim=4 use_bias=false use_gate=true",
        "N,7,16",
        "query_kernel 16,2,8 | key_kernel 16,2,8 | gate_kernel 16,2,4 | value_kernel 16,2,4 | "
        "output_kernel 2,4,16",
    ),
    ("Conv(a) filters=8 kernel=(3,3) time_distributed=true", "N,T,6,6,4", "kernel 3,3,4,8 | bias 8"),
    ("Relu(a)", "N,7", ""),
]


@pytest.mark.parametrize(("line", "source", "expected"), ROWS)
def test_weights(line: str, source: str, expected: str) -> None:
    node = build(parse(f"input a float32[{source}]\ny = {line}\noutput y")).nodes[0]
    found = [
        f"{param.role} {','.join(map(str, param.shape or ()))}{'' if param.trainable else ' frozen'}"
        for param in node.params
    ]
    assert expected == " | ".join(found)


def test_calls_of_one_layer_share_their_params() -> None:
    graph = build(
        parse("""
            input a float32[N,3]
            x = Dense<Dense model fc>(a) units=3
            y = Dense<Dense model fc>(x) units=3
            output y
        """)
    )
    first, second = graph.nodes
    assert first.params == second.params
    assert first.params[0].name == "model/fc/kernel"


def test_a_node_without_an_address_names_its_params_after_itself() -> None:
    graph = build(parse("input a float32[N,3]\ny = Dense(a) units=2\noutput y"))
    assert [param.name for param in graph.nodes[0].params] == ["y/kernel", "y/bias"]


def test_params_that_are_stated_stay_as_they_are() -> None:
    graph = parse("input a float32[N,3]\ny = Dense(a) units=2 | kernel float16[2,3]\noutput y")
    assert build(graph) == graph


def test_a_weight_is_of_unknown_shape_when_its_input_is() -> None:
    graph = build(parse("input a float32[N,?]\ny = Dense(a) units=2\noutput y"))
    assert [param.shape for param in graph.nodes[0].params] == [None, (2,)]
