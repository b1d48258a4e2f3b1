"""Optimizers that tf_keras ships are told from those that a user registered."""

import pytest

from archlint.formats.keras.raw import Raw
from archlint.formats.keras.training import settings


@pytest.mark.parametrize(
    ("written", "name", "custom"),
    [("Custom>RMSprop", "rmsprop", False), ("Adam", "adam", False), ("mine>Adam", "Adam", True)],
)
def test_an_optimizer_is_tf_kerass_own_in_the_package_that_names_none(written, name, custom):
    stated = {"class_name": written, "config": {"learning_rate": 0.1}}
    training = settings(Raw({"loss": "mse", "optimizer_config": stated}, "config.json"), ["out"])
    assert (name, custom) == (training.optimizer.name, training.optimizer.custom)
