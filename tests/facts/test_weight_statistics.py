"""What is worked out from weights: statistics, units, ranks, whether a layer ever learned."""

import numpy as np
import pytest

from archlint.facts import Facts, WeightFacts
from archlint.facts import measure as measured
from archlint.graph import Array, Graph, Mismatch, Node, Param, parse
from archlint.ops import build

DENSE = "input x float32[N,4]\nd = Dense(x) units=3\noutput d"
WIDE = "input x float32[N,32]\nd = Dense(x) units=64\noutput d"
CONV = "input x float32[N,9,9,2]\nc = Conv(x) filters=3 kernel=(2,2)\noutput c"


class Held:
    """Weights that a test gives, and a count of how often each is read."""

    def __init__(self, **values: Array) -> None:
        self.values = {name.replace("__", "/"): value for name, value in values.items()}
        self.reads: list[str] = []

    def read(self, param: Param) -> Array | None:
        self.reads.append(param.name)
        return self.values.get(param.name)

    def holds(self, param: Param) -> bool:
        return param.name in self.values

    def mismatches(self) -> tuple[Mismatch, ...]:
        return ()


def facts_of(text: str, **values: Array) -> tuple[WeightFacts, Node, Held]:
    held = Held(**values)
    graph = text if isinstance(text, Graph) else build(parse(text))
    facts = Facts(graph, None, held)
    assert facts.weights is not None
    return facts.weights, graph.nodes[-1], held


def test_without_weights_there_are_no_facts_of_them() -> None:
    assert Facts(build(parse(DENSE))).weights is None


def test_broken_and_tiny_elements_are_counted_and_left_out_of_the_rest() -> None:
    values = np.array([[np.nan, np.inf, -np.inf], [0, 1e-39, -2], [3, 0, 1], [1, 1, 1]], "float32")
    weights, node, _ = facts_of(DENSE, d__kernel=values)
    stats = weights.stats(node.param("kernel"))
    assert stats is not None
    assert (12, 1, 2, 2, 1) == (stats.size, stats.nans, stats.infs, stats.zeros, stats.denormals)
    assert (-2, 3, 3) == (stats.low, stats.high, stats.peak)
    assert pytest.approx(17 / 9) == stats.mean_square
    assert weights.units(node) is None


def test_a_tensor_is_measured_in_pieces_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    whole, node, _ = facts_of(DENSE, d__kernel=values)
    monkeypatch.setattr(measured, "PIECE", 4)
    pieces, _, _ = facts_of(DENSE, d__kernel=values)
    kernel = node.param("kernel")
    one, other = whole.stats(kernel), pieces.stats(kernel)
    assert one is not None
    assert other is not None
    assert (one.low, one.high, one.zeros) == (other.low, other.high, other.zeros)
    assert pytest.approx(one.mean_square) == other.mean_square
    ours, theirs = whole.units(node), pieces.units(node)
    assert ours is not None
    assert theirs is not None
    assert np.allclose(ours.mark, theirs.mark)
    assert (ours.peak == theirs.peak).all()


def test_a_tensor_is_read_once_for_all_its_statistics() -> None:
    weights, node, held = facts_of(DENSE, d__kernel=np.ones((4, 3), "float32"))
    for _ in range(3):
        weights.stats(node.param("kernel"))
        weights.units(node)
    assert ["d/kernel"] == held.reads


def test_a_tensor_that_cannot_be_read_is_unknown() -> None:
    weights, node, _ = facts_of(DENSE)
    assert weights.stats(node.param("kernel")) is None
    assert weights.units(node) is None
    assert weights.is_initial(node) is None
    assert weights.ranks(node, 0.99, 3) is None


KERAS_CONV = np.arange(24, dtype="float32").reshape(2, 2, 2, 3)
ROWS = {
    "keras conv": (CONV, "c", KERAS_CONV),
    "onnx conv": (
        "model m format=onnx\ninput x float32[N,2,9,9]\n"
        "c = Conv(x) filters=3 kernel=(2,2) channel_axis=1 | kernel float32[3,2,2,2] @c/kernel\noutput c",
        "c",
        KERAS_CONV.transpose(3, 2, 0, 1),
    ),
    "keras transpose": (
        "input x float32[N,9,9,2]\nc = ConvTranspose(x) filters=3 kernel=(2,2)\noutput c",
        "c",
        KERAS_CONV.transpose(0, 1, 3, 2),
    ),
    "onnx transpose": (
        "model m format=onnx\ninput x float32[N,2,9,9]\n"
        "c = ConvTranspose(x) filters=3 kernel=(2,2) channel_axis=1 "
        "| kernel float32[2,3,2,2] @c/kernel\noutput c",
        "c",
        KERAS_CONV.transpose(2, 3, 0, 1),
    ),
    "transposed dense": (
        "input x float32[N,8]\nd = Dense(x) units=3 kernel_transposed=true "
        "| kernel float32[3,8] @d/kernel\noutput d",
        "d",
        KERAS_CONV.reshape(8, 3).T,
    ),
}


@pytest.mark.parametrize(("text", "name", "kernel"), ROWS.values(), ids=ROWS)
def test_units_are_the_same_in_every_order_of_axes(text: str, name: str, kernel: Array) -> None:
    weights, node, _ = facts_of(text, **{f"{name}__kernel": kernel})
    units = weights.units(node)
    assert units is not None
    assert [21, 22, 23] == units.peak.tolist()
    assert KERAS_CONV.sum(axis=(0, 1, 2)).tolist() == units.positive.tolist()
    assert [0, 0, 0] == units.negative.tolist()


def test_a_depthwise_kernel_has_a_unit_per_channel_and_multiplier() -> None:
    text = (
        "input x float32[N,9,9,2]\nc = Conv(x) filters=6 kernel=(2,2) groups=2 "
        "| kernel float32[2,2,2,3] @c/kernel\noutput c"
    )
    weights, node, _ = facts_of(text, c__kernel=KERAS_CONV)
    units = weights.units(node)
    assert units is not None
    assert [18, 19, 20, 21, 22, 23] == units.peak.tolist()


def uniform(limit: float, *shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(-limit, limit, shape).astype("float32")


def judged(kernel: Array, bias: float | Array = 0.0) -> bool | None:
    weights, node, _ = facts_of(WIDE, d__kernel=kernel, d__bias=np.zeros(64, "float32") + bias)
    return weights.is_initial(node)


GLOROT = (6 / 96) ** 0.5


def test_what_an_initializer_draws_is_recognised() -> None:
    assert all(judged(uniform(GLOROT, 32, 64, seed=seed)) for seed in range(50))
    assert judged(uniform((6 / 32) ** 0.5, 32, 64))
    assert judged(uniform((3 / 32) ** 0.5, 32, 64))
    torch = 32**-0.5
    assert judged(uniform(torch, 32, 64), uniform(torch, 64, seed=1))


def test_a_transposed_convolution_of_torch_is_recognised() -> None:
    """torch.nn.ConvTranspose2d(64, 32, 2) draws from ±1/√(32 · 4): the second axis of its kernel counts."""
    text = (
        "model m format=onnx\ninput x float32[N,64,9,9]\nc = ConvTranspose(x) filters=32 kernel=(2,2) "
        "channel_axis=1 | kernel float32[64,32,2,2] @c/kernel, bias float32[32] @c/bias\noutput c"
    )
    reach = (32 * 4) ** -0.5
    weights, node, _ = facts_of(
        text, c__kernel=uniform(reach, 64, 32, 2, 2), c__bias=uniform(reach, 32, seed=1)
    )
    assert weights.is_initial(node)


def test_the_bias_that_torch_draws_for_a_small_layer_is_no_sign_of_training() -> None:
    kernel = uniform(0.5, 4, 3)
    drawn, _, _ = facts_of(DENSE, d__kernel=kernel, d__bias=uniform(0.5, 3, seed=1))
    moved, _, _ = facts_of(DENSE, d__kernel=kernel, d__bias=uniform(0.5, 3, seed=1) * 3)
    assert (drawn.has_learned, moved.has_learned) == (False, True)


def test_what_was_trained_is_not_taken_for_drawn() -> None:
    drawn = uniform(GLOROT, 32, 64)
    assert judged(drawn, 1e-4) is False
    step = np.random.default_rng(1).normal(0, 1e-2, drawn.shape).astype("float32")
    assert judged(drawn + step) is False
    assert judged(drawn * 0.9) is False
    laplace = np.random.default_rng(2).laplace(0, 0.1, (32, 64)).astype("float32")
    assert judged(np.clip(laplace, -GLOROT, GLOROT)) is False


def test_small_kernels_and_zeros_are_not_judged() -> None:
    weights, node, _ = facts_of(DENSE, d__kernel=uniform(0.9, 4, 3), d__bias=np.zeros(3, "float32"))
    assert weights.is_initial(node) is None
    assert judged(np.zeros((32, 64), "float32")) is None


def test_ranks_are_those_of_numpy() -> None:
    draw = np.random.default_rng(0)
    kernel = (draw.normal(size=(32, 5)) @ draw.normal(size=(5, 64))).astype("float32")
    weights, node, _ = facts_of(WIDE, d__kernel=kernel)
    singular = np.linalg.svd(kernel.astype("float64"), compute_uv=False)
    energy = np.cumsum(singular**2) / (singular**2).sum()
    assert (int((energy < 0.9).sum()) + 1, 5) == weights.ranks(node, 0.9, 32)
    assert weights.ranks(node, 0.9, 1) is None


def test_the_bound_on_ranks_never_hides_a_matrix_of_low_rank() -> None:
    draw = np.random.default_rng(0)
    for rank in (1, 3, 9, 20, 32):
        kernel = (draw.normal(size=(32, rank)) @ draw.normal(size=(rank, 64))).astype("float32")
        weights, node, _ = facts_of(WIDE, d__kernel=kernel)
        needed = weights.ranks(node, 0.99, 32)
        assert needed is not None
        assert needed == weights.ranks(node, 0.99, needed[0])
        assert weights.ranks(node, 0.99, needed[0] - 0.5) is None
