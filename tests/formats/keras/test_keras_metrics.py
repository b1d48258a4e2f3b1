"""What a file calls its metrics is read, and written, as what Keras does with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from archlint.formats.keras.raw import Raw
from archlint.formats.keras.training import settings
from archlint.formats.keras.write.compiled import set_training


def compiled(metric: Any) -> dict[str, Any]:
    return {"loss": "sparse_categorical_crossentropy", "metrics": [metric], "optimizer": None}


def named(metric: Any) -> str:
    training = settings(Raw(compiled(metric), "config.json"), ["out"])
    assert training is not None
    return training.metrics[0].name


def wrapped(fn: str, name: str) -> dict[str, Any]:
    """As tf_keras saves a metric that was given as text."""
    return {"class_name": "MeanMetricWrapper", "config": {"name": name, "dtype": "float32", "fn": fn}}


@pytest.mark.parametrize("name", ["accuracy", "acc", "head_accuracy"])
def test_accuracy_that_tf_keras_guessed_from_the_outputs_is_accuracy(name: str) -> None:
    assert "accuracy" == named(wrapped("categorical_accuracy", name))


@pytest.mark.parametrize("name", ["categorical_accuracy", "head_categorical_accuracy", "hits"])
def test_an_accuracy_that_was_asked_for_by_name_keeps_it(name: str) -> None:
    assert "categorical_accuracy" == named(wrapped("categorical_accuracy", name))


def test_the_class_accuracy_is_told_from_the_text() -> None:
    assert "exact_accuracy" == named({"class_name": "Accuracy", "config": {"name": "accuracy"}})
    assert "accuracy" == named("accuracy")


def test_accuracy_is_written_as_text_in_place_of_a_class() -> None:
    config = compiled({"class_name": "CategoricalAccuracy", "config": {"name": "categorical_accuracy"}})
    was = settings(Raw(config, "config.json"), ["out"])
    assert was is not None
    set_training(
        config, was, replace(was, metrics=(replace(was.metrics[0], name="accuracy", attrs={}),)), True
    )
    assert ["accuracy"] == config["metrics"]
