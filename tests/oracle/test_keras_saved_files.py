"""Models saved by real Keras and tf_keras, as .keras and .h5: read as their framework has them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from keras_compare import (
    keras_counts,
    layer_shapes,
    open_axes,
    output_shapes,
    read_file,
    total,
    trained,
    unknown,
)
from keras_models import BOTH, KERAS_3

pytestmark = pytest.mark.oracle
FORMATS = {".keras": "keras", ".h5": "keras-h5"}


@pytest.fixture(params=["keras", "tf_keras"])
def framework(request: pytest.FixtureRequest) -> Any:
    found = pytest.importorskip(request.param)
    found.backend.clear_session()
    return found


@pytest.fixture
def keras() -> Any:
    return pytest.importorskip("keras")


def _compare(model: Any, path: Path) -> Any:
    model.save(path)
    graph = read_file(path, FORMATS[path.suffix])
    assert [] == unknown(graph)
    assert [] == layer_shapes(model, graph)
    assert [open_axes(tuple(output.shape)) for output in model.outputs] == output_shapes(graph)
    assert keras_counts(model) == (total(graph), trained(graph))
    return graph


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("name", BOTH)
def test_a_saved_model_is_read_as_its_framework_has_it(
    name: str, suffix: str, framework: Any, tmp_path: Path
) -> None:
    _compare(BOTH[name](framework), tmp_path / f"model{suffix}")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("name", KERAS_3)
def test_what_only_keras_3_has_is_read_as_it_has_it(
    name: str, suffix: str, keras: Any, tmp_path: Path
) -> None:
    _compare(KERAS_3[name](keras), tmp_path / f"model{suffix}")


def _compiled(k: Any, **settings: Any) -> Any:
    x = k.Input((4,))
    outputs = [k.layers.Dense(3, name="kind")(x), k.layers.Dense(1, name="size")(x)]
    model = k.Model(x, outputs)
    model.compile(**settings)
    return model


def ours(truth: Any, guess: Any) -> Any:
    """A loss that only its author has."""
    return abs(truth - guess)


def _schedule(k: Any) -> Any:
    return k.optimizers.schedules.CosineDecay(0.1, 1000)


COMPILED: dict[str, Any] = {
    "texts": (
        lambda _: {"optimizer": "rmsprop", "loss": "mse", "metrics": ["mae", "acc"]},
        [("mean_squared_error", 0, {}), ("mean_squared_error", 1, {})],
        ["accuracy", "mean_absolute_error"],
        ("rmsprop", {}),
    ),
    "objects by name": (
        lambda k: {
            "optimizer": k.optimizers.SGD(0.25, momentum=0.5, nesterov=True),
            "loss": {
                "kind": k.losses.SparseCategoricalCrossentropy(from_logits=True),
                "size": k.losses.Huber(2.0),
            },
            "loss_weights": {"kind": 0.5, "size": 2.0},
            "metrics": {"kind": [k.metrics.SparseTopKCategoricalAccuracy(k=2)], "size": "mse"},
        },
        [
            ("sparse_categorical_crossentropy", 0, {"from_logits": True, "weight": 0.5}),
            ("huber", 1, {"weight": 2.0}),  # Keras 3 does not save delta
        ],
        ["mean_squared_error", "sparse_top_k_categorical_accuracy"],
        ("sgd", {"learning_rate": 0.25, "momentum": 0.5, "nesterov": True}),
    ),
    "lists": (
        lambda k: {
            "optimizer": k.optimizers.Adam(_schedule(k), clipnorm=1.0),
            "loss": ["categorical_crossentropy", k.losses.MeanAbsoluteError()],
            "loss_weights": [1.0, 3.0],
            "metrics": [["accuracy"], []],
            "weighted_metrics": [[], ["mae"]],
        },
        [("categorical_crossentropy", 0, {"weight": 1.0}), ("mean_absolute_error", 1, {"weight": 3.0})],
        ["accuracy", "mean_absolute_error"],
        ("adam", {"learning_rate": "CosineDecay", "clipnorm": 1.0}),
    ),
    "one output only": (
        lambda _: {"optimizer": "adamw", "loss": {"size": "log_cosh"}},
        [("log_cosh", 1, {})],
        [],
        ("adam_w", {}),
    ),
    "smoothing": (
        lambda k: {
            "optimizer": k.optimizers.Lion(1e-3),
            "loss": [k.losses.CategoricalCrossentropy(label_smoothing=0.1), None],
        },
        [("categorical_crossentropy", 0, {"label_smoothing": 0.1, "from_logits": False})],
        [],
        ("lion", {}),
    ),
    "scaled": (
        lambda k: {
            "optimizer": k.optimizers.LossScaleOptimizer(k.optimizers.Nadam(0.5))
            if k.__name__ == "keras"
            else k.mixed_precision.LossScaleOptimizer(k.optimizers.Nadam(0.5)),
            "loss": "poisson",
        },
        [("poisson", 0, {}), ("poisson", 1, {})],
        [],
        ("nadam", {"learning_rate": 0.5, "loss_scale": True}),
    ),
}
"""Case → settings for ``compile``, and what is read: losses, metrics by name, optimizer."""


def _plain(found: re.Match[str]) -> str:
    return found.group() if "top_k" in found.group() else "accuracy"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("case", COMPILED)
def test_compile_settings_are_read_as_they_were_given(
    case: str, suffix: str, framework: Any, tmp_path: Path
) -> None:
    settings, losses, metrics, (optimizer, details) = COMPILED[case]
    if framework.__name__ != "keras" and case in ("one output only", "smoothing"):
        pytest.skip("tf_keras has no such loss or optimizer in this form")
    training = _compare(_compiled(framework, **settings(framework)), tmp_path / f"m{suffix}").training
    assert [(name, output) for name, output, _ in losses] == [(s.name, s.output) for s in training.losses]
    for (_, _, expected), found in zip(losses, training.losses, strict=True):
        assert expected == {key: found.attrs.get(key) for key in expected}
        assert not found.custom
    # tf_keras saves which accuracy it took: binary_accuracy, categorical_accuracy.
    assert metrics == sorted({re.sub(r"^\w+_accuracy$", _plain, metric.name) for metric in training.metrics})
    assert optimizer == training.optimizer.name
    assert details == {key: training.optimizer.attrs.get(key) for key in details}


def test_a_loss_of_its_author_is_marked(framework: Any, tmp_path: Path) -> None:
    model = _compiled(framework, loss={"kind": ours, "size": "mse"})
    training = _compare(model, tmp_path / "m.keras").training
    assert [("ours", True), ("mean_squared_error", False)] == [(s.name, s.custom) for s in training.losses]
