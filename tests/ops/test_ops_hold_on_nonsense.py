"""Whatever a file states, an op answers: with what is known or with unknown, never with a crash."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archlint.facts import Facts
from archlint.graph import Graph, Node, Param, TensorType
from archlint.ops import TABLE, Tensor, build, outputs_of

DIMS = st.one_of(st.integers(-2, 9), st.sampled_from(["N", "T"]), st.none(), st.just(2**62))
SHAPES = st.one_of(st.none(), st.lists(DIMS, max_size=5).map(tuple))
SCALARS = st.one_of(
    st.integers(-3, 9),
    st.booleans(),
    st.none(),
    st.floats(),
    st.sampled_from(["valid", "same", "causal", "bidirectional", "stack", "ab,bc->ac", "...a", "->", "int"]),
)
ATTRS = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4).map(tuple), max_leaves=6)
DTYPES = st.sampled_from(["float32", "int64", "bool", None])
VALUES = st.one_of(
    st.none(), st.lists(st.one_of(st.integers(-3, 9), st.booleans(), st.floats()), max_size=4).map(tuple)
)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """One node of any op with any settings, fed by inputs and constants of any shape."""
    op = TABLE[draw(st.sampled_from(sorted(TABLE)))]
    attrs = {name: draw(ATTRS) for name in op.attrs if draw(st.booleans())}
    if draw(st.integers(0, 9)) == 0:
        attrs["time_distributed"] = True
    inputs, nodes, names = [], [], []
    for index in range(draw(st.integers(0, 4))):
        name = f"x{index}"
        kind = draw(st.integers(0, 3))
        if kind == 0:
            value = draw(VALUES)
            shape = (len(value),) if value is not None else draw(SHAPES)
            param = Param(f"{name}/value", "value", shape, draw(DTYPES), True, value)
            nodes.append(Node(name, "Constant", (), (name,), {}, (param,)))
        elif kind == 1:
            name = ""
        else:
            inputs.append((name, TensorType(draw(DTYPES), draw(SHAPES))))
        names.append(name)
    outputs = tuple(f"y{index}" for index in range(draw(st.integers(0, 4))))
    nodes.append(Node("node", op.name, tuple(names), outputs, attrs))
    after = Node("after", "Relu", outputs[:1], ("z",))
    return Graph("", "", tuple(inputs), (*nodes, after), ("z",))


@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(graphs())
def test_every_op_answers(graph: Graph) -> None:
    facts = Facts(build(graph))
    assert set(facts.tensors) >= set(graph.nodes[-2].outputs)
    for node in facts.graph.nodes:
        assert len(facts.outs(node)) == len(node.outputs)
        macs = facts.macs_of(node)
        assert macs is None or isinstance(macs, int)
        facts.params_of(node)
        facts.head(node)
        facts.conv_upstream(node)
        for value in node.outputs:
            facts.receptive_fields(value)
            facts.axes(value)
            facts.users(value)
    assert facts.activation_peak is None or isinstance(facts.activation_peak, int)
    assert isinstance(facts.spatial_blockers, tuple)
    assert isinstance(facts.linear_regions, tuple)


def test_attention_over_scalars_has_an_unknown_shape() -> None:
    node = Node("a", "Attention", ("q", "k", "v"), ("a",))
    assert outputs_of(node, [Tensor("float32", ())] * 3)[0].shape is None
