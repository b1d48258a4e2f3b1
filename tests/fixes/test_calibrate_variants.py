"""What calibrated variants see of a map, in every order in which Flatten puts it in a row."""

import numpy as np
import pytest
from rewrite_cases import built

from archlint.facts import Facts
from archlint.fixes.calibrate_head import head_of
from archlint.fixes.calibrate_variants import Places, average, grid_means
from archlint.fixes.stems import Nodes, cells
from archlint.fixes.stored import Names

LAST = """model m format=keras
input x float32[N,5,7,2]
c = Conv(x) filters=3 kernel=(1,1)
f = Flatten(c)
d = Dense(f) units=4
s = Softmax(d)
output s
"""
FIRST = """model m format=FORMAT
input x float32[N,2,5,7]
c = Conv(x) filters=3 kernel=(1,1) channel_axis=1
f = Flatten(c)
d = Dense(f) units=4
s = Softmax(d)
output s
"""
CASES = [
    (LAST, lambda x: x),
    (FIRST.replace("FORMAT", "keras"), lambda x: x.transpose(0, 3, 1, 2)),
    (FIRST.replace("FORMAT", "onnx"), lambda x: x.transpose(0, 3, 1, 2)),
    (FIRST.replace("FORMAT", "keras").replace("Flatten(c)", "Flatten(c) channels_first=true"), lambda x: x),
]
MAP = np.random.default_rng(0).normal(size=(2, 5, 7, 3))


def head_and_places(text, flattened):
    facts = Facts(built(text))
    head = head_of(facts)
    return facts.graph, head, Places(head.source, flattened(MAP).reshape(2, -1))


@pytest.mark.parametrize(("text", "flattened"), CASES)
def test_the_map_is_found_again_in_the_vector(text, flattened):
    _, head, places = head_and_places(text, flattened)
    np.testing.assert_array_equal(MAP, places.grid)
    np.testing.assert_allclose(MAP.mean(axis=(1, 2)), average(places))
    assert "classes" == head.kind


@pytest.mark.parametrize(("text", "flattened"), CASES)
def test_a_kernel_on_cells_is_in_the_order_of_the_flatten_behind_the_pool(text, flattened):
    graph, head, places = head_and_places(text, flattened)
    kernel = np.random.default_rng(1).normal(size=(2 * 2 * 3, 4))
    means = grid_means(places, 2)
    rows = Nodes(graph, Names(graph), head.start, head.source).grid_rows(kernel, 2)
    np.testing.assert_allclose(means.reshape(2, -1) @ kernel, flattened(means).reshape(2, -1) @ rows)


def test_cells_cover_the_map_and_overlap_where_they_must():
    _, head, places = head_and_places(*CASES[0])
    assert ((3, 2), (4, 3)) == cells(head.source, 2)
    means = grid_means(places, 2)
    assert (2, 2, 2, 3) == means.shape
    np.testing.assert_allclose(MAP[:, 2:, 3:].mean(axis=(1, 2)), means[:, 1, 1])
