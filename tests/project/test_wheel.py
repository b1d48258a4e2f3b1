"""The built wheel works without the checkout: its rules and its schema are inside."""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    (built,) = folder.glob("archlint-*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_holds_every_rule_and_the_schema(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    rules = {path.relative_to(ROOT / "rules").as_posix() for path in (ROOT / "rules").glob("*/*.yaml")}
    assert rules
    assert {f"archlint/_rules/{rule}" for rule in rules} <= names
    targets = {path.relative_to(ROOT).as_posix() for path in (ROOT / "archlint/targets").glob("*.yaml")}
    assert targets
    assert targets <= names
    assert "archlint/reporters/report.schema.json" in names
    assert not any(name.startswith(("tests/", "benchmarks/", "examples/")) for name in names)


@pytest.mark.slow
def test_the_installed_wheel_lints_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    subprocess.run([tmp_path / "venv/bin/pip", "install", "-q", str(wheel)], check=True)
    shutil.copy(ROOT / "examples/tutorial_cnn.keras", tmp_path)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [tmp_path / "venv/bin/archlint", "--format", "json", "tutorial_cnn.keras"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["files"][0]["params"] == 11_574_090
    assert "flatten-into-large-dense" in {finding["rule"] for finding in report["files"][0]["findings"]}
