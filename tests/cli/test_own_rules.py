"""Rules in a folder of the user's own, from the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CNN = str(ROOT / "examples/tutorial_cnn.keras")

RULE = """\
summary: A dense layer has many units.
severity: error
confidence: high
message: "{dense} has {dense.units} units"
why: |
  Our hardware wants few units.
when_to_ignore: |
  Never.
sources:
  - https://example.org/hardware
match:
  dense: {op: Dense}
where:
  - dense.units > 60
report:
  at: dense
examples:
  - flag: |
      input x float32[N,8]
      y = Dense(x) units=61
      output y
  - flag: |
      input x float32[N,8]
      y = Dense(x) units=99
      output y
  - pass: |
      input x float32[N,8]
      y = Dense(x) units=10
      output y
  - pass: |
      input x float32[N,8]
      y = Dense(x) units=UNITS
      output y
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "archlint", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


@pytest.fixture
def pack(tmp_path: Path) -> str:
    (tmp_path / "house").mkdir()
    (tmp_path / "house/wide-dense.yaml").write_text(RULE.replace("UNITS", "60"))
    return str(tmp_path)


def test_own_rules_are_applied_with_the_built_in_ones(pack: str) -> None:
    done = run("--rules", pack, "--format", "json", CNN)
    names = {finding["rule"] for finding in json.loads(done.stdout)["files"][0]["findings"]}
    assert {"wide-dense", "flatten-into-large-dense"} <= names
    assert "dense1 has 64 units" in done.stdout


def test_own_rules_are_selected_by_name_and_family(pack: str) -> None:
    for word in ("wide-dense", "house", "wide-*"):
        done = run("--rules", pack, "--select", word, "--format", "json", CNN)
        assert {f["rule"] for f in json.loads(done.stdout)["files"][0]["findings"]} == {"wide-dense"}


def test_own_rules_are_listed_and_described(pack: str) -> None:
    assert "wide-dense" in run("rules", "--rules", pack).stdout
    assert "Our hardware wants few units." in run("rule", "wide-dense", "--rules", pack).stdout


def test_examples_of_own_rules_run_alone(pack: str) -> None:
    done = run("test", pack)
    assert (done.returncode, done.stdout) == (0, "4 examples of 1 rule, 0 failed\n")


def test_an_example_that_fails_is_named_and_exits_with_1(pack: str) -> None:
    Path(pack, "house/wide-dense.yaml").write_text(RULE.replace("UNITS", "62"))
    done = run("test", pack)
    assert done.returncode == 1
    assert "wide-dense, example 4 (pass): must pass, but was flagged at y" in done.stdout


def test_a_rule_that_does_not_load_is_pointed_at_and_exits_with_2(pack: str) -> None:
    path = Path(pack, "house/wide-dense.yaml")
    path.write_text(RULE.replace("severity: error", "severity: eror"))
    done = run("--rules", pack, CNN)
    assert done.returncode == 2
    assert "wide-dense.yaml:2:" in done.stderr
    assert "did you mean" in done.stderr
    assert done.stdout == ""
