"""What the stored weights say: statistics of each tensor and of each unit, worked out once and kept small.

A tensor is read, measured in pieces and let go; what stays is a few numbers and four vectors per unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod, sqrt

from archlint.graph import Array, Graph, Mismatch, Node, Param, Weights

PIECE = 1 << 20
"""Elements that are measured at a time; larger pieces are slower (they leave the cache)."""

TINY = 1.1754943508222875e-38
"""Smallest normal float32; below it numbers are denormal. Source: IEEE 754, binary32."""

KERNELS = frozenset({"kernel", "recurrent_kernel", "embeddings"})
LAYERS = frozenset({"Conv", "ConvTranspose", "Dense"})
"""Ops whose kernel has units: filters or outputs."""


@dataclass(frozen=True, slots=True)
class Stats:
    """One tensor in numbers. ``low``, ``high`` and ``mean_square`` are those of its finite elements."""

    size: int
    nans: int
    infs: int
    low: float
    high: float
    zeros: int
    denormals: int
    mean_square: float

    @property
    def peak(self) -> float:
        """The largest magnitude of a finite element."""
        return max(abs(self.low), abs(self.high))


@dataclass(frozen=True, slots=True)
class Units:
    """A kernel per unit, each a vector over units: largest magnitude, sums of the positive and of the
    negative weights, and a projection that tells units with other weights apart."""

    peak: Array
    positive: Array
    negative: Array
    mark: Array


class WeightFacts:
    """What is known of the weights of one model. None stands for tensors that cannot be read."""

    def __init__(self, graph: Graph, weights: Weights) -> None:
        self._graph = graph
        self._weights = weights
        self._stats: dict[str, Stats | None] = {}
        self._units: dict[str, Units | None] = {}

    def values(self, param: Param | None) -> Array | None:
        """The contents of a param, read again at every call."""
        return None if param is None else self._weights.read(param)

    def stats(self, param: Param | None) -> Stats | None:
        """The statistics of a param."""
        if param is None:
            return None
        if param.name not in self._stats:
            self._stats[param.name] = _stats(self._weights.read(param))
        return self._stats[param.name]

    def units(self, node: Node) -> Units | None:
        """The kernel of a Conv, ConvTranspose or Dense per unit; None when some of it is not finite."""
        param = node.param("kernel")
        if param is None:
            return None
        if param.name not in self._units:
            values = self._weights.read(param)
            stats = self._stats.setdefault(param.name, _stats(values))
            sound = values is not None and stats is not None and not stats.nans + stats.infs
            matrix = self.matrix(node, values) if values is not None and sound else None
            self._units[param.name] = None if matrix is None else _units(matrix)
        return self._units[param.name]

    def matrix(self, node: Node, values: Array) -> Array | None:
        """A kernel as (weights of a unit, units); None when its order of axes is not known."""
        if node.op not in LAYERS or values.ndim < 2 or not values.size:
            return None
        if node.op == "Dense":
            return values.T if node.attrs.get("kernel_transposed") else values.reshape(-1, values.shape[-1])
        grouped = node.attrs.get("groups", 1) != 1
        if self._graph.format == "onnx":
            if node.op == "Conv":
                return values.reshape(values.shape[0], -1).T
            return None if grouped else values.swapaxes(0, 1).reshape(values.shape[1], -1).T
        if node.op == "ConvTranspose":
            return values.swapaxes(-1, -2).reshape(-1, values.shape[-2])
        depthwise = grouped and values.shape[-1] != node.attrs.get("filters")
        window = prod(values.shape[:-2]) if depthwise else -1
        return values.reshape(window, -1) if depthwise else values.reshape(-1, values.shape[-1])

    def layers(self) -> Iterator[Node]:
        """The nodes with a kernel, each set of weights once, in order."""
        seen: set[str] = set()
        for node in self._graph.nodes:
            kernel = node.param("kernel")
            if node.op in LAYERS and kernel is not None and kernel.name not in seen:
                seen.add(kernel.name)
                yield node

    def is_initial(self, node: Node) -> bool | None:
        """Whether kernel and bias are still what an initializer drew; None when that cannot be told."""
        found = self._initial.get(node.name)
        if found is None and node.name not in self._initial:
            found = self._initial[node.name] = self._judge(node)
        return found

    @cached_property
    def _initial(self) -> dict[str, bool | None]:
        return {}

    @cached_property
    def initial_share(self) -> tuple[int, int]:
        """How many layers are still at their initial values, and how many could be judged."""
        told = [self.is_initial(node) for node in self.layers()]
        return sum(one is True for one in told), sum(one is not None for one in told)

    def ranks(self, node: Node, energy: float) -> tuple[int, int] | None:
        """Singular values of a layer's matrix that hold this part of its energy, and those above 1e-6.

        The second counts those above 1e-6 of the largest: below it they are rounding, so the matrix is
        exactly of that rank. From the eigenvalues of its product with itself: σ² (Golub & Van Loan, 8.6).
        """
        import numpy as np

        values = self.values(node.param("kernel"))
        matrix = None if values is None else self.matrix(node, values)
        if matrix is None or not np.isfinite(matrix).all():
            return None
        tall = (matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T).astype(np.float64)
        squares = np.clip(np.linalg.eigvalsh(tall.T @ tall)[::-1], 0, None)
        if squares[0] <= 0:
            return None
        held = np.cumsum(squares) / squares.sum()
        return int(np.searchsorted(held, energy)) + 1, int((squares > 1e-12 * squares[0]).sum())

    @cached_property
    def mismatches(self) -> tuple[Mismatch, ...]:
        """Params whose stored shape is not the one that the architecture asks for."""
        return self._weights.mismatches()

    def _judge(self, node: Node) -> bool | None:
        kernel, bias = node.param("kernel"), node.param("bias")
        stats = self.stats(kernel)
        if kernel is None or stats is None or stats.size < LEAST or stats.nans or stats.infs:
            return None
        fans = self._fans(node, kernel)
        if fans is None or stats.size == stats.zeros:
            return None
        offset = None if bias is None else self.stats(bias)
        if bias is not None and offset is None:
            return None
        quiet = offset is None or offset.peak == 0
        spread = 1 / sqrt(fans[0])
        torch = offset is not None and 0 < offset.peak <= spread * _ROUND and _is_uniform(stats, spread)
        return torch or (quiet and any(_fits(stats, fans, row) for row in _INITIALIZERS))

    def _fans(self, node: Node, kernel: Param) -> tuple[int, int] | None:
        """Inputs and outputs of a unit as Keras counts them (keras/src/initializers, compute_fans)."""
        shape = [dim for dim in kernel.shape or () if isinstance(dim, int)]
        if kernel.shape is None or len(shape) < max(2, len(kernel.shape)):
            return None
        if self._graph.format == "onnx" and node.op != "Dense":
            shape = [*shape[2:], *(shape[1::-1] if node.op == "Conv" else shape[:2])]
        elif node.attrs.get("kernel_transposed"):
            shape.reverse()
        window = prod(shape[:-2])
        return shape[-2] * window, shape[-1] * window


LEAST = 256
"""Smallest kernel that is judged: with fewer elements chance decides too often."""

_ROUND = 1 + 1e-5
_NORMAL_REACH = 2 / 0.87962566103423978
"""Keras draws "normal" kernels from a normal distribution cut off at two standard deviations and widened by
the constant, so that its deviation stays. Source: keras/src/initializers/random_initializers.py."""

_INITIALIZERS: tuple[tuple[float, str, bool], ...] = tuple(
    (scale, mode, normal)
    for scale, mode in ((1.0, "average"), (2.0, "in"), (1.0, "in"))
    for normal in (False, True)
)
"""Glorot, He and LeCun, uniform and normal: scale, which fan it is divided by, and the distribution."""


def _fits(stats: Stats, fans: tuple[int, int], initializer: tuple[float, str, bool]) -> bool:
    scale, mode, normal = initializer
    variance = scale / (fans[0] if mode == "in" else sum(fans) / 2)
    if not normal:
        return _is_uniform(stats, sqrt(3 * variance))
    limit = _NORMAL_REACH * sqrt(variance)
    # kurtosis 2.36 of that cut-off normal: Var(x²) = 1.36 σ⁴
    return _reaches(stats, limit, 60) and _near(stats, variance, sqrt(1.36) * variance)


def _is_uniform(stats: Stats, limit: float) -> bool:
    """Whether a tensor looks drawn evenly from ±limit: by its largest element and its mean square."""
    return _reaches(stats, limit, 20) and _near(stats, limit**2 / 3, limit**2 * sqrt(4 / 45))


def _reaches(stats: Stats, limit: float, slack: float) -> bool:
    return limit * (1 - min(slack / stats.size, 0.2)) <= stats.peak <= limit * _ROUND


def _near(stats: Stats, expected: float, deviation: float) -> bool:
    return abs(stats.mean_square - expected) <= 5 * deviation / sqrt(stats.size)


def _stats(values: Array | None) -> Stats | None:
    import numpy as np

    if values is None or not values.size or values.dtype.kind != "f":
        return None
    flat = values.reshape(-1)
    nans = infs = zeros = denormals = 0
    low, high, squares = np.inf, -np.inf, 0.0
    for start in range(0, flat.size, PIECE):
        piece = flat[start : start + PIECE].astype(np.float64)
        fine = np.isfinite(piece)
        if not fine.all():
            nans += int(np.isnan(piece).sum())
            infs += int(np.isinf(piece).sum())
            piece = piece[fine]
        if piece.size:
            size = np.abs(piece)
            low, high = min(low, float(piece.min())), max(high, float(piece.max()))
            none = int(np.count_nonzero(size == 0))
            zeros += none
            denormals += int(np.count_nonzero(size < TINY)) - none
            squares += float(piece @ piece)
    finite = flat.size - nans - infs
    if not finite:
        low = high = 0.0
    return Stats(flat.size, nans, infs, low, high, zeros, denormals, squares / max(finite, 1))


def _units(matrix: Array) -> Units:
    import numpy as np

    rows, count = matrix.shape
    step = max(1, PIECE // max(count, 1))
    draw = np.random.default_rng(0)
    peak, positive, negative, mark = (np.zeros(count) for _ in range(4))
    for start in range(0, rows, step):
        piece = matrix[start : start + step].astype(np.float64)
        peak = np.maximum(peak, np.abs(piece).max(axis=0))
        positive += np.maximum(piece, 0).sum(axis=0)
        negative += np.minimum(piece, 0).sum(axis=0)
        mark += draw.standard_normal(len(piece)) @ piece
    return Units(peak, positive, negative, mark)
