"""The page on the rule language shows a rule that works."""

import re
from pathlib import Path

from archlint.engine import load, run_examples

PAGE = Path(__file__).parent.parent.parent / "docs" / "rule-language.md"


def test_the_rule_on_the_page_loads_and_its_examples_hold(tmp_path):
    text = re.search(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]
    (tmp_path / "wide-dense.yaml").write_text(text)
    rules = load([tmp_path], builtin=False)
    assert [None] * 4 == [result.problem for result in run_examples(rules)]
