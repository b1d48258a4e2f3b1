"""Loading rule files: every mistake is an error that points at its place."""

import subprocess
import sys
from pathlib import Path

import pytest

from archlint.engine import load
from archlint.engine.load import builtin_folder, load_file
from archlint.errors import RuleError

GOOD = """\
summary: A dense layer is wide.
severity: warning
confidence: high
message: "{dense} has {dense.units:,} units"
why: It is a test.
sources: []
options:
  most: {type: int, default: 10, min: 1, help: the most units}
match:
  relu: {trait: activation}
  dense: {op: Dense, input: {from: relu, through: [Dropout]}}
let:
  over: dense.units - options.most
where:
  - over > 0
report: {at: dense}
examples:
  - flag: |
      input x float32[N,8]
      r = Relu(x)
      d = Dense(r) units=11
      output d
    at: d
  - flag: |
      input x float32[N,8]
      r = Relu(x)
      d = Dense(r) units=12
      output d
  - pass: |
      input x float32[N,8]
      r = Relu(x)
      d = Dense(r) units=10
      output d
  - pass: |
      input x float32[N,8]
      d = Dense(x) units=11
      output d
"""


def write(folder: Path, text: str, name: str = "wide-dense") -> Path:
    (folder / "mine").mkdir(exist_ok=True)
    (folder / "mine" / f"{name}.yaml").write_text(text)
    return folder


def loaded(folder: Path, text: str):
    return load([write(folder, text)], builtin=False)


def fault(folder: Path, text: str) -> str:
    with pytest.raises(RuleError) as caught:
        loaded(folder, text)
    return str(caught.value)


def test_name_and_family_come_from_the_path(tmp_path):
    (rule,) = loaded(tmp_path, GOOD)
    assert ("wide-dense", "mine") == (rule.name, rule.family)


def test_a_mistake_is_shown_with_line_caret_and_suggestion(tmp_path):
    report = fault(tmp_path, GOOD.replace("dense.units - options", "dense.unit - options"))
    path = tmp_path / "mine" / "wide-dense.yaml"
    assert (
        "error: 'dense' has no fact 'unit'\n"
        f"  --> {path}:13:15\n"
        "   |\n"
        "13 |   over: dense.unit - options.most\n"
        "   |               ^^^^\n"
        "   = help: did you mean 'units'?"
    ) == report


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("severity: warning", "severity: eror", "'severity' is one of error, warning, info, not 'eror'"),
        ("summary:", "sumary:", "did you mean 'summary'?"),
        ("{op: Dense,", "{op: Dens,", "did you mean 'Dense'?"),
        ("{trait: activation}", "{trait: activ}", "there is no trait 'activ'"),
        ("[Dropout]", "[Dropuot]", "did you mean 'Dropout'?"),
        ("from: relu", "from: rleu", "the input 'rleu' is not matched above"),
        ("{op: Dense,", "{op: Dense, stride: 2,", "Dense has no setting 'stride'"),
        ("{dense.units:,}", "{dense.unit:,}", "'dense' has no fact 'unit'"),
        ("{dense.units:,}", "{dense.units:sii}", "unknown format 'sii'"),
        ("{dense.units:,}", "{dense.in_shape:,}", "is of kind shape"),
        ("{dense.units:,}", "{dense.units", "expected '}'"),
        ("default: 10", "default: 1e6", "write 1000000"),
        ("default: 10", "default: 0", "below its minimum of 1"),
        ("default: 10", "default: yes", "not of type int"),
        ("at: dense", "at: dens", "did you mean 'dense'?"),
        ("report: {at: dense}", "report: {at: dense}\ndefault: 3", "'default' is on or off"),
        ("report: {at: dense}", "cost: 1", "several nodes are named"),
        ("  over: dense", "  relu: dense", "the name 'relu' is already taken"),
        ("  - over > 0", "  - over: 0", "YAML reads ': ' inside a text"),
        ("  - over > 0", "  - [over > 0]", "YAML reads a leading [ as a list"),
        ("confidence: high", "confidence: high\nconfidence: low", "the key 'confidence' stands twice"),
        ("why: It is", "why: &a It is", None),
        ("match:", "each: model\nmatch:", "exactly one of match, check and each"),
        ("let:", "yields_to: [nothing]\nlet:", "'yields_to' names 'nothing', which is no rule"),
        (
            "  relu: {trait: activation}",
            "  relu: {trait: activation}\n  b: {op: Add}",
            "'b' is not connected",
        ),
        ("sources: []", "sources: [", ":"),
        ("examples:", "exampels:", "the key 'examples' is missing"),
        ("help: the most units", "help: the most, of units", "a comma inside {…} starts a new key"),
        ("{type: int", "{type: integer", "'type' is one of int, float, bool, str, list"),
    ],
)
def test_a_mistake_in_a_rule_never_becomes_silence(tmp_path, old, new, words):
    assert old in GOOD
    if words is None:
        assert len(loaded(tmp_path, GOOD.replace(old, new, 1))) == 1
        return
    assert words in fault(tmp_path, GOOD.replace(old, new, 1))


def test_all_faulty_files_are_reported_at_once(tmp_path):
    write(tmp_path, GOOD.replace("severity: warning", "severity: eror"), "one-fault")
    report = fault(tmp_path, GOOD.replace("op: Dense", "op: Dens"))
    assert 2 == report.count("error:")


def test_a_name_can_be_taken_only_once(tmp_path):
    write(tmp_path, GOOD)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "wide-dense.yaml").write_text(GOOD)
    with pytest.raises(RuleError, match="already in"):
        load([tmp_path], builtin=False)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 30_000,
        "- " * 16_000,
        "a: " + "{b: " * 8_000,
        "? " * 16_000,
        "x" * 40_000,
        "",
        "- a",
        "a: *b",
        "\x00",
    ],
)
def test_hostile_files_are_errors_and_do_not_end_the_process(tmp_path, text):
    assert "error:" in fault(tmp_path, text + "\nexamples: []\n")


def test_aliases_are_refused(tmp_path):
    text = GOOD.replace("why: It is a test.", "why: &a It is a test.\nwhen_to_ignore: *a")
    assert "anchors and aliases" in fault(tmp_path, text)


def test_a_folder_without_rules_is_an_error(tmp_path):
    with pytest.raises(RuleError, match="holds no rule files"):
        load([tmp_path], builtin=False)


def test_a_check_that_does_not_exist_is_an_error(tmp_path):
    start, end = GOOD.index("match:"), GOOD.index("let:")
    text = GOOD[:start] + "check: heads.nothing\n" + GOOD[end:]
    assert "has no check 'nothing'" in fault(tmp_path, text)
    assert "no module" in fault(tmp_path, text.replace("heads.", "hats."))


def test_a_mistake_in_an_example_points_into_the_example(tmp_path):
    (rule,) = loaded(tmp_path, GOOD.replace("    at: d\n", "    at: e\n"))
    with pytest.raises(RuleError, match=r"wide-dense\.yaml:23:9"):
        _ = rule.examples


def test_the_built_in_rules_have_names_without_codes():
    rules = load()
    assert len(rules) >= 15
    assert {path.stem for path in builtin_folder().glob("*/*.yaml")} == set(rules.by_name)


def test_loading_built_in_rules_reads_no_body_and_imports_no_check():
    code = (
        "import sys; from archlint.engine import load; rules = load(); "
        "print(any('body' in vars(rule) for rule in rules), 'archlint.checks.heads' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "False False" == done.stdout.strip()


def test_a_built_in_rule_says_the_same_whether_it_is_read_at_once_or_when_needed():
    for early, late in zip(load([builtin_folder()], builtin=False), load(), strict=True):
        assert (early.name, early.options, early.match) == (late.name, late.options, late.match)
        assert early.body.message.text == late.body.message.text
        assert (early.check, early.body.why) == (late.check, late.body.why)


def test_a_body_that_is_read_later_is_shown_with_its_line_in_the_file(tmp_path):
    path = write(tmp_path, GOOD.replace("over > 0", "ovr > 0")) / "mine" / "wide-dense.yaml"
    rule = load_file(path, "mine", whole=False)
    with pytest.raises(RuleError, match=r"wide-dense\.yaml:\d+:5") as error:
        assert rule.body
    line = GOOD.splitlines().index("  - over > 0") + 1
    assert f":{line}:5" in str(error.value)
