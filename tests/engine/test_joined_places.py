"""``together:`` — several places of one model as one finding."""

import pytest

from archlint.engine import load, run
from archlint.errors import RuleError
from archlint.facts import Facts
from archlint.graph import parse
from archlint.ops import build

RULE = """\
summary: A dense layer is wide.
severity: [{when: dense.units > 100, is: warning}, {is: info}]
confidence: high
message: "{dense} has {dense.units} units"
why: It is a test.
sources: []
match:
  dense: {op: Dense}
let:
  units: dense.units
where:
  - dense.units > 10
cost: dense.units
fixes:
  - {title: "narrow {dense}", level: retrain}
together:
  message: "{places} layers, {dense} first, have {units} units"
  sum: [units]
  fixes:
    - {title: "narrow all {places}", level: retrain}
examples: []
"""

MODEL = """
input x float32[N,8]
a = Dense(x) units=5
b = Dense(a) units=20
c = Dense(b) units=30
d = Dense(c) units=200
e = Dense(d) units=40
f = Dense(e) units=50
g = Dense(f) units=60
output g
"""


def loaded(folder, text):
    (folder / "mine").mkdir()
    (folder / "mine" / "wide-dense.yaml").write_text(text)
    return load([folder], builtin=False)


def findings(folder, model):
    return run(loaded(folder, RULE), Facts(build(parse(model)))).findings


def test_places_of_one_severity_are_joined_at_the_first(tmp_path):
    single, joined = findings(tmp_path, MODEL)
    assert ("d", "warning", "d has 200 units") == (single.node, single.severity, single.message)
    assert ("b", "info", "5 layers, b first, have 200 units") == (
        joined.node,
        joined.severity,
        joined.message,
    )
    assert [("c", "and here"), ("e", "and here"), ("f", "and here")] == list(joined.related)
    assert (5, ("b", "c", "e", "f", "g")) == (joined.values["places"], joined.values["nodes"])
    assert ["narrow all 5"] == [fix.title for fix in joined.fixes]


def test_one_place_says_nothing_of_places(tmp_path):
    (only,) = findings(tmp_path, "input x float32[N,8]\nb = Dense(x) units=20\noutput b")
    assert ("b has 20 units", ["narrow b"]) == (only.message, [fix.title for fix in only.fixes])


def test_an_unknown_part_makes_the_sum_unknown(tmp_path):
    text = RULE.replace("units: dense.units", "units: dense.in_channels")
    graph = build(parse("input x float32[N,?]\nb = Dense(x) units=20\nc = Dense(b) units=30\noutput c"))
    (joined,) = run(loaded(tmp_path, text), Facts(graph)).findings
    assert joined.message.endswith("have ? units")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("sum: [units]", "sum: [unit]", "did you mean 'units'?"),
        ("{places} layers", "{place} layers", "did you mean 'places'?"),
        ('  message: "{places} layers, {dense} first, have {units} units"\n', "", "has a message"),
        ("  sum: [units]", "  sums: [units]", "unknown key 'sums'"),
        ('message: "{dense} has', 'message: "{places} {dense} has', "unknown name 'places'"),
    ],
)
def test_mistakes_point_at_their_place(tmp_path, old, new, says):
    assert old in RULE
    with pytest.raises(RuleError, match="wide-dense") as caught:
        loaded(tmp_path, RULE.replace(old, new, 1))
    assert says in str(caught.value)
