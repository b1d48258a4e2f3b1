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


def scheduled(written):
    config = {
        "initial_learning_rate": 0.5,
        "decay_steps": 10,
        "decay_rate": 0.9,
        "staircase": False,
        "name": None,
    }
    stated = {"class_name": "Adam", "config": {"learning_rate": {**written, "config": config}}}
    return settings(Raw({"loss": "mse", "optimizer_config": stated}, "config.json"), ["out"]).optimizer.attrs


@pytest.mark.parametrize(
    "written",
    [
        {"class_name": "ExponentialDecay"},
        {"class_name": "ExponentialDecay", "module": "keras.optimizers.schedules", "registered_name": None},
    ],
)
def test_the_settings_of_a_schedule_are_read(written):
    rate = "ExponentialDecay"
    expected = {"schedule_initial_learning_rate": 0.5, "schedule_decay_steps": 10, "schedule_decay_rate": 0.9}
    assert {**expected, "learning_rate": rate, "schedule_staircase": False} == scheduled(written)


@pytest.mark.parametrize(
    "written",
    [
        {"class_name": "ExponentialDecay", "module": "mine.schedules"},
        {"class_name": "Mine>ExponentialDecay"},
        {"class_name": "NoamDecay"},
    ],
)
def test_a_schedule_of_the_users_own_is_known_by_name_alone(written):
    assert {"learning_rate": written["class_name"]} == scheduled(written)
