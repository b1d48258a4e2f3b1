"""Edits as values: what they do to a graph and what they refuse."""

import re

import pytest

from archlint.errors import PatchError
from archlint.graph import (
    Made,
    Seal,
    SetInput,
    Splice,
    TensorType,
    all_of_stored,
    apply,
    parse,
    render,
    validate,
)

CHAIN = """input x float32[N,4]
a = Identity(x) -> float32[N,4]
b = Dense(a) units=2
c = Relu(b)
output c
"""


def text_after(*edits):
    graph = apply(parse(CHAIN), edits)
    assert [] == validate(graph)
    return render(graph)


def test_a_node_is_bypassed_and_its_readers_read_what_it_read():
    after = text_after(Splice(frozenset({"a"}), moved={"a": "x"}))
    assert "input x float32[N,4]\nb = Dense(x) units=2\nc = Relu(b)\noutput c\n" == after


def test_a_node_is_put_in_where_its_reader_stands():
    new = parse("input b ?\nd = Dropout(b) rate=0.5\noutput d\n").nodes[0]
    relu = parse("input d ?\nc = Relu(d)\noutput c\n").nodes[0]
    after = text_after(Splice(frozenset({"c"}), (relu, new)))
    assert ["a", "b", "d", "c"] == [line.split(" =")[0] for line in after.splitlines()[1:-1]]


def test_types_that_the_file_declared_are_dropped_since_they_may_be_stale():
    assert "-> float32" not in text_after(SetInput("x", TensorType("float32", ("N", 5))))


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (Splice(frozenset({"z"})), "there is no node 'z'"),
        (Splice(frozenset({"a"})), "nothing makes 'a' any more"),
        (Splice(frozenset({"c"}), moved={"c": "b"}), "'c' is an output of the model"),
        (Splice(frozenset({"c"})), "nothing makes the output 'c'"),
        (Splice(added=parse("input x ?\nb = Relu(x)\noutput b\n").nodes), "would stand twice"),
        (
            Splice(frozenset({"a"}), parse("input c ?\na = Relu(c)\noutput a\n").nodes),
            "would read what it makes",
        ),
        (SetInput("y", TensorType()), "there is no input 'y'"),
        (Seal(), "no stored weight is an input"),
    ],
)
def test_what_would_break_the_graph_is_refused(edit, what):
    with pytest.raises(PatchError, match=re.escape(what)):
        apply(parse(CHAIN), [edit])


def test_a_tensor_made_of_a_made_one_can_be_said_of_what_is_stored():
    first = Splice(tensors={"a": Made(("s",), lambda s: s + 1)})
    second = Splice(tensors={"b": Made(("a", "s"), lambda a, s: 10 * a + s)})
    made = all_of_stored((first, second))[1].tensors["b"]
    assert ("s", "s") == made.sources
    assert 33 == made.compute(2, 3)
