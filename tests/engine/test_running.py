"""Running rules: findings, silences, crashes, selection, options, explanations."""

from pathlib import Path

import pytest

from archlint.engine import describe, explain, find, listing, load, run, run_examples, selection, vocabulary
from archlint.errors import UsageError
from archlint.facts import Facts
from archlint.graph import parse
from archlint.ops import build

RULES = load()
HEAD = """
input image float32[{n},{size},{size},3]
c = Conv(image) filters=64 kernel=(3,3)
r = Relu(c)
f = Flatten(r)
fc = Dense(f) units={units}
s = Softmax(fc)
output s
"""


def judge(text, rules=RULES, options=None):
    return run(rules, Facts(build(parse(text))), options)


def only(name):
    return selection(RULES, [name])


def test_a_finding_carries_the_numbers_of_its_message():
    outcome = judge(HEAD.format(n="N", size=32, units=100), only("flatten-into-large-dense"))
    (finding,) = outcome.findings
    assert 30 * 30 * 64 * 100 + 100 == finding.values["dense.params"]
    assert ("f", "the 30×30 map is flattened here; a unit of it sees 3 of 32 pixels") == finding.related[0]
    assert ("head", "fc", "warning") == (finding.family, finding.node, finding.severity)


def test_what_is_unknown_is_silent_and_says_so():
    outcome = judge(HEAD.format(n="N", size="?", units=100), only("flatten-into-large-dense"))
    assert () == outcome.findings
    assert ("flatten-into-large-dense", "f") == (outcome.silences[0].rule, outcome.silences[0].node)
    assert "unknown" in outcome.silences[0].reason


def test_options_move_the_line():
    text, name = HEAD.format(n="N", size=32, units=10), "flatten-into-large-dense"
    assert "info" == judge(text, only(name)).findings[0].severity
    assert "warning" == judge(text, only(name), {name: {"max_params": 500_000}}).findings[0].severity


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"flatten-into-large-dens": {}}, "did you mean 'flatten-into-large-dense'?"),
        ({"flatten-into-large-dense": {"max_param": 1}}, "did you mean 'max_params'?"),
        ({"flatten-into-large-dense": {"max_params": "big"}}, "not of type int"),
        ({"flatten-into-large-dense": {"max_params": True}}, "not of type int"),
        ({"flatten-into-large-dense": {"min_share": 2}}, "above its maximum of 1"),
    ],
)
def test_wrong_options_are_errors(options, words):
    with pytest.raises(UsageError) as caught:
        judge(HEAD.format(n="N", size=32, units=10), options=options)
    assert words in str(caught.value)


def test_findings_come_in_the_order_of_severity_then_cost():
    text = """
input x float32[N,64]
small = Dense(x) units=10
large = Dense(x) units=512
e = Dense(x) units=1
s = Softmax(e)
output s
"""
    found = [(finding.severity, finding.node) for finding in judge(text).findings]
    assert [("error", "s"), ("warning", "large"), ("warning", "small")] == found


RULE = """\
summary: S
severity: info
confidence: high
message: "{message}"
why: W
sources: []
match:
  d: {{op: Dense}}
where:
  - {where}
{more}
examples: []
"""


def rule_file(folder: Path, name, where="d.units > 1", message="{d}", more=""):
    (folder / f"{name}.yaml").write_text(RULE.format(where=where, message=message, more=more))


def test_a_crash_of_one_rule_is_reported_and_the_others_go_on(tmp_path):
    rule_file(tmp_path, "crashes", where="'\"text\" < d.units'")
    rule_file(tmp_path, "works")
    outcome = judge("input x float32[N,4]\nd = Dense(x) units=4\noutput d", load([tmp_path], builtin=False))
    assert ["works"] == [finding.rule for finding in outcome.findings]
    assert "rule crashes at node d" == outcome.crashes[0].where
    assert "is not a number" in outcome.crashes[0].what


def test_a_rule_yields_its_node_to_another_rule(tmp_path):
    rule_file(tmp_path, "cause", where="d.units > 10")
    rule_file(tmp_path, "symptom", more="yields_to: [cause]")
    rules = load([tmp_path], builtin=False)
    text = "input x float32[N,4]\nd = Dense(x) units={}\noutput d"
    assert ["cause"] == [finding.rule for finding in judge(text.format(20), rules).findings]
    assert ["symptom"] == [finding.rule for finding in judge(text.format(5), rules).findings]


def test_a_rule_that_is_off_runs_only_when_it_is_named(tmp_path):
    rule_file(tmp_path, "quiet", more="default: off")
    rules = load([tmp_path], builtin=False)
    assert 0 == len(selection(rules))
    assert 1 == len(selection(rules, ["quiet"]))


def test_a_rule_for_one_format_leaves_the_other_alone(tmp_path):
    rule_file(tmp_path, "keras-only", more="formats: [keras]")
    rules = load([tmp_path], builtin=False)
    text = "model m format={}\ninput x float32[N,4]\nd = Dense(x) units=4\noutput d"
    assert 1 == len(judge(text.format("keras"), rules).findings)
    assert 0 == len(judge(text.format("onnx"), rules).findings)


def test_selection_takes_names_families_and_globs():
    assert {"head"} == {rule.family for rule in selection(RULES, ["head"])}
    assert {"unused-input", "dead-node"} == set(selection(RULES, ["unused-input", "dead-n*"]).by_name)
    assert all(rule.name.startswith("flatten-") for rule in selection(RULES, ["flatten-*"]))
    assert "dead-node" not in selection(RULES, ignore=["graph"]).by_name
    assert len(selection(RULES)) - 1 == len(selection(RULES, ignore=["dead-node"]))


def test_a_pack_alone_may_yield_to_a_built_in_rule(tmp_path):
    rule_file(tmp_path, "symptom", more="yields_to: [dead-node]")
    assert ["symptom"] == [rule.name for rule in load([tmp_path], builtin=False)]


@pytest.mark.parametrize("word", ["dead-nod", "heads", "no-such-*"])
def test_a_word_that_selects_nothing_is_an_error(word):
    with pytest.raises(UsageError):
        selection(RULES, [word])


def test_find_suggests_what_is_meant():
    with pytest.raises(UsageError, match="did you mean 'dead-node'"):
        find(RULES, "dead-nodes")


def test_explain_says_which_condition_failed_and_with_what_values():
    facts = Facts(build(parse("input x float32[N,32,32,3]\nc = Conv(x) filters=8 kernel=(3,3)\noutput c")))
    text = explain(RULES.by_name["stride-skips-input"], facts)
    assert "window: 1 nodes fit" in text
    assert "false   any([step > reach" in text
    assert "→ silent" in text


def test_explain_says_what_is_unknown():
    facts = Facts(build(parse("input x ?\nc = Dense(x) units=8\nn = BatchNormalization(c)\noutput n")))
    assert "silent, because something is unknown" in explain(RULES.by_name["bias-before-norm"], facts)


def test_explain_says_when_a_rule_does_not_apply():
    facts = Facts(build(parse("input x float32[N,4]\nd = Dense(x) units=4\noutput d")))
    text = explain(RULES.by_name["logits-without-from-logits"], facts)
    assert "needs training settings" in text


def test_a_description_has_reasons_options_sources_and_examples():
    text = describe(RULES.by_name["flatten-into-large-dense"])
    for words in (
        "When to ignore it",
        "max_params (int, default 1000000)",
        "arxiv.org/abs/1312.4400",
        "Not flagged",
    ):
        assert words in text


def test_the_listing_names_every_rule_once():
    assert all(1 == listing(RULES).count(f"  {name} ") for name in RULES.by_name)


def test_the_vocabulary_has_facts_functions_traits_and_ops():
    text = vocabulary()
    for words in ("map_size", "from_logits", "zip(xs, ys)", "windowed", "Conv: filters="):
        assert words in text


def test_a_failing_example_is_told_apart_from_a_holding_one(tmp_path):
    path = Path(RULES.by_name["dead-node"].path)
    text = path.read_text().replace("1 node with 6,500", "2 nodes with 6,500")
    (tmp_path / "dead-node.yaml").write_text(text)
    results = run_examples(load([tmp_path], builtin=False))
    assert ["the message must say 'that is 2 nodes with 6,500 parameters'"] == [
        result.problem.split(";")[0] for result in results if result.problem
    ]


def test_an_unknown_neighbour_is_not_taken_for_an_absent_one(tmp_path):
    rule_file(tmp_path, "no-activation", more="absent:\n  a: {trait: activation, input: d}")
    rules = load([tmp_path], builtin=False)
    text = "input x float32[N,4]\nd = Dense(x) units=4\nn = {}(d)\noutput n"
    assert 1 == len(judge(text.format("Identity"), rules).findings)
    assert 0 == len(judge(text.format("Relu"), rules).findings)
    outcome = judge(text.format("Unknown"), rules)
    assert ((), "what 'n' does is unknown") == (outcome.findings, outcome.silences[0].reason)


def test_a_rule_on_the_whole_model_is_judged_once(tmp_path):
    text = RULE.replace("match:\n  d: {{op: Dense}}", "each: model")
    where = "model.params > 4"
    (tmp_path / "budget.yaml").write_text(text.format(message="{model.params:si}", where=where, more=""))
    outcome = judge("input x float32[N,4]\nd = Dense(x) units=4\noutput d", load([tmp_path], builtin=False))
    assert [("20", None)] == [(finding.message, finding.node) for finding in outcome.findings]


def test_the_first_case_of_severity_that_holds_is_taken(tmp_path):
    text = RULE.replace("severity: info", "severity: [{{when: d.units > 9, is: error}}, {{is: info}}]")
    (tmp_path / "cases.yaml").write_text(text.format(message="{d}", where="true", more=""))
    rules = load([tmp_path], builtin=False)
    model = "input x float32[N,4]\nd = Dense(x) units={}\noutput d"
    assert "error" == judge(model.format(10), rules).findings[0].severity
    assert "info" == judge(model.format(9), rules).findings[0].severity


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("{d.params:si}", "1.3M"),
        ("{d.params:,}", "1,312,000"),
        ("{d.in_shape:shape}", "1024"),
        ("{d.in_shape:dims}", "?×1024"),
        ("{d.share:.0%} of {{all}}", "100% of {all}"),
        ("{d.params:bytes}", "1.3 MB"),
        ("{d.use_bias} {d.op}", "true Dense"),
        ("{d.in_shape[0]}", "?"),
        ("{d.params:# weight}, {d.units - 1279:# spare unit}", "1,312,000 weights, 1 spare unit"),
    ],
)
def test_a_placeholder_is_written_as_its_format_says(tmp_path, message, words):
    (tmp_path / "words.yaml").write_text(RULE.format(message=message, where="true", more=""))
    model = "input x float32[N,1024]\nd = Dense(x) units=1280\noutput d"
    outcome = judge(model, load([tmp_path], builtin=False))
    assert words == outcome.findings[0].message


BIASED = """
input x float32[N,8,8,3]
a = Conv(x) filters=16 kernel=(3,3)
n = BatchNormalization(a)
b = Conv(n) filters=32 kernel=(3,3)
m = BatchNormalization(b)
output m
"""


def test_the_places_of_a_rule_that_says_together_are_one_finding():
    (finding,) = judge(BIASED, only("bias-before-norm")).findings
    assert ("a", 48, 2, ("a", "b")) == (
        finding.node,
        finding.values["lost"],
        finding.values["places"],
        finding.values["nodes"],
    )
    assert ("b", "and here") == finding.related[-1]
    assert "2 layers" in finding.message
    assert "48 parameters" in finding.message


def test_a_single_place_keeps_its_own_message():
    (finding,) = judge(BIASED.replace("m = BatchN", "m = LayerN"), only("bias-before-norm")).findings
    assert "n subtracts the mean" in finding.message
    assert "places" not in finding.values
