"""Rules that name the rewrites of their fixes."""

import pytest

from archlint.engine import load, run_examples
from archlint.engine.offers import offers
from archlint.errors import RuleError
from archlint.facts import Facts
from archlint.fixing.examples import run_fixed
from archlint.graph import parse
from archlint.ops import build

RULE = """\
summary: A Flatten follows a global pool.
severity: info
confidence: high
message: "{layer} changes nothing"
why: Two in a row.
sources: []
options:
  most: {type: int, default: 3, help: not used}
match:
  pool: {op: GlobalAveragePool}
  layer: {op: Flatten, input: pool}
report: {at: layer}
fixes:
  - {title: "remove {layer}", level: exact, FIX}
examples:
  - flag: |
      input x float32[N,8,8,3]
      p = GlobalAveragePool(x)
      f = Flatten(p)
      d = Dense(f) units=2
      output d
    at: f
    fixed: |
      input x float32[N,8,8,3]
      p = GlobalAveragePool(x)
      d = Dense(p) units=2
      output d
  - flag: |
      input x float32[N,8,8,3]
      p = GlobalAveragePool(x)
      f = Flatten(p)
      output f
  - pass: |
      input x float32[N,8,8,3]
      f = Flatten(x)
      output f
  - pass: |
      input x float32[N,8,8,3]
      p = GlobalAveragePool(x)
      output p
"""
GOOD = "use: bypass.flatten, with: {flatten: layer}"


def rules(tmp_path, fix: str = GOOD, old: str = "", new: str = ""):
    folder = tmp_path / "house"
    folder.mkdir()
    text = RULE.replace("FIX", fix)
    (folder / "flat-again.yaml").write_text(text.replace(old, new) if old else text)
    return load([tmp_path], builtin=False)


def problems(found) -> list:
    return [row.problem for row in run_fixed(found, run_examples(found)) if row.problem]


def test_a_finding_with_a_rewrite_is_an_offer(tmp_path) -> None:
    found = rules(tmp_path)
    facts = Facts(build(parse(found.by_name["flat-again"].examples[0].text)))
    (offer,) = offers(found, facts)
    assert ("f", "remove f", "exact") == (offer.finding.node, offer.title, offer.level)
    assert offer.finding.fixes[0].applicable
    (edit,) = offer.edits(facts)
    assert (frozenset({"f"}), {"f": "p"}) == (edit.removed, edit.moved)


def test_a_fix_without_a_rewrite_is_none(tmp_path) -> None:
    found = rules(tmp_path, "when: true", "    fixed: |\n", "    message: |\n")
    assert all(not fix.use for rule in found for fix in rule.body.fixes)


@pytest.mark.parametrize(
    ("fix", "what", "advice"),
    [
        ("use: bypas.flatten", "there is no module archlint/fixes/bypas.py", ""),
        ("use: bypass.flaten", "archlint/fixes/bypass.py has no rewrite 'flaten'", ""),
        ("use: bypass.without", "archlint/fixes/bypass.py has no rewrite 'without'", ""),
        ("use: bypass.flatten", "this rewrite needs 'flatten' (", "with: {flatten: …} gives it"),
        ("use: bypass.flatten, with: {flaten: layer}", "unknown key 'flaten'", "did you mean 'flatten'?"),
        ("use: bypass.flatten, with: {flatten: options.most}", "is to be a node, not of kind number", ""),
        ("with: {flatten: layer}", "'with' is for the rewrite that 'use' names", ""),
    ],
)
def test_a_wrong_rewrite_is_shown_where_it_stands(tmp_path, fix, what, advice) -> None:
    with pytest.raises(RuleError) as error:
        rules(tmp_path, fix)
    assert what in str(error.value)
    assert advice in str(error.value)
    assert "flat-again.yaml:14:" in str(error.value)


def test_examples_hold_when_the_fixed_model_is_the_one_they_say(tmp_path) -> None:
    assert [] == problems(rules(tmp_path))


def test_another_fixed_model_is_a_failed_example(tmp_path) -> None:
    found = rules(tmp_path, GOOD, "d = Dense(p) units=2", "d = Dense(p) units=3")
    (problem,) = problems(found)
    assert "the fixed model differs at node d" in problem


def test_a_fix_that_is_refused_is_a_failed_example_where_one_is_said(tmp_path) -> None:
    end = "      f = Flatten(p)\n      output f\n"
    said = "    fixed: |\n      input x float32[N,8,8,3]\n      p = GlobalAveragePool(x)\n      output p\n"
    (problem,) = problems(rules(tmp_path, GOOD, end, end + said))
    assert "must be fixed, but 'remove f' was not made: 'f' makes an output of the model" in problem


def test_a_fixed_model_needs_a_rewrite(tmp_path) -> None:
    (problem,) = [row.problem for row in run_examples(rules(tmp_path, "when: true")) if row.problem]
    assert "'fixed' is for a model that is flagged by a rule with a fix that has 'use'" in problem
