"""What the README shows and names is true."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import archlint
from archlint.engine import load

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_output_that_it_opens_with_is_the_real_one() -> None:
    (block,) = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    command, shown = block.split("\n", 1)
    program, *arguments = command.removeprefix("$ ").split()
    assert program == "archlint"
    done = subprocess.run(
        [sys.executable, "-m", "archlint", *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert shown == done.stdout


def test_it_has_two_commands_that_set_up() -> None:
    commands = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)
    assert [command.split()[-2:] for command in commands] == [
        [".venv/bin/archlint", "examples"],
        ["&&", ".venv/bin/pytest"],
    ]


def test_the_rules_that_it_names_exist_with_their_severities_and_words() -> None:
    rules = load().by_name
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*?) \| (.*?) \|$", README, re.MULTILINE)
    assert rows
    for name, severity, summary in rows:
        assert (" or ".join(rules[name].severities), rules[name].summary) == (severity, summary)


@pytest.mark.parametrize("path", re.findall(r"\]\(([^):]+)\)", README))
def test_its_links_lead_somewhere(path: str) -> None:
    assert (ROOT / path).exists()


def test_the_hook_is_pinned_to_this_version() -> None:
    assert f"rev: v{archlint.__version__}\n" in README
