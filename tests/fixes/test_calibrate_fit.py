"""The closed forms behind --calibrate, against their definitions."""

import numpy as np
import pytest

from archlint.fixes import calibrate_fit
from archlint.fixes.calibrate_fit import STRENGTHS, agreement, fits_memory, reduced, split, weighting

RANDOM = np.random.default_rng(0)


def blocks(x, z, size=7):
    """Samples a few at a time, as fits take them."""
    return lambda: ((x[at : at + size], z[at : at + size]) for at in range(0, len(x), size))


def ridge(x, z, start=None):
    return calibrate_fit.ridge(blocks(x, z), start)


def test_ridge_finds_a_line_that_is_there():
    x = RANDOM.normal(size=(60, 7))
    kernel = RANDOM.normal(size=(7, 3))
    fit = ridge(x, x @ kernel + [1.0, 2.0, 3.0])
    np.testing.assert_allclose(kernel, fit.kernel, atol=1e-5)
    np.testing.assert_allclose([1.0, 2.0, 3.0], fit.bias, atol=1e-5)


@pytest.mark.parametrize("shape", [(40, 6), (15, 30)])
def test_ridge_solves_the_normal_equations_of_its_penalty(shape):
    x, z = RANDOM.normal(size=shape), RANDOM.normal(size=(shape[0], 2))
    start = RANDOM.normal(size=(shape[1], 2))
    fit = ridge(x, z, start)
    centred = x - x.mean(axis=0)
    left = (centred.T @ centred + fit.strength * np.eye(shape[1])) @ (fit.kernel - start)
    np.testing.assert_allclose(centred.T @ (z - z.mean(axis=0) - centred @ start), left, rtol=1e-7, atol=1e-9)


def test_the_penalty_is_the_one_with_the_least_error_when_each_sample_is_left_out():
    x = RANDOM.normal(size=(25, 10))
    z = x @ RANDOM.normal(size=(10, 2)) + RANDOM.normal(size=(25, 2))
    top = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)[0] ** 2

    def left_out(strength):
        total = 0.0
        for one in range(25):
            rest = np.arange(25) != one
            mean, level = x[rest].mean(axis=0), z[rest].mean(axis=0)
            part = x[rest] - mean
            kernel = np.linalg.solve(part.T @ part + strength * np.eye(10), part.T @ (z[rest] - level))
            total += float(
                ((x[one] - mean) @ kernel + level - z[one]) @ ((x[one] - mean) @ kernel + level - z[one])
            )
        return total

    errors = {share * top: left_out(share * top) for share in STRENGTHS}
    assert pytest.approx(min(errors, key=errors.get)) == ridge(x, z).strength


def test_noise_moves_the_start_less_than_least_squares_would():
    random = np.random.default_rng(1)
    x, start = random.normal(size=(30, 20)), np.ones((20, 1))
    z = x @ start + 10 * random.normal(size=(30, 1))
    plain = np.linalg.lstsq(x - x.mean(axis=0), z - z.mean(axis=0), rcond=None)[0]
    assert np.linalg.norm(ridge(x, z, start).kernel - start) < 0.5 * np.linalg.norm(plain - start)


def test_no_pair_of_the_same_rank_is_nearer_to_the_fit():
    x, z = RANDOM.normal(size=(50, 8)) + 3, RANDOM.normal(size=(50, 5))
    full = ridge(x, z)
    middle = x.mean(axis=0)
    narrow, rest = reduced(full, blocks(x, z), middle, 2)
    left, values, right = np.linalg.svd(full(x) - full(x).mean(axis=0))
    best = left[:, :2] * values[:2] @ right[:2] + full(x).mean(axis=0)
    np.testing.assert_allclose(best, rest(x @ narrow), atol=1e-8)
    narrow, rest = reduced(full, blocks(x, z), middle, 5)
    np.testing.assert_allclose(full(x), rest(x @ narrow), atol=1e-8)


def test_weights_that_are_the_same_for_all_units_are_found():
    places = RANDOM.normal(size=(200, 6, 3))
    weights, units = RANDOM.normal(size=(6, 3)), RANDOM.normal(size=(3, 4))
    targets = np.einsum("npc,pc,cu->nu", places, weights, units)
    found = weighting(
        ridge(places.reshape(200, -1), targets), [places[:90], places[90:]], places.mean(axis=0)
    )
    for channel in range(3):
        assert pytest.approx(1, abs=1e-3) == abs(np.corrcoef(found[:, channel], weights[:, channel])[0, 1])
    sums = (places * found).sum(axis=1)
    assert agreement("numbers", targets, ridge(sums, targets)(sums)) > 0.999


def test_a_channel_that_is_always_the_same_gets_a_mean():
    places = np.ones((50, 4, 1))
    fit = ridge(places.reshape(50, -1), np.ones((50, 2)))
    assert [[0.25]] * 4 == weighting(fit, [places], places[0]).tolist()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("classes", 0.5), ("labels", 0.75), ("numbers", 1 - 9 / 5)],
)
def test_agreement_is_counted(kind, expected):
    old, new = np.array([[1.0, 0.0], [-1.0, 2.0]]), np.array([[1.0, 0.0], [2.0, 2.0]])
    if kind == "numbers":
        assert pytest.approx(1 - 9 / (1 + 1 + 1 + 1)) == agreement(kind, old, new)
    elif kind == "classes":
        assert expected == agreement(kind, old, np.array([[1.0, 0.0], [3.0, 2.0]]))
    else:
        assert expected == agreement(kind, old, new)


def test_a_fifth_is_held_out_and_always_the_same():
    fit, held = split(100)
    assert (80, 20) == (len(fit), len(held))
    assert sorted([*fit, *held]) == list(range(100))
    assert (fit, held) == split(100)


@pytest.mark.parametrize("shape", [(40, 6), (15, 30)])
def test_it_does_not_matter_how_many_samples_come_at_a_time(shape):
    x, z = RANDOM.normal(size=shape) + 100, RANDOM.normal(size=(shape[0], 2))
    one, other = (calibrate_fit.ridge(blocks(x, z, size)) for size in (1, 1_000))
    # A mean of 100 costs two of float64's sixteen digits where it is taken off.
    np.testing.assert_allclose(one.kernel, other.kernel, rtol=1e-9)


def test_a_fit_is_as_large_as_the_smaller_of_samples_and_numbers():
    assert fits_memory(10**7, 5_000)
    assert fits_memory(100, 200_000)
    assert not fits_memory(10_000, 10_000)
