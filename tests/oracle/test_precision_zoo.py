"""Healthy models stay without errors and warnings, and the zoo is what Keras itself would save."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PRECISION = Path(__file__).parents[2] / "benchmarks" / "precision"


@pytest.mark.oracle
@pytest.mark.slow
def test_findings_on_healthy_models_are_those_of_the_golden_file(tmp_path: Path) -> None:
    command = [sys.executable, PRECISION / "run.py", "--check", "--cache", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert 0 == done.returncode, done.stdout + done.stderr[-2000:]


@pytest.mark.oracle
def test_a_description_without_storage_is_what_keras_saves(tmp_path: Path) -> None:
    code = """if True:
        import pathlib, sys
        import zoo
        folder = pathlib.Path(sys.argv[1])
        for name in ("mnist_cnn", "siamese", "transfer_learning", "bert_encoder"):
            zoo.save_description(zoo.described(name), folder / f"{name}.description.keras")
            zoo.keras.utils.clear_session()
            model, settings = zoo.zoo()[name]()
            model.compile(**settings())
            model.save(folder / f"{name}.saved.keras")
    """
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True, cwd=PRECISION, capture_output=True)
    saved = sorted(tmp_path.glob("*.saved.keras"))
    assert 4 == len(saved)
    for path in saved:
        twin = path.with_name(path.name.replace(".saved.", ".description."))
        assert _config(path) == _config(twin)


def _config(path: Path) -> object:
    """The architecture without the addresses of the objects that were shared while saving."""
    with zipfile.ZipFile(path) as archive:
        text = archive.read("config.json").decode()
    return json.loads(re.sub(r', "shared_object_id": \d+', "", text))
