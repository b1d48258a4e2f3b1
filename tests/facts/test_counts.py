"""Parameters, multiply-accumulates and bytes of whole models."""

from __future__ import annotations

import pytest

from archlint.facts import Facts
from archlint.graph import parse
from archlint.ops import build

TUTORIAL = """
    input image float32[N,224,224,3]
    c1 = Conv(image) filters=32 kernel=(3,3)
    r1 = Relu(c1)
    c2 = Conv(r1) filters=32 kernel=(3,3)
    r2 = Relu(c2)
    p1 = MaxPool(r2) kernel=(2,2) strides=(2,2)
    b1 = BatchNormalization(p1)
    c3 = Conv(b1) filters=64 kernel=(3,3)
    r3 = Relu(c3)
    c4 = Conv(r3) filters=64 kernel=(3,3)
    r4 = Relu(c4)
    p2 = MaxPool(r4) kernel=(2,2) strides=(2,2)
    b2 = BatchNormalization(p2)
    {head}
    drop = Dropout(flat) rate=0.3
    d1 = Dense(drop) units=64
    a1 = Relu(d1)
    d2 = Dense(a1) units=32
    a2 = Relu(d2)
    d3 = Dense(a2) units=10
    y = Softmax(d3)
    output y
"""


def facts_of(text: str) -> Facts:
    return Facts(build(parse(text)))


def test_the_tutorial_model_has_11_574_090_parameters() -> None:
    facts = facts_of(TUTORIAL.format(head="flat = Flatten(b2)"))
    assert facts.params == 11_574_090
    assert facts.params_of(facts.graph.by_name["d1"]) == 11_505_728
    assert facts.params - facts.trainable_params == 2 * (32 + 64)
    assert facts.params_exact


def test_global_pooling_leaves_72_522_of_them() -> None:
    assert facts_of(TUTORIAL.format(head="flat = GlobalAveragePool(b2)")).params == 72_522


def test_shared_weights_are_counted_once() -> None:
    facts = facts_of("""
        input x float32[N,3]
        a = Dense<Dense fc>(x) units=3
        b = Dense<Dense fc>(a) units=3
        output b
    """)
    assert [facts.params_of(node) for node in facts.graph.nodes] == [12, 12]
    assert facts.params == 12
    assert facts.macs == 18


def test_only_tensors_of_numbers_count_as_parameters() -> None:
    facts = facts_of("""
        input x float32[N,3]
        axes = Constant() | value int64[4]
        scale = Constant() | value float32[]
        position = Constant() | value float32[3]
        y = Add(x, position)
        output y
    """)
    assert facts.params == 3


def test_parameters_of_an_unknown_node_count_when_the_file_has_them() -> None:
    with_weights = facts_of("input x float32[N,3]\ny = Unknown(x) | w float32[5,2]\noutput y")
    without = facts_of("input x float32[N,3]\ny = Unknown(x)\noutput y")
    assert (with_weights.params, with_weights.params_exact) == (10, True)
    assert (without.params, without.params_exact) == (0, False)
    assert without.params_of(without.graph.nodes[0]) is None


def test_parameters_inside_bodies_count() -> None:
    facts = facts_of("""
        input c bool[]
        input x float32[N,4]
        y = If(c)
          body then_branch
            a = Dense(x) units=2 | kernel float32[4,2]
            output a
          body else_branch
            b = Dense(x) units=2 | kernel float32[4,2] @shared
            output b
        output y
    """)
    assert facts.params == 16
    # The dearest branch is what it costs.
    assert facts.macs == 8


def test_a_loop_costs_its_body_once_per_step() -> None:
    text = """
        input x float32[1,4]
        input data int64[]
        m = Constant() | value int64[] =(5)
        y = Loop({steps}, _, x)
          body body
            input i int64[]
            input go bool[]
            input s float32
            n = Dense(s) units=4
            output go n
        output y
    """
    assert facts_of(text.format(steps="m")).macs == 5 * 16
    assert facts_of(text.format(steps="data")).macs is None


def test_a_scan_costs_its_body_once_per_step() -> None:
    facts = facts_of("""
        input h float32[1,4]
        input x float32[6,1,4]
        last = Scan(h, x) num_scan_inputs=1
          body body
            input a float32
            input b float32
            s = Add(a, b)
            d = Dense(s) units=4
            output d
        output last
    """)
    assert facts.macs == 6 * 16


def test_an_unknown_node_leaves_the_total_unknown_but_not_the_rest() -> None:
    facts = facts_of("""
        input x float32[N,3]
        a = Dense(x) units=5
        y = Unknown(a)
        output y
    """)
    assert facts.macs is None
    assert facts.macs_known == 15


def test_bytes_of_a_value_are_those_of_one_sample() -> None:
    facts = facts_of("input x float16[8,6,6,3]\ny = Relu(x)\noutput y")
    assert facts.activation_bytes_of("y") == 6 * 6 * 3 * 2


def test_the_peak_is_where_most_values_live_at_once() -> None:
    # In floats: x 4, a 8, b 8, c 16; a is read again for c, so b cannot take its memory.
    facts = facts_of("""
        input x float32[N,4]
        a = Dense(x) units=8
        b = Relu(a)
        c = Concat(a, b) axis=1
        d = Dense(c) units=2
        output d
    """)
    assert facts.activation_peak == (8 + 8 + 16) * 4
    assert facts.activation_peak_at is facts.graph.by_name["c"]


def test_reshapes_and_dropout_share_the_memory_of_their_input() -> None:
    facts = facts_of("""
        input x float32[N,4,4]
        f = Flatten(x)
        d = Dropout(f) rate=0.5
        y = Relu(d)
        output y
    """)
    # x belongs to the caller, so y does not write over it.
    assert facts.activation_peak == (16 + 16) * 4


@pytest.mark.parametrize(
    "line",
    [
        "b = Relu(a)",
        "b = BatchNormalization(a)",
        "b = Add(a, a)",
    ],
)
def test_an_elementwise_node_writes_over_what_nothing_reads_after_it(line: str) -> None:
    facts = facts_of(f"""
        input x float32[N,4]
        a = Dense(x) units=100
        {line}
        d = Dense(b) units=2
        output d
    """)
    assert facts.activation_peak == (100 + 4) * 4


@pytest.mark.parametrize(
    "line",
    [
        "b = Dense(a) units=100",
        "b = Softmax(a)",
        "b = Cast(a) to=int32",
    ],
)
def test_other_nodes_have_memory_of_their_own(line: str) -> None:
    graph = f"input x float32[N,4]\na = Dense(x) units=100\n{line}\nd = Dense(b) units=2\noutput d"
    assert facts_of(graph).activation_peak == (100 + 100) * 4


def test_an_output_of_the_model_is_not_written_over() -> None:
    graph = "input x float32[N,4]\na = Dense(x) units=100\nb = Relu(a)\noutput a b"
    assert facts_of(graph).activation_peak == (100 + 100) * 4


def test_a_skip_connection_keeps_its_value_alive() -> None:
    facts = facts_of("""
        input x float32[N,10]
        a = Relu(x)
        b = Relu(a)
        c = Relu(b)
        y = Add(c, x)
        output y
    """)
    # c takes the memory of b, b that of a, and y that of c; x stays.
    assert facts.activation_peak == 2 * 40


def test_the_peak_is_unknown_when_a_size_is() -> None:
    assert facts_of("input x float32[N,?]\ny = Relu(x)\noutput y").activation_peak is None


@pytest.mark.parametrize("batch", ["N", "?", "1", "8"])
def test_what_is_folded_into_the_batch_axis_counts(batch: str) -> None:
    # 3 heads of 7 × 7 positions of 4 features: 2 · 3 · 7 · 7 · 4 multiply-adds a sample.
    rows = f"{batch}" if batch.isdigit() else "-1"
    heads = str(3 * int(batch)) if batch.isdigit() else "-1"
    facts = facts_of(f"""
        input x float32[{batch},3,7,4]
        q = Reshape(x) shape=({heads},7,4)
        k = Transpose(q) perm=(0,2,1)
        s = MatMul(q, k)
        m = MatMul(s, q)
        y = Reshape(m) shape=({rows},3,7,4)
        output y
    """)
    assert facts.macs == 2 * 3 * 7 * 7 * 4


def test_steps_on_the_first_axis_count() -> None:
    facts = facts_of("""
        input x float32[N,7,3]
        t = Transpose(x) perm=(1,0,2)
        d = Dense(t) units=5
        y = LSTM(d) units=4 time_axis=0
        output y
    """)
    assert facts.macs == 7 * 3 * 5 + 7 * 4 * 4 * (5 + 4)


def test_how_much_data_folds_into_the_batch_may_be_unknown() -> None:
    facts = facts_of("""
        input x float32[N,7,3]
        i = NonZero(x)
        t = Transpose(i) perm=(1,0)
        f = Cast(t) to=float32
        y = Dense(f) units=5
        output y
    """)
    assert facts.macs is None
