"""How inputs are drawn and outputs compared, without a framework."""

import math

import numpy as np
import pytest

from archlint.runtime.compare import TOLERANCE, are_finite, gap
from archlint.runtime.draw import DRAWS, drawn, nudged
from archlint.runtime.feeds import Feed, Job
from archlint.runtime.sessions import RUNTIMES
from archlint.runtime.verify import answer_to


def arrays(*rows) -> list:
    return [np.array(row, np.float32) for row in rows]


def test_the_difference_is_measured_against_the_largest_output() -> None:
    assert (0.5, 0.125) == gap(arrays([1, 4]), arrays([1.5, 4]))


def test_each_output_has_its_own_largest_value() -> None:
    assert (0.5, 0.5) == gap(arrays([100, 1], [1]), arrays([100, 1], [0.5]))


def test_equal_infinities_and_nans_are_equal() -> None:
    odd = arrays([math.nan, math.inf, -math.inf, 2])
    assert (0.0, 0.0) == gap(odd, odd)
    assert (1.0, 0.5) == gap(odd, arrays([math.nan, math.inf, -math.inf, 3]))


@pytest.mark.parametrize("other", [[1, math.nan], [1, math.inf], [[1, 2]]])
def test_what_cannot_be_compared_is_infinitely_far(other) -> None:
    assert math.inf == gap(arrays([1, 2]), arrays(other))[0]


def test_not_finite_is_seen() -> None:
    assert (True, False) == (are_finite(arrays([1])), are_finite(arrays([1], [math.nan])))


def test_draws_are_the_same_for_the_same_kind_and_differ_between_kinds() -> None:
    feed = Feed("x", "float32", (4, 5))
    seen = {kind: drawn([feed], kind)[0] for kind in DRAWS}
    assert all((seen[kind] == drawn([feed], kind)[0]).all() for kind in DRAWS)
    assert 3 == len({array.tobytes() for array in seen.values()})
    assert np.abs(seen["large"]).max() > 50


def test_bounded_integers_stay_in_their_bounds() -> None:
    (ids,) = drawn([Feed("w", "int32", (1000,), 7)], "large")
    assert ((0, 6), np.int32) == ((ids.min(), ids.max()), ids.dtype)


def test_half_precision_and_truth_values_can_be_drawn() -> None:
    found = drawn([Feed("a", "float16", (3,)), Feed("b", "bool", (50,)), Feed("c", "uint8", (5,))], "normal")
    assert ["float16", "bool", "uint8"] == [array.dtype.name for array in found]
    assert {False, True} == set(found[1].tolist())


def test_a_nudge_is_at_most_one_rounding_error_and_spares_whole_numbers() -> None:
    (x,) = drawn([Feed("x", "float32", (1000,))], "normal")
    (moved,) = nudged([x])
    assert 0 < (np.abs(moved - x) / np.abs(x)).max() < 3e-7
    ids = np.arange(5, dtype=np.float32)
    assert (nudged([ids])[0] == ids).all()


def answered(monkeypatch, original, patched, exact: bool = True, larger=()) -> dict:
    functions = {"old": original, "new": patched}

    def load(path: str):
        found = functions[path]
        if found is None:
            raise ValueError("a broken\nfile")
        return lambda _, given: [found(given[0])]

    monkeypatch.setitem(RUNTIMES, "toy", (lambda: "toy 1", load))
    feeds = ((Feed("x", "float32", (2, 3)),),)
    return answer_to(Job("old", "new", "toy", feeds, larger, "float32", exact, 0))


def test_equal_models_agree(monkeypatch) -> None:
    found = answered(monkeypatch, np.tanh, np.tanh)
    assert ("agrees", "toy 1", 3, 0.0) == (
        *(found[key] for key in ("status", "runtime", "draws", "absolute")),
    )


def test_a_difference_beyond_rounding_is_no_agreement(monkeypatch) -> None:
    found = answered(monkeypatch, np.tanh, lambda x: np.tanh(x) * (1 + 3 * TOLERANCE["float32"]))
    assert "differs" == found["status"]
    assert "1e-05 is rounding" in found["reason"]


def test_a_difference_below_rounding_is_agreement(monkeypatch) -> None:
    found = answered(monkeypatch, np.tanh, lambda x: np.tanh(x) * np.float32(1 + TOLERANCE["float32"] / 3))
    assert "agrees" == found["status"]
    assert 0 < found["relative"] < TOLERANCE["float32"]


def test_a_model_that_amplifies_rounding_may_differ_by_as_much(monkeypatch) -> None:
    def steep(x):
        return np.sin(x * np.float32(2000))

    eps = np.finfo(np.float32).eps
    assert "agrees" == answered(monkeypatch, steep, lambda x: steep(x * (1 + eps)))["status"]
    assert "differs" == answered(monkeypatch, steep, lambda x: steep(x) + np.float32(0.5))["status"]


def test_after_a_change_of_the_weights_it_only_has_to_run(monkeypatch) -> None:
    assert "agrees" == answered(monkeypatch, np.tanh, np.cosh, exact=False)["status"]
    broken = answered(monkeypatch, np.tanh, lambda x: x * np.float32(np.inf), exact=False)
    assert ("breaks", True) == (broken["status"], "not finite" in broken["reason"])


def test_a_patched_model_that_does_not_load_is_broken(monkeypatch) -> None:
    found = answered(monkeypatch, np.tanh, None)
    assert ("breaks", True) == (found["status"], found["reason"].endswith("ValueError: a broken file"))


def test_an_original_that_does_not_load_says_nothing_of_its_patch(monkeypatch) -> None:
    assert "unknown" == answered(monkeypatch, None, np.tanh)["status"]


def test_outputs_of_another_shape_are_broken(monkeypatch) -> None:
    found = answered(monkeypatch, np.tanh, np.ravel)
    assert ("breaks", "its outputs have the shapes [[6]], not [[2, 3]]") == (found["status"], found["reason"])


def test_new_sizes_have_to_run_and_be_finite(monkeypatch) -> None:
    larger = ((Feed("x", "float32", (2, 9)),),)
    assert ["2×9"] == answered(monkeypatch, np.tanh, np.tanh, larger=larger)["larger"]

    def only_small(x):
        if x.shape[1] > 3:
            raise RuntimeError("too wide")
        return np.tanh(x)

    found = answered(monkeypatch, np.tanh, only_small, larger=larger)
    assert ("breaks", True) == (found["status"], "does not run at 2×9" in found["reason"])
