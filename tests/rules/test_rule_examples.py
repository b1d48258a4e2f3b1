"""Every example of every built-in rule holds, and every rule says what a reader needs."""

import pytest

from archlint.engine import load, run, run_examples, selection
from archlint.facts import Facts
from archlint.graph import parse
from archlint.ops import build

RULES = load()


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.name)
def test_the_examples_of_a_rule_hold(rule):
    results = run_examples(selection(RULES, [rule.name]))
    assert [] == [(result.number, result.problem) for result in results if result.problem]


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.name)
def test_a_rule_teaches(rule):
    assert rule.body.sources
    assert all(source.startswith("https://") for source in rule.body.sources)
    assert len(rule.body.why) > 100
    assert rule.body.when_to_ignore
    assert rule.body.summary.endswith(".")
    assert rule.body.fixes


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.name)
def test_no_rule_crashes_on_the_examples_of_the_others(rule):
    for example in rule.examples:
        assert () == run(RULES, Facts(example.graph)).crashes


TUTORIAL = RULES.by_name["flatten-into-large-dense"].examples[0]


def test_the_tutorial_network_has_what_pooling_would_leave_of_it():
    facts = Facts(TUTORIAL.graph)
    (finding,) = run(selection(RULES, ["flatten-into-large-dense"]), facts).findings
    assert 11_574_090 == facts.params
    assert 11_505_728 == finding.values["dense.params"]
    pooled = [fix.title.split(": ")[1].split(" parameters")[0] for fix in finding.fixes]
    assert ["72,522", "66,602"] == pooled


def test_the_promised_sizes_are_those_of_the_changed_networks():
    pooled = TUTORIAL.text.replace("flat = Flatten(norm2)", "flat = GlobalAveragePool(norm2)")
    lines = [line for line in pooled.splitlines() if not line.startswith(("fc1", "relu5", "fc2", "relu6"))]
    direct = "\n".join(lines).replace("fc3 = Dense(relu6)", "fc3 = Dense(drop)")
    assert 72_522 == Facts(build(parse(pooled))).params
    assert 66_602 == Facts(build(parse(direct))).params
