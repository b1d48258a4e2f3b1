"""The hooks work in a real pre-commit, in a repository that holds models."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GIT = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main"]


def repository(folder: Path) -> Path:
    """A git repository with what stands in the folder committed."""
    subprocess.run([*GIT, "init", "-q"], cwd=folder, check=True)
    subprocess.run([*GIT, "add", "-A"], cwd=folder, check=True)
    subprocess.run([*GIT, "commit", "-q", "-m", "all"], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with what an installation needs of this checkout."""
    folder = tmp_path_factory.mktemp("hooks")
    for name in ("archlint", "rules"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / name, folder)
    return repository(folder)


def try_hook(hooks: Path, hook: str, models: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **{key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        "PRE_COMMIT_HOME": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-m", "pre_commit", "try-repo", str(hooks), hook, "--all-files"]
    return subprocess.run(command, cwd=models, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_the_hook_stops_a_commit_with_a_finding_and_with_a_pointer(hooks: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(ROOT / "examples/tutorial_cnn.keras", models)
    shutil.copy(ROOT / "examples/digits.onnx", models)
    (models / "pointer.onnx").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    done = try_hook(hooks, "archlint", repository(models), tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "flatten-into-large-dense" in done.stdout
    assert "run `git lfs pull`" in done.stdout
    assert "3 files" in done.stdout


@pytest.mark.slow
def test_the_hook_lets_a_healthy_model_pass(hooks: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(ROOT / "examples/digits.onnx", models)
    done = try_hook(hooks, "archlint", repository(models), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 file" in done.stdout
