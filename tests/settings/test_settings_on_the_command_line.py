"""Settings as a process sees them: found from the working directory, overruled by options."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CNN = str(ROOT / "examples/tutorial_cnn.keras")
DIGITS = str(ROOT / "examples/digits.onnx")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "archlint", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)


def rules_in(done: subprocess.CompletedProcess[str]) -> set[str]:
    return {finding["rule"] for file in json.loads(done.stdout)["files"] for finding in file["findings"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "archlint.yaml").write_text(
        "select: [budget]\nfail-on: error\noptions:\n  parameters-over-budget: {max: 1000}\n"
    )
    return tmp_path


def test_settings_above_the_working_directory_apply(folder):
    done = run(folder / "models", "--format", "json", CNN)
    assert (1, {"parameters-over-budget"}) == (done.returncode, rules_in(done))


def test_isolated_ignores_them(folder):
    done = run(folder, "--isolated", "--format", "json", CNN)
    assert "flatten-into-large-dense" in rules_in(done)
    assert "parameters-over-budget" not in rules_in(done)


def test_a_named_file_is_used_instead(folder):
    (folder / "other.yaml").write_text("select: [head]\n")
    assert "flatten-into-large-dense" in rules_in(
        run(folder, "--config", "other.yaml", "--format", "json", CNN)
    )


def test_an_option_of_the_command_line_wins(folder):
    done = run(folder, "--option", "parameters-over-budget.max=20_000_000", "--format", "json", CNN)
    assert (0, set()) == (done.returncode, rules_in(done))


def test_a_level_of_the_settings_decides_the_exit_code(folder):
    (folder / "archlint.yaml").write_text(
        "fail-on: error\nselect: [flatten-into-large-dense]\nseverity: {flatten-into-large-dense: error}\n"
    )
    assert 1 == run(folder, CNN).returncode


def test_a_target_of_the_settings_makes_its_rules_speak(folder):
    options = "--select portability --option opset-outside-target.target=tensorrt --format json"
    assert set() == rules_in(run(folder, *options.split(), DIGITS))
    (folder / "archlint.yaml").write_text("select: [unsupported-on-target]\ntarget: [tflite]\n")
    lstm = str(ROOT / "tests/fixtures/keras/keras-3.15.1/sequence.json")
    assert {"unsupported-on-target"} == rules_in(run(folder, "--format", "json", lstm))
    assert set() == rules_in(
        run(folder, "--isolated", "--select", "unsupported-on-target", "--format", "json", lstm)
    )


def test_weights_of_the_settings_are_overruled_by_the_option(folder):
    (folder / "archlint.yaml").write_text("select: [non-finite-weights]\nweights: false\n")
    assert "Not judged: what 1 rule would read in the weights" in run(folder, CNN).stdout
    assert "Not judged" not in run(folder, "--weights", DIGITS).stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("selct: [head]\n", "archlint.yaml:1: there is no setting 'selct'; did you mean 'select'?"),
        ("ignore:\n  - heads\n", "archlint.yaml:1: no rule or family is named 'heads'; did you mean 'head'?"),
        (
            "options:\n  parameters-over-budget: {mx: 5}\n",
            "archlint.yaml:2: rule 'parameters-over-budget' has no option 'mx'; did you mean 'max'?",
        ),
    ],
)
def test_a_mistake_in_the_settings_exits_with_2_and_is_shown_where_it_stands(folder, text, said):
    (folder / "archlint.yaml").write_text(text)
    done = run(folder, CNN)
    assert (2, "") == (done.returncode, done.stdout)
    assert said in done.stderr


def test_config_says_what_applies_and_where_it_stands(folder):
    said = run(folder / "models", "config").stdout
    assert "settings: ../archlint.yaml" in said
    assert "../archlint.yaml:2" in next(line for line in said.splitlines() if "fail-on" in line)
    assert "default" in next(line for line in said.splitlines() if "extend-select" in line)
    assert "rules take part" in said


def test_rule_folders_of_the_settings_are_known_to_every_command(folder):
    page = (ROOT / "docs/your-own-rules.md").read_text()
    (folder / "house").mkdir()
    (folder / "house/many-classes.yaml").write_text(page.split("```yaml\n")[1].split("```")[0])
    (folder / "archlint.yaml").write_text("rules: [house]\n")
    assert "many-classes" in run(folder, "rules").stdout
    assert "label service" in run(folder, "rule", "many-classes").stdout
    assert "out.units = 10" in run(folder, "explain", "many-classes", CNN).stdout


def test_lists_of_rules_come_as_json_and_markdown(folder):
    rows = json.loads(run(folder, "rules", "--isolated", "--format", "json").stdout)
    budget = next(row for row in rows if row["name"] == "parameters-over-budget")
    assert ("budget", ["error"], None) == (
        budget["family"],
        budget["severities"],
        budget["options"][0]["default"],
    )
    assert "# parameters-over-budget\n" in run(folder, "rules", "--isolated", "--format", "markdown").stdout
