"""The page on rules of one's own, followed as a new user would: in an empty folder, command by command."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "your-own-rules.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)
RULE, SETTINGS = (text for kind, text in BLOCKS if kind == "yaml")
COMMANDS = [text.strip() for kind, text in BLOCKS if not kind]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    subprocess.run(COMMANDS[0], shell=True, check=True, cwd=tmp_path)
    (tmp_path / "my-rules/house/many-classes.yaml").write_text(RULE)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


def follow(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    assert command.startswith("archlint ")
    words = [sys.executable, "-m", "archlint", *command.split()[1:]]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(words, capture_output=True, text=True, cwd=folder, env=environment)


def test_the_examples_hold_as_promised(folder):
    promised = re.search(r"answers `(.*?)`", PAGE)[1]
    assert promised == follow(COMMANDS[1], folder).stdout.strip()


def test_the_rule_speaks_of_the_tutorial_network(folder):
    promised = re.search(r"now lists `(.*?)`", PAGE)[1]
    assert promised in follow(COMMANDS[2], folder).stdout


def test_explain_says_why_it_is_silent(folder):
    said = follow(COMMANDS[3], folder).stdout
    assert "out.units = 10, options.max_classes = 100" in said


def test_a_changed_limit_makes_an_example_fail(folder):
    rule = folder / "my-rules/house/many-classes.yaml"
    rule.write_text(RULE.replace("out.units > options.max_classes", "out.units >= options.max_classes"))
    done = follow(COMMANDS[1], folder)
    assert 1 == done.returncode
    assert "many-classes, example 3 (pass)" in done.stdout


def test_with_the_settings_of_the_page_every_run_uses_the_rule(folder):
    (folder / "archlint.yaml").write_text(SETTINGS)
    said = follow("archlint examples/tutorial_cnn.keras", folder).stdout
    assert re.search(r"error\s+many-classes at classes", said)
