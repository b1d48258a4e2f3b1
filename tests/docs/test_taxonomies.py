"""The page on published faults names rules that exist, and leaves out none of NeuraLint's codes."""

import re
from pathlib import Path

from archlint.engine import load

PAGE = (Path(__file__).parents[2] / "docs" / "taxonomies.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| code", "| what"))
]


def column(row: list[str]) -> str:
    """The rules of a row: the third cell of NeuraLint's table, the second of the others."""
    return row[2] if re.match(r"f\d{3}", row[0]) else row[1]


def test_every_rule_on_the_page_exists():
    named = {name for row in ROWS for name in re.findall(r"`([a-z0-9-]+)`", column(row))}
    assert len(named) > 25
    assert set() == named - set(load().by_name)


def test_all_27_codes_of_neuralint_are_there_once():
    codes = [code for row in ROWS for code in re.findall(r"\bf\d{3}\b", row[0])]
    assert [f"f{number:03}" for number in range(1, 28)] == sorted(codes)


def test_a_fault_without_a_rule_says_why():
    for row in ROWS:
        if not column(row):
            assert re.search(r"Rejected|Not in a saved model|Seen only while training", row[-1]), row[0]


def test_no_place_is_left_to_be_filled():
    assert "@" not in PAGE
