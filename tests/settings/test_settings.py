"""Settings files: which one applies, what it may hold, and what is said of what it may not."""

import os
import sys
from pathlib import Path

import pytest

from archlint.errors import UsageError
from archlint.settings import KEYS, load_settings, rows


def settings_in(folder: Path, text: str, name: str = "archlint.yaml"):
    (folder / name).write_text(text)
    return load_settings(folder)


def problem_in(folder: Path, text: str, name: str = "archlint.yaml") -> str:
    with pytest.raises(UsageError) as caught:
        settings_in(folder, text, name)
    return str(caught.value)


def test_without_a_file_the_defaults_apply(tmp_path):
    found = load_settings(tmp_path)
    assert (None, (), "warning", {}) == (found.path, found.select, found.fail_on, found.options)


def test_every_key_of_a_yaml_file_is_read(tmp_path):
    (tmp_path / "house").mkdir()
    found = settings_in(
        tmp_path,
        "select: [head, graph]\nextend-select: raw-image-input\nignore: ['dead-*']\nfail-on: error\n"
        "rules: [house]\noptions: {some-rule: {max: 5_000_000, names: [a, b], share: 0.5}}\n"
        "severity: {some-rule: info}\ntarget: tensorrt\nweights: on\n",
    )
    assert ("head", "graph") == found.select
    assert ("raw-image-input",) == found.extend_select
    assert ("dead-*",) == found.ignore
    assert "error" == found.fail_on
    assert (tmp_path / "house",) == found.rules
    assert {"some-rule": {"max": 5_000_000, "names": ("a", "b"), "share": 0.5}} == found.options
    assert {"some-rule": "info"} == found.severity
    assert ("tensorrt",) == found.target
    assert found.weights is True


def test_a_table_of_pyproject_is_read_alike(tmp_path):
    text = (
        '[tool.archlint]\nfail-on = "error"\ntarget = ["fp16"]\n[tool.archlint.options.some-rule]\nmax = 5\n'
    )
    found = settings_in(tmp_path, text, "pyproject.toml")
    assert ("error", ("fp16",), {"some-rule": {"max": 5}}) == (found.fail_on, found.target, found.options)


def test_the_closest_file_applies_alone(tmp_path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "archlint.yaml").write_text("fail-on: error\nignore: [head]\n")
    (tmp_path / "a" / "archlint.yaml").write_text("fail-on: info\n")
    found = load_settings(inner)
    assert ("info", ()) == (found.fail_on, found.ignore)


def test_archlint_yaml_comes_before_pyproject_of_the_same_folder(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.archlint]\nfail-on = "error"\n')
    assert "info" == settings_in(tmp_path, "fail-on: info\n").fail_on


def test_a_pyproject_without_a_table_is_passed_over(tmp_path):
    inner = tmp_path / "package"
    inner.mkdir()
    (inner / "pyproject.toml").write_text('[project]\nname = "archlint-plugin"\n')
    (tmp_path / "archlint.yaml").write_text("fail-on: error\n")
    assert "error" == load_settings(inner).fail_on


def test_an_empty_table_of_pyproject_stops_the_search(tmp_path):
    inner = tmp_path / "package"
    inner.mkdir()
    (inner / "pyproject.toml").write_text("[tool.archlint]\n")
    (tmp_path / "archlint.yaml").write_text("fail-on: error\n")
    assert "warning" == load_settings(inner).fail_on


def test_a_named_file_applies_and_isolated_takes_none(tmp_path):
    (tmp_path / "archlint.yaml").write_text("fail-on: error\n")
    other = tmp_path / "strict.yaml"
    other.write_text("fail-on: info\n")
    assert "info" == load_settings(tmp_path, other).fail_on
    assert "warning" == load_settings(tmp_path, isolated=True).fail_on


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("fail-on: error\nignor: [a]\n", 2, "there is no setting 'ignor'; did you mean 'ignore'?"),
        ("fail-on: eror\n", 1, "'fail-on' is one of error, warning, info, never, not 'eror'; did you mean"),
        ("\nselect: 5\n", 2, "'select' is a list of names, not 5"),
        ("target: [tensort]\n", 1, "names 'tensort', which is none of"),
        ("severity:\n  a: info\n  b: fatal\n", 3, "'severity.b' is one of error, warning, info, not 'fatal'"),
        ("options:\n  a: {x: 1}\n  b: 3\n", 3, "'options.b' maps options to values, not 3"),
        ("weights: sometimes\n", 1, "'weights' is true or false, not 'sometimes'"),
        ("rules: [nowhere]\n", 1, "which is no folder"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, text, line, said):
    problem = problem_in(tmp_path, text)
    assert f"archlint.yaml:{line}: " in problem
    assert said in problem


def test_a_mistake_in_pyproject_is_named_with_its_line(tmp_path):
    problem = problem_in(tmp_path, "[project]\nname = 'x'\n\n[tool.archlint]\nselct = []\n", "pyproject.toml")
    assert "pyproject.toml:5: there is no setting 'selct'; did you mean 'select'?" in problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1\n", "archlint.yaml:2:1: this is not YAML"),
        ("- a\n- b\n", "settings are keys and values"),
        ("[" * 30_000, "too large to be a settings file"),
        ("a: " + "x" * 70_000, "too large to be a settings file"),
    ],
)
def test_what_is_no_settings_file_is_one_sentence(tmp_path, text, said):
    assert said in problem_in(tmp_path, text)


def test_broken_toml_is_one_sentence(tmp_path):
    assert "this is not TOML" in problem_in(tmp_path, "[tool.archlint\n", "pyproject.toml")


def test_an_empty_file_sets_nothing(tmp_path):
    assert "warning" == settings_in(tmp_path, "").fail_on


def test_the_command_line_wins_and_extends(tmp_path):
    base = settings_in(tmp_path, "select: [head]\nextend-select: [a]\nignore: [b]\nfail-on: error\n")
    found = base.overruled(select=["graph"], extend_select=["c"], fail_on="info")
    assert (("graph",), ("a", "c"), ("b",), "info") == (
        found.select,
        found.extend_select,
        found.ignore,
        found.fail_on,
    )


def test_every_setting_says_where_it_stands(tmp_path):
    found = settings_in(tmp_path, "\nfail-on: error\n")
    places = {key: place for key, _, place in rows(found)}
    assert KEYS == tuple(places)
    assert places["fail-on"].endswith("archlint.yaml:2")
    assert "default" == places["select"]


def test_without_a_file_nothing_is_imported_for_it(tmp_path):
    code = (
        "import sys; from pathlib import Path; from archlint.settings import load_settings; "
        f"load_settings(Path({str(tmp_path)!r})); print([m for m in ('yaml', 'tomllib') if m in sys.modules])"
    )
    import subprocess

    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": root}
    )
    assert "[]\n" == done.stdout
