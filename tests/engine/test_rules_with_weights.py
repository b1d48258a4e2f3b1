"""Rules that ask for weights: silent and counted without them, examples that plant what they hold."""

from pathlib import Path

import pytest

from archlint.engine import RuleSet, describe, load, run, run_examples
from archlint.engine.planted import Planted
from archlint.errors import RuleError
from archlint.facts import Facts
from archlint.graph import parse
from archlint.ops import build

RULE = """
summary: A kernel has a large weight.
severity: info
confidence: high
message: "{{layer}} has a weight of {{peak:.0f}}"
why: For the test.
sources: []
options:
  limit: {{type: float, default: 10.0, help: largest}}
requires: [weights]
check: weights.beyond_half
with: {{limit: options.limit}}
examples:
{examples}
"""

MODEL = """
      input x float32[N,8]
      d = Dense(x) units=2
      output d
"""

EXAMPLES = f"""
  - flag: |{MODEL}    weights: {{d/bias: [20, 0]}}
    message: a weight of 20
  - flag: |{MODEL}    weights: {{d/kernel: 11}}
  - pass: |{MODEL}    weights: {{d/bias: 10}}
  - pass: |{MODEL}
"""


def loaded(folder: Path, examples: str = EXAMPLES):
    place = folder / "house"
    place.mkdir()
    (place / "large-weight.yaml").write_text(RULE.format(examples=examples).lstrip())
    return load([folder], builtin=False)


def test_examples_plant_weights(tmp_path: Path) -> None:
    assert [None] * 4 == [result.problem for result in run_examples(loaded(tmp_path))]


def test_without_weights_a_rule_is_silent_and_counted(tmp_path: Path) -> None:
    outcome = run(loaded(tmp_path), Facts(build(parse(MODEL))))
    assert () == outcome.findings
    assert ["large-weight"] == [silence.rule for silence in outcome.silences]
    assert "--weights" in outcome.silences[0].reason


def test_a_model_without_weights_leaves_nothing_to_count(tmp_path: Path) -> None:
    outcome = run(loaded(tmp_path), Facts(parse("input x float32[N,8]\nr = Relu(x)\noutput r")))
    assert () == outcome.silences


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ("{e/bias: 0}", "no param 'e/bias'"),
        ("{d/bias: glorot}", "'glorot' is none of"),
        ("{d/bias: {rang: 3}}", "is said with copy, rank, scale, shape"),
        ("[1]", "'weights' maps params"),
    ],
)
def test_a_mistake_in_planted_weights_is_named(weights: str, words: str, tmp_path: Path) -> None:
    rules = loaded(tmp_path, EXAMPLES.replace("{d/kernel: 11}", weights))
    with pytest.raises(RuleError, match=words):
        _ = next(iter(rules)).examples


def test_what_an_example_plants_is_shown(tmp_path: Path) -> None:
    assert "# d/bias holds 20, 0 in its units" in describe(next(iter(loaded(tmp_path))))


def test_no_rule_crashes_on_weights_of_any_small_example() -> None:
    every = load()
    asking = RuleSet(tuple(rule for rule in every if "weights" in rule.requires))
    assert len(asking) >= 14
    for rule in every:
        for example in rule.examples:
            if Facts(example.graph).params < 200_000:  # the larger ones take seconds each
                facts = Facts(example.graph, None, Planted(example.graph, example.weights))
                assert (rule.name, ()) == (rule.name, run(asking, facts).crashes)
