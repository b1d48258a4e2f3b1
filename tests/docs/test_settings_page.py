"""The settings on the page are settings."""

import re
from pathlib import Path

import pytest

from archlint.choice import chosen
from archlint.engine import load
from archlint.settings import KEYS, load_settings
from archlint.targets import TARGETS

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
BLOCKS = re.findall(r"```(yaml|toml)\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("kind", "text"), BLOCKS)
def test_every_file_on_the_page_is_taken(tmp_path, kind, text):
    (tmp_path / "house-rules").mkdir()
    (tmp_path / ("archlint.yaml" if kind == "yaml" else "pyproject.toml")).write_text(text)
    settings = load_settings(tmp_path)
    assert settings.path
    assert len(chosen(load(), settings).rules) > 0


def test_the_page_shows_every_key_and_target():
    first = BLOCKS[0][1]
    assert [] == [key for key in KEYS if not re.search(rf"^{key}:", first, re.MULTILINE)]
    assert [] == [name for name in TARGETS if f"`{name}`" not in PAGE]
