"""What the README shows and names is true."""

import re
import shutil
import subprocess
import sys
from collections import Counter
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


def test_it_opens_with_the_real_findings() -> None:
    (block,) = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    command, shown = block.split("\n", 1)
    arguments = command.removeprefix("$ archlint ").split()
    done = subprocess.run(
        [sys.executable, "-m", "archlint", *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert shown == done.stdout


@pytest.mark.oracle
def test_the_fix_that_it_shows_is_the_real_one(tmp_path: Path) -> None:
    (block,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    command, shown = block.split("\n", 1)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    arguments = command.removeprefix("$ archlint ").split()
    done = subprocess.run(
        [sys.executable, "-m", "archlint", *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    version = re.compile(r"keras [\d.]+ on")
    assert version.sub("keras on", shown) == version.sub("keras on", done.stdout)


def test_it_has_two_commands_that_set_up() -> None:
    commands = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)
    last = [command.split(" && ")[-1] for command in commands]
    assert [".venv/bin/archlint examples", ".venv/bin/pytest -n auto"] == last


def test_it_counts_the_rules_of_every_family() -> None:
    rows = re.findall(r"^\| \[([a-z]+)\]\(docs/rules/index\.md#\1\) \| (\d+) \|", README, re.MULTILINE)
    counts = Counter(rule.family for rule in load())
    assert {family: str(count) for family, count in counts.items()} == dict(rows)
    assert f"{counts.total()} rules in {len(counts)} families" in README


@pytest.mark.parametrize("path", re.findall(r"\]\(([^):#]+)(?:#[a-z]+)?\)", README))
def test_its_links_lead_somewhere(path: str) -> None:
    assert (ROOT / path).exists()


def test_the_hook_is_pinned_to_this_version() -> None:
    assert f"rev: v{archlint.__version__}\n" in README
