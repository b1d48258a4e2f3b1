"""A Keras model from the file to the proof, in both of its formats."""

import os
from pathlib import Path

import numpy as np
import pytest

from archlint.fixing import carry_out, plan, rehearsed

RULE = "input-size-fixed-by-flatten"


@pytest.mark.oracle
@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_freed_input_size_is_proven_at_the_old_and_at_new_sizes(tmp_path, suffix) -> None:
    keras = pytest.importorskip("keras")
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3), name="image"),
            layers.Conv2D(4, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
            layers.Dense(5, activation="softmax"),
        ]
    )
    path = str(tmp_path / f"m{suffix}")
    model.save(path)
    before = Path(path).read_bytes()
    patch = carry_out(plan(path, select=(RULE,)), "require")
    assert before == Path(path).read_bytes()
    assert [RULE] == [attempt.finding.rule for attempt in patch.made]
    assert {f"m{suffix}", f"m.fixed{suffix}"} == set(os.listdir(tmp_path))
    assert (3, ("2×44×44×3", "2×76×44×3"), None) == (
        patch.proof.draws,
        patch.proof.larger,
        patch.proof.reason,
    )
    patched = keras.saving.load_model(patch.out)
    x = np.random.default_rng(0).normal(size=(3, 12, 12, 3)).astype(np.float32)
    assert np.allclose(model(x), patched(x), atol=1e-6)  # float32 sums in another order


@pytest.mark.oracle
@pytest.mark.parametrize(("constraint", "count"), [("max_norm", 0), (None, 1)])
def test_a_fix_that_keras_cannot_say_is_not_shown_as_made(tmp_path, constraint, count) -> None:
    keras = pytest.importorskip("keras")
    layers = keras.layers
    head = [layers.Flatten(), layers.Dense(4, kernel_constraint=constraint), layers.Dense(2)]
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3), *head])
    path = str(tmp_path / "m.keras")
    model.save(path)
    planned = plan(path, select=(RULE,))
    assert 1 == len(planned.patch.made)
    assert count == len(rehearsed(planned).patch.made)
    assert ["m.keras"] == os.listdir(tmp_path)
