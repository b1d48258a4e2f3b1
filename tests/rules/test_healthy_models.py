"""Well-known healthy models get no error and no warning; VGG's first dense layer is the one exception."""

import inspect
from pathlib import Path

import pytest

from archlint.api import check

pytestmark = pytest.mark.oracle

VGG = {"VGG16": [("warning", "flatten-into-large-dense", "fc1")]}
VGG["VGG19"] = VGG["VGG16"]


def applications():
    keras = pytest.importorskip("keras")
    found = vars(keras.applications)
    return sorted(name for name, make in found.items() if inspect.isfunction(make) and name[0].isupper())


@pytest.mark.slow
def test_no_application_of_keras_gets_a_warning_that_it_does_not_deserve(monkeypatch, tmp_path: Path):
    keras = pytest.importorskip("keras")

    def zeros(initializer, shape, dtype=None, **_):
        return keras.ops.zeros(shape, dtype or "float32")

    monkeypatch.setattr(keras.initializers.VarianceScaling, "__call__", zeros)
    monkeypatch.setattr(keras.initializers.RandomNormal, "__call__", zeros)
    assert len(applications()) > 35
    for name in applications():
        path = tmp_path / f"{name}.json"
        path.write_text(getattr(keras.applications, name)(weights=None).to_json())
        keras.utils.clear_session()
        (row,) = check([str(path)]).files
        loud = [(f.severity, f.rule, f.node) for f in row.findings if f.severity != "info"]
        assert (name, VGG.get(name, []), None, ()) == (name, loud, row.problem, row.crashes)
