"""The pages of the rules are what the rule files say."""

from pathlib import Path

from archlint.engine import load, pages, write_pages

FOLDER = Path(__file__).parents[2] / "docs" / "rules"
COMMAND = "archlint rules --isolated --docs docs/rules"


def test_the_pages_in_the_repository_are_those_of_the_rules():
    wanted = pages(load())
    there = {path.relative_to(FOLDER).as_posix(): path.read_text() for path in FOLDER.rglob("*.md")}
    stale = sorted(path for path in {*wanted, *there} if wanted.get(path) != there.get(path))
    assert [] == stale, f"run: {COMMAND}"


def test_the_index_names_every_rule_under_its_family():
    index = pages(load())["index.md"]
    for rule in load():
        family = index.split(f"## {rule.family}\n")[1].split("\n## ")[0]
        assert f"[{rule.name}]({rule.family}/{rule.name}.md)" in family


def test_a_page_says_all_that_a_reader_needs():
    rule = load().by_name["parameters-over-budget"]
    text = pages(load())["budget/parameters-over-budget.md"]
    for part in (
        rule.body.summary,
        rule.body.why.strip(),
        rule.body.when_to_ignore.strip(),
        rule.body.sources[0],
        "`max`",
        "```",
    ):
        assert part in text
    assert "> error: the model holds 330 parameters, 1 more than the budget of 329" in text


def test_pages_of_rules_that_are_gone_are_removed(tmp_path):
    (tmp_path / "budget").mkdir()
    (tmp_path / "budget" / "gone.md").write_text("old")
    count = write_pages(load(), str(tmp_path))
    assert not (tmp_path / "budget" / "gone.md").exists()
    assert count == len(list(tmp_path.rglob("*.md")))
