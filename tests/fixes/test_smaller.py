"""Approximate heads on graphs: what stands there then, what its evidence says, and what is refused."""

import numpy as np
import pytest
from rewrite_cases import built, edited

from archlint.errors import PatchError
from archlint.facts import Facts
from archlint.fixes import evidence, pooling, smaller

TEXT = """model m format=keras
input x float32[N,12,12,2]
c = Conv(x) filters=4 kernel=(3,3) strides=(2,2)
f = Flatten(c)
o = Dropout(f) rate=0.5
d = Dense(o) units=8
r = Relu(d)
e = Dense(r) units=3
output e
"""
NODES = {"flatten": "f", "dense": "d"}
SHARED = np.tile(np.random.default_rng(1).normal(size=(4, 8)), (25, 1)).astype("float32")
RANDOM = np.random.default_rng(2).normal(size=(100, 8)).astype("float32")


class Stored:
    """Weights of the first dense layer; all others are ones."""

    def __init__(self, kernel):
        self.kernel = kernel

    def read(self, param):
        bias = np.arange(8, dtype="float32") / 10 + 1
        own = {"d/kernel": self.kernel, "d/bias": bias}
        return own.get(param.name, np.ones(param.shape, "float32"))

    def mismatches(self):
        return ()


def weighed(rewrite, kernel, text=TEXT):
    facts = Facts(built(text), None, Stored(kernel))
    return rewrite.evidence(facts, {role: facts.graph.by_name[name] for role, name in NODES.items()})


def test_a_grid_stands_in_front_of_the_flatten():
    after, _ = edited(built(TEXT), smaller.grid, Stored(RANDOM), **NODES)
    assert {"kernel": (3, 3), "strides": (2, 2)} == dict(after.by_name["f_grid"].attrs)
    assert ("N", 16) == Facts(after).shape("f")
    assert (16, 8) == after.by_name["d"].param("kernel").shape
    assert ["o"] == [node.name for node in after.consumers["f"]]


def test_a_weighting_is_a_depthwise_convolution_over_the_map():
    after, _ = edited(built(TEXT), smaller.spatial, Stored(RANDOM), **NODES)
    conv = after.by_name["f_weighting"]
    assert ("Conv", (5, 5), 4) == (conv.op, conv.attrs["kernel"], conv.attrs["groups"])
    assert ("N", 4) == Facts(after).shape("f")


def test_a_thin_layer_comes_before_the_dense_one():
    low = (np.random.default_rng(3).normal(size=(100, 2)) @ np.eye(2, 8)).astype("float32")
    after, (splice,) = edited(built(TEXT), smaller.low_rank, Stored(low), **NODES)
    assert (2, ("o",)) == (after.by_name["d_narrow"].attrs["units"], after.by_name["d_narrow"].inputs)
    pair = [splice.tensors[name].compute() for name in ("d_narrow/kernel", "d/kernel")]
    np.testing.assert_allclose(low, pair[0] @ pair[1], atol=1e-5)  # stored in float32
    assert {"kernel", "bias"} == {param.role for param in after.by_name["d"].params}


def test_weights_that_are_the_same_everywhere_speak_for_pooling():
    found = weighed(pooling.keep, SHARED)
    assert found.against is None
    assert "100.0% of the energy of d's weights is the same at all 25 places: λ = 25" in found.says[0]
    assert "a unit of the map of 5×5 sees 3 of 12 pixels along an axis" == found.says[1]
    assert "lost: where on the map something is" in found.says[2]


@pytest.mark.parametrize("rewrite", [pooling.keep, pooling.collapse])
def test_weights_that_differ_from_place_to_place_speak_against_it(rewrite):
    found = weighed(rewrite, RANDOM)
    assert "d uses where things are, which pooling loses; --calibrate" in found.against


def test_weights_as_they_were_initialised_speak_against_nothing():
    limit = (6 / 108) ** 0.5
    drawn = np.random.default_rng(0).uniform(-limit, limit, (100, 8)).astype("float32")
    drawn[0, 0] = limit

    class Fresh(Stored):
        def read(self, param):
            return np.zeros(8, "float32") if param.name == "d/bias" else super().read(param)

    facts = Facts(built(TEXT), None, Fresh(drawn))
    nodes = {role: facts.graph.by_name[name] for role, name in NODES.items()}
    found = pooling.keep.evidence(facts, nodes)
    assert (None, "d is as it was initialised, so nothing that was learnt is lost") == (
        found.against,
        found.says[0],
    )
    assert "there is nothing to keep" in smaller.grid.evidence(facts, nodes).against


def test_without_weights_nothing_is_said_of_them():
    facts = Facts(built(TEXT))
    found = pooling.keep.evidence(facts, {role: facts.graph.by_name[name] for role, name in NODES.items()})
    assert (None, 2) == (found.against, len(found.says))


@pytest.mark.parametrize("rewrite", [smaller.grid, smaller.spatial])
def test_an_approximation_that_keeps_little_is_not_offered(rewrite):
    assert "that keeps less than 60%" in weighed(rewrite, RANDOM).against
    assert weighed(rewrite, SHARED).against is None


def test_a_rank_is_offered_where_it_halves_the_weights():
    low = np.outer(np.arange(100), np.ones(8)).astype("float32")
    assert weighed(smaller.low_rank, low).against is None
    assert "would not halve" in weighed(smaller.low_rank, RANDOM).against


def test_kernels_of_zeros_hold_nothing():
    zeros = np.zeros((100, 8), "float32")
    for rewrite in (smaller.grid, smaller.spatial, smaller.low_rank):
        assert "there is nothing to keep" in weighed(rewrite, zeros).against
    assert "all zeros" in weighed(pooling.keep, zeros).says[0]


def test_few_places_are_judged_on_the_same_scale_as_many():
    assert 1 == pytest.approx(evidence.common(1 / 4, 4))
    assert 1 == pytest.approx(evidence.common(1 / 400, 400))
    assert evidence.LEAST_COMMON < evidence.common(0.9, 2)


@pytest.mark.parametrize("rewrite", [smaller.grid, smaller.spatial])
def test_what_works_on_the_vector_before_the_dense_layer_is_refused(rewrite):
    text = TEXT.replace("o = Dropout(f) rate=0.5", "o = Relu(f)")
    with pytest.raises(PatchError, match="works on the vector"):
        edited(built(text), rewrite, Stored(RANDOM), **NODES)


def test_a_layer_of_lower_rank_is_two_layers():
    low = (np.random.default_rng(3).normal(size=(100, 3)) @ np.eye(3, 8)).astype("float32")
    _, (splice,) = edited(built(TEXT), smaller.of_rank, Stored(low), layer="d", rank=3)
    pair = [splice.tensors[name].compute() for name in ("d_narrow/kernel", "d/kernel")]
    np.testing.assert_allclose(low, pair[0] @ pair[1], atol=1e-5)  # stored in float32
    with pytest.raises(PatchError, match="no dense layer"):
        edited(built(TEXT), smaller.of_rank, Stored(low), layer="c", rank=3)


LAYOUTS = [
    ("keras", "float32[N,5,7,2]", "", "", lambda x: x),
    ("keras", "float32[N,2,5,7]", " channel_axis=1", "", lambda x: x.transpose(0, 3, 1, 2)),
    ("keras", "float32[N,2,5,7]", " channel_axis=1", " channels_first=true", lambda x: x),
    ("onnx", "float32[N,2,5,7]", " channel_axis=1", "", lambda x: x.transpose(0, 3, 1, 2)),
]
"""Format, input, layout of the convolution and of Flatten, and what Flatten makes of (N, H, W, C)."""


@pytest.mark.parametrize(("format_", "shape", "layout", "flatten", "flattened"), LAYOUTS)
def test_a_grid_is_read_in_the_order_of_the_flatten(format_, shape, layout, flatten, flattened):
    text = f"""model m format={format_}
input x {shape}
c = Conv(x) filters=3 kernel=(1,1){layout}
f = Flatten(c){flatten}
d = Dense(f) units=8
output d
"""
    maps, parts = (np.random.default_rng(4).normal(size=size) for size in ((2, 5, 7, 3), (5, 7, 3, 8)))
    rows = flattened(np.moveaxis(parts, -1, 0)).reshape(8, -1).T.astype("float32")
    _, (splice,) = edited(built(text), smaller.grid, Stored(rows), **NODES)
    (made,) = [splice.tensors[name].compute() for name in splice.tensors]
    windows = [
        (slice(0, 3), slice(0, 4)),
        (slice(0, 3), slice(3, 7)),
        (slice(2, 5), slice(0, 4)),
        (slice(2, 5), slice(3, 7)),
    ]
    means = np.stack([maps[:, *cell].mean(axis=(1, 2)) for cell in windows], axis=1).reshape(2, 2, 2, 3)
    times = np.zeros((5, 7, 1, 1))
    for cell in windows:
        times[cell] += 1
    expected = sum(
        mean @ (parts / times)[cell].sum(axis=(0, 1))
        for mean, cell in zip(means.reshape(2, 4, 3).swapaxes(0, 1), windows, strict=True)
    )
    np.testing.assert_allclose(expected, flattened(means).reshape(2, -1) @ made, rtol=1e-4, atol=1e-5)
