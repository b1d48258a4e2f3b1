"""Finds a rule's rewrite in a model and applies it: what the tests of fixes share."""

from archlint.facts import Facts
from archlint.graph import apply, parse, validate
from archlint.ops import build


def built(text):
    """A graph of the notation, with the weights that its layers create where it names none."""
    return build(parse(text))


def edited(graph, rewrite, weights=None, **roles):
    """The graph after a rewrite; a role is the name of a node, anything else a value. Edits come with it."""
    facts = Facts(graph, None, weights)
    nodes = {role: graph.by_name[name] for role, name in roles.items() if role in rewrite.nodes}
    values = {name: value for name, value in roles.items() if name not in nodes}
    edits = rewrite(facts, nodes, values)
    after = apply(graph, edits)
    assert [] == validate(after)
    return after, edits
