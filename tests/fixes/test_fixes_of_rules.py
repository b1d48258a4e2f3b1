"""Every fix of every rule, on the rule's own examples: its finding is gone and nothing as bad is new."""

from functools import cache

import pytest

from archlint.engine import judge, load, offers_at, selection
from archlint.engine.planted import Planted
from archlint.errors import PatchError
from archlint.facts import Facts
from archlint.fixing.law import objection
from archlint.graph import Splice, apply, validate


@cache
def rules():
    return load()


def fixed(rule, example):
    """(title, what the fix comes to) per offer of an example: "" when its law holds, else the reason."""
    planted = Planted(example.graph, example.weights) if example.weights else None
    facts = Facts(example.graph, example.graph.metadata.get("size_bytes"), planted)
    every = selection(rules())
    every = every if rule.default else selection(rules(), extend=[rule.name])
    options = {rule.name: example.options} if example.options else {}
    before = judge(every, facts, options)
    mine = [place for place in before.places if place.finding.rule == rule.name]
    for offer in offers_at(every, mine):
        if offer.rewrite.is_approximate and not planted:
            continue  # only offered where the weights allow it
        try:
            edits = offer.edits(Facts(example.graph, None, planted or Planted(example.graph, {})))
            graph = apply(example.graph, edits)
        except PatchError as error:
            yield offer.title, f"refused: {error}"
            continue
        assert [] == validate(graph)
        added = {node.name for edit in edits if isinstance(edit, Splice) for node in edit.added}
        after = judge(every, Facts(graph, facts.size_bytes, None), options)
        yield offer.title, objection(offer.finding, before, after, frozenset(added)) or ""


FIXABLE = sorted(rule.name for rule in load() if any(idea.use for idea in rule.body.fixes))


@pytest.mark.parametrize("name", FIXABLE)
def test_a_fix_solves_its_finding_in_the_examples(name):
    rule = rules().by_name[name]
    results = [row for example in rule.examples if example.flag for row in fixed(rule, example)]
    assert not any("still be there" in reason for _, reason in results), results
    assert any(not reason for _, reason in results), results
