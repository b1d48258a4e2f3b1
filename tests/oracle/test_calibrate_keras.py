"""``archlint fix --calibrate`` on Keras models: nested heads, several inputs, numbers, channels first."""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras")

from keras import layers  # noqa: E402 (after the framework, which may be absent)

from archlint.fixing import calibration  # noqa: E402
from archlint.fixing.calibration import calibrate  # noqa: E402
from archlint.runtime import trunk  # noqa: E402

pytestmark = pytest.mark.oracle


@pytest.fixture(autouse=True)
def drawn_alike():
    """Weights and samples are the same in every run, whichever tests ran before."""
    keras.utils.set_random_seed(0)


def positionless(layer, channels: int, first: bool = False) -> None:
    """Gives the first dense layer of a head the same weights at all places, so that a mean serves it."""
    kernel = layer.kernel.numpy()
    rows = np.random.normal(size=(channels, kernel.shape[1]))
    places = len(kernel) // channels
    layer.kernel.assign(np.repeat(rows, places, axis=0) if first else np.tile(rows, (places, 1)))


def at_once(path, format_, samples, places, batch, *_):
    """What ``values_at`` gives, without a process of its own."""
    run = trunk.RUNS[format_](path, [{"layer": p.layer, "side": p.side, "value": p.value} for p in places])
    return run({name: np.load(file) for name, file in samples.files.items()})


@pytest.fixture
def in_process(monkeypatch):
    monkeypatch.setattr(calibration, "values_at", at_once)


def sample_file(tmp_path, **shapes: tuple[int, ...]) -> str:
    arrays = {name: np.random.normal(size=(250, *shape)).astype("float32") for name, shape in shapes.items()}
    np.savez(tmp_path / "samples.npz", **arrays)
    return str(tmp_path / "samples.npz")


def compare(found, path: str, fed) -> None:
    """The average won, and the written model gives what the original gave."""
    assert found.winner is not None, found.trials
    assert "average" == found.winner.name
    old, new = (np.asarray(keras.models.load_model(one, compile=False)(fed)) for one in (path, found.out))
    # The fit is exact up to the penalty that remains, 1e-8 of the largest squared singular value.
    np.testing.assert_allclose(new, old, atol=2e-3 * np.abs(old).max())


def nested() -> object:
    trunk_ = keras.Sequential([keras.Input((7, 7, 1)), layers.Conv2D(4, 3, activation="relu")], name="trunk")
    inside = keras.Input((5, 5, 4))
    hidden = layers.Dense(6, activation="relu", name="fc1")(layers.Flatten()(inside))
    head = keras.Model(inside, layers.Dense(3, activation="softmax", name="fc2")(hidden), name="head")
    positionless(head.get_layer("fc1"), 4)
    image = keras.Input((7, 7, 1), name="image")
    return keras.Model(image, head(trunk_(image)))


def test_a_head_in_a_nested_model_is_run_in_a_process_and_made_smaller(tmp_path):
    path = str(tmp_path / "m.keras")
    nested().save(path)
    samples = sample_file(tmp_path, image=(7, 7, 1))
    found = calibrate(path, samples)
    assert ("classes", 50, "average") == (found.measure, found.held, found.winner.name)
    assert found.winner.agreement == found.proven
    image = np.load(samples)["image"]
    old, new = (np.asarray(keras.models.load_model(one)(image)) for one in (path, found.out))
    assert (old.argmax(axis=1) == new.argmax(axis=1)).mean() > 0.97


@pytest.mark.usefixtures("in_process")
def test_a_head_beside_another_input_is_fitted_to_its_numbers(tmp_path):
    image, more = keras.Input((7, 7, 2), name="image"), keras.Input((3,), name="more")
    dense = layers.Dense(5, name="fc")
    value = dense(layers.Flatten()(layers.Conv2D(4, 3, activation="relu")(image)))
    positionless(dense, 4)
    value = layers.Concatenate()([value, layers.Dense(2)(more)])
    model = keras.Model([image, more], layers.Dense(1)(value))
    path = str(tmp_path / "m.h5")
    model.save(path)
    samples = sample_file(tmp_path, image=(7, 7, 2), more=(3,))
    found = calibrate(path, samples)
    assert "numbers" == found.measure
    assert pytest.approx(1.0) == found.winner.agreement
    arrays = np.load(samples)
    compare(found, path, [arrays["image"], arrays["more"]])


@pytest.mark.usefixtures("in_process")
def test_maps_whose_channels_come_first_are_fitted(tmp_path):
    """TensorFlow has no kernels for them on a CPU; XLA does."""
    kind = {"data_format": "channels_first"}
    image, dense = keras.Input((2, 7, 7), name="image"), layers.Dense(5, name="fc")
    value = dense(layers.Flatten()(layers.Conv2D(4, 3, activation="relu", **kind)(image)))
    positionless(dense, 4, first=True)
    path = str(tmp_path / "m.keras")
    keras.Model(image, value).save(path)
    found = calibrate(path, sample_file(tmp_path, image=(2, 7, 7)))
    assert "average" == found.winner.name
    assert pytest.approx(found.winner.agreement) == found.proven


@pytest.mark.usefixtures("in_process")
def test_a_layer_that_is_called_twice_is_refused(tmp_path):
    one, two = (keras.Input((6, 6, 1)) for _ in range(2))
    parts = [keras.Input((6, 6, 1)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(3)]
    head = keras.Sequential(parts)
    path = str(tmp_path / "m.keras")
    keras.Model([one, two], [head(one), head(two)]).save(path)
    with pytest.raises(calibration.PatchError, match=r"share|more than once"):
        calibrate(path, sample_file(tmp_path, **dict.fromkeys((one.name, two.name), (6, 6, 1))))
