"""The text notation: what it says, what it refuses, and that it loses nothing."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archlint.errors import TextError
from archlint.graph import Graph, Hazard, Node, Origin, Param, Setting, TensorType, Training, parse, render

NAMES = st.text(min_size=1, max_size=8) | st.sampled_from(
    ["_", "?", "12", "->", "-", "a b", "model", "output"]
)
DIMS = st.integers(0, 9) | st.none() | NAMES
SHAPES = st.none() | st.lists(DIMS, max_size=3).map(tuple)
TYPES = st.builds(TensorType, st.none() | st.sampled_from(["float32", "int64"]), SHAPES)
SCALARS = st.integers() | st.floats(allow_nan=False) | st.text(max_size=6) | st.booleans() | st.none()
ATTRS = st.dictionaries(
    NAMES.filter(lambda name: name != "format"),
    st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=5),
    max_size=3,
)
PARAMS = st.builds(
    Param,
    name=NAMES,
    role=NAMES,
    shape=SHAPES,
    dtype=st.none() | st.just("float32"),
    trainable=st.booleans(),
    value=st.none() | st.lists(st.integers() | st.floats(allow_nan=False), max_size=3).map(tuple),
)
HAZARDS = st.builds(Hazard, NAMES, NAMES | st.just(""), ATTRS)
SETTINGS = st.builds(Setting, NAMES, st.none() | st.integers(0, 3), st.booleans(), ATTRS)


@st.composite
def graphs(draw, depth=1):
    nodes, declared = [], {}
    for index in range(draw(st.integers(0, 3))):
        outputs = tuple(f"{name}{index}" for name in draw(st.lists(NAMES, max_size=2, unique=True)))
        bodies = draw(st.lists(st.tuples(NAMES, graphs(depth - 1)), max_size=1)) if depth else []
        node = Node(
            name=draw(NAMES),
            op=draw(NAMES),
            inputs=tuple(draw(st.lists(st.just("") | NAMES, max_size=2))),
            outputs=outputs,
            attrs=draw(ATTRS),
            params=tuple(draw(st.lists(PARAMS, max_size=2))),
            bodies=tuple(bodies),
            origin=draw(st.builds(Origin, NAMES, st.lists(NAMES, max_size=2).map(tuple))),
        )
        nodes.append(node)
        for value in outputs:
            type_ = draw(TYPES)
            if type_ != TensorType():
                declared[value] = type_
    training = st.builds(
        Training,
        st.lists(SETTINGS, max_size=2).map(tuple),
        st.lists(SETTINGS, max_size=1).map(tuple),
        st.none() | SETTINGS,
    )
    return Graph(
        name=draw(NAMES),
        format=draw(st.sampled_from(["", "keras"])),
        inputs=tuple(draw(st.lists(st.tuples(NAMES, TYPES), max_size=2))),
        nodes=tuple(nodes),
        outputs=tuple(draw(st.lists(NAMES, max_size=2))),
        declared=declared,
        training=draw(st.none() | training),
        metadata=draw(ATTRS),
        hazards=tuple(draw(st.lists(HAZARDS, max_size=2))),
    )


@given(graphs())
def test_reading_back_what_was_written_gives_the_same_graph(graph):
    assert graph == parse(render(graph))


def test_a_line_shows_op_attributes_params_and_types():
    text = "fc = Dense<Dense top fc>(x) units=10 | kernel float32[5,10], bias float32[10] frozen"
    node = parse(f"input x float32[N,5]\n{text}\noutput fc\n").nodes[0]
    assert Origin("Dense", ("top", "fc")) == node.origin
    assert {"units": 10} == node.attrs
    assert (
        Param("fc/kernel", "kernel", (5, 10)),
        Param("fc/bias", "bias", (10,), trainable=False),
    ) == node.params


def test_bodies_follow_their_node_indented():
    text = "input c bool[]\ny = If(c)\n  body then_branch\n    z = Relu(c)\n    output z\noutput y\n"
    graph = parse(text)
    assert "z" == graph.nodes[0].bodies[0][1].nodes[0].name
    assert text == render(graph)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("input x float32[N\n", 1, "expected ','"),
        ("a = Relu x\n", 1, "expected '('"),
        ('input x float32[1]\na = Relu(x) k="open\n', 2, "no closing quote"),
        ("a = Relu(x) k=1 k=2\n", 1, "stands twice"),
        ("a = Relu(x)\n   b = Relu(a)\n", 2, "indented more"),
        ("  a = Relu(x)\nb = Relu(a)\n", 2, "indented less"),
        ("a = Relu(x) | kernel float32[1] =word\n", 1, "expected numbers"),
        ("a = Relu(x) ) \n", 1, "expected a name"),
    ],
)
def test_a_line_that_does_not_parse_is_named(text, line, what):
    with pytest.raises(TextError, match=re.escape(what)) as caught:
        parse(text)
    assert line == caught.value.line
