"""What a run imports: no framework ever, and of the file libraries only the one that the file needs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KERAS = str(ROOT / "examples/tutorial_cnn.keras")
ONNX = str(ROOT / "examples/digits.onnx")
FRAMEWORKS = {"tensorflow", "keras", "tf_keras", "torch", "onnxruntime", "jax", "tf2onnx"}

RUN = """
import json, sys
sys.argv = ["archlint", *sys.argv[1:]]
from archlint.cli import main
try:
    main()
except SystemExit as end:
    print(json.dumps([end.code, sorted(sys.modules)]), file=sys.stderr)
"""


def modules_after(*arguments: str) -> set[str]:
    """The modules that a whole run of the command line has imported."""
    done = subprocess.run([sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, check=True)
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code in (0, 1), done.stderr
    return set(modules)


def top_level(modules: set[str]) -> set[str]:
    return {name.split(".")[0] for name in modules}


@pytest.mark.parametrize("arguments", [(KERAS, ONNX), ("show", KERAS), ("show", ONNX), ("rules",)])
def test_no_framework_is_ever_imported(arguments: tuple[str, ...]) -> None:
    assert top_level(modules_after(*arguments)) & FRAMEWORKS == set()


def test_linting_keras_without_weights_imports_no_file_library_and_no_numpy() -> None:
    assert top_level(modules_after("--no-weights", KERAS)) & {"numpy", "h5py", "onnx", "google"} == set()


def test_weights_of_a_large_model_are_left_alone_unless_asked_for() -> None:
    assert top_level(modules_after(KERAS)) & {"numpy", "h5py", "onnx", "google"} == set()


def test_linting_onnx_imports_no_keras_reader() -> None:
    modules = modules_after(ONNX)
    assert "h5py" not in modules
    assert not any(name.startswith("archlint.formats.keras") for name in modules)


def test_the_command_line_imports_at_most_80_modules() -> None:
    code = "import sys; before = len(sys.modules); import archlint.cli; print(len(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 80


def test_help_and_version_import_no_engine() -> None:
    for option in ("--help", "--version"):
        assert not any(name.startswith("archlint.engine") for name in modules_after(option))
