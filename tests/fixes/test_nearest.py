"""Kernels near to one that reads a flattened map: what they are, and what they keep."""

import numpy as np
import pytest

from archlint.errors import PatchError
from archlint.fixes import nearest

RANDOM = np.random.default_rng(0)
PARTS = RANDOM.normal(size=(5, 6, 3, 4))
"""(height, width, channels, units)."""


def test_one_matrix_for_all_places_keeps_everything_when_they_are_the_same():
    same = np.broadcast_to(PARTS[0, 0], PARTS.shape)
    assert 1 == pytest.approx(nearest.mean_kept(same))


def test_parts_with_nothing_in_common_keep_one_place_s_worth():
    parts = RANDOM.normal(size=(6, 6, 64, 64))
    assert 1 == pytest.approx(36 * nearest.mean_kept(parts), abs=5 * (2 / 64**2) ** 0.5)


def test_what_the_mean_keeps_is_what_is_not_lost():
    lost = ((PARTS - PARTS.mean(axis=(0, 1))) ** 2).sum() / (PARTS**2).sum()
    assert 1 - lost == pytest.approx(nearest.mean_kept(PARTS))


def test_cells_that_divide_the_map_get_the_sums_of_their_places():
    found, kept = nearest.for_cells(PARTS[:4], [(2, 2), (3, 3)])
    sums = PARTS[:4].reshape(2, 2, 2, 3, 3, 4).sum(axis=(1, 3))
    near = np.repeat(np.repeat(sums / 6, 2, axis=0), 3, axis=1)
    np.testing.assert_allclose(sums, found)
    assert 1 - ((PARTS[:4] - near) ** 2).sum() / (PARTS[:4] ** 2).sum() == pytest.approx(kept)


@pytest.mark.parametrize("windows", [[(3, 2), (3, 3)], [(3, 1), (2, 2)], [(5, 5), (6, 6)]])
def test_cells_share_a_map_that_is_the_same_everywhere(windows):
    found, _ = nearest.for_cells(PARTS, windows)
    pixel = RANDOM.normal(size=3)
    np.testing.assert_allclose(np.einsum("hwcu,c->u", PARTS, pixel), np.einsum("hwcu,c->u", found, pixel))


def test_one_cell_keeps_what_the_mean_keeps():
    _, kept = nearest.for_cells(PARTS, [(5, 5), (6, 6)])
    assert nearest.mean_kept(PARTS) == pytest.approx(kept)


@pytest.mark.parametrize("units", [4, 40])
def test_a_weighting_is_the_first_singular_pair_of_each_channel(units):
    parts = RANDOM.normal(size=(5, 6, 3, units))
    weights, rest, kept = nearest.one_weighting(parts)
    total = 0.0
    for channel in range(3):
        u, s, v = np.linalg.svd(parts[:, :, channel].reshape(30, units))
        total += s[0] ** 2
        np.testing.assert_allclose(
            s[0] * np.outer(u[:, 0], v[0]), np.outer(weights[:, channel], rest[channel]), atol=1e-9
        )
    assert total / (parts**2).sum() == pytest.approx(kept)


def test_a_weighting_that_is_the_same_everywhere_is_the_mean():
    weights, _, kept = nearest.one_weighting(np.broadcast_to(np.abs(PARTS[0, 0]), PARTS.shape))
    np.testing.assert_allclose(np.full((30, 3), 1 / 30), weights)
    assert 1 == pytest.approx(kept)


@pytest.mark.parametrize("shape", [(30, 7), (7, 30), (5000, 3)])
def test_factors_are_the_truncated_singular_value_decomposition(shape):
    matrix = RANDOM.normal(size=shape)
    first, second, kept = nearest.factors(matrix, 2)
    u, s, v = np.linalg.svd(matrix, full_matrices=False)
    np.testing.assert_allclose(u[:, :2] * s[:2] @ v[:2], first @ second, atol=1e-9)
    assert (s[:2] ** 2).sum() / (s**2).sum() == pytest.approx(kept)


def test_the_smallest_rank_that_keeps_enough_is_taken():
    matrix = np.diag([3.0, 2.0, 1.0, 0.1])
    assert [1, 2, 3, 4] == [nearest.factors(matrix, None, least)[0].shape[1] for least in (0.6, 0.9, 0.99, 1)]


def test_what_is_too_large_is_not_taken_apart():
    with pytest.raises(PatchError, match="too large"):
        nearest.factors(np.broadcast_to(1.0, (1025, 1025)), 2)
    with pytest.raises(PatchError, match="too many"):
        nearest.one_weighting(np.broadcast_to(1.0, (1025, 1, 1025)))
