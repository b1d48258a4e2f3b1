"""What must hold for a graph, and the lookups that every fact uses."""

import pytest

from archlint.graph import parse, validate


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("input x ?\ny = Relu(z)\noutput y\n", "reads 'z'"),
        ("input x ?\ny = Relu(x)\ny = Relu(x) @b\noutput y\n", "made twice"),
        ("input x ?\ny = Relu(x) @a\nz = Relu(x) @a\noutput y\n", "two nodes are named 'a'"),
        ("input x ?\noutput y\n", "output 'y'"),
        ("hazard _ here\ninput x ?\noutput x\n", "at 'here' is of no kind"),
        ("input x ?\ninput x ?\noutput x\n", "input 'x' stands twice"),
        ("input x ?\ny = If(x)\n  body then\n    z = Relu(q)\n    output z\noutput y\n", "body 'then'"),
    ],
)
def test_what_does_not_hold_is_said(text, what):
    problems = validate(parse(text))
    assert 1 == len(problems)
    assert what in problems[0]


def test_bodies_may_read_what_stands_before_their_node():
    text = "input x ?\nw = Relu(x)\ny = If(x)\n  body then\n    z = Relu(w)\n    output z\noutput y\n"
    graph = parse(text)
    assert [] == validate(graph)
    assert ("y",) == tuple(node.name for node in graph.consumers["w"])
