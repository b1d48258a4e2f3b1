"""What the stored weights say: statistics of each tensor and of each unit, worked out once and kept small.

A tensor is read, measured in pieces and let go; what stays is a few numbers and four vectors per unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from math import prod, sqrt

from archlint.facts.initial import is_drawn
from archlint.facts.measure import Stats, Units, stats_of, units_of
from archlint.graph import Array, Graph, Mismatch, Node, Param, Weights

LAYERS = frozenset({"Conv", "ConvTranspose", "Dense"})
"""Ops whose kernel has units: filters or outputs."""

NORMS = frozenset({"BatchNormalization", "LayerNormalization", "GroupNormalization"})


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
        if param.name in self._layer_of:
            self.units(self._layer_of[param.name])
        if param.name not in self._stats:
            self._stats[param.name] = stats_of(self._weights.read(param))
        return self._stats[param.name]

    @cached_property
    def _layer_of(self) -> dict[str, Node]:
        """Kernel → its first layer: all that is asked of a kernel is measured in one reading."""
        return {kernel.name: node for node in self.layers() if (kernel := node.param("kernel")) is not None}

    def units(self, node: Node) -> Units | None:
        """The kernel of a Conv, ConvTranspose or Dense per unit; None when some of it is not finite."""
        param = node.param("kernel")
        if param is None:
            return None
        if param.name not in self._units:
            values = self._weights.read(param)
            stats = self._stats.setdefault(param.name, stats_of(values))
            sound = values is not None and stats is not None and not stats.nans + stats.infs
            matrix = self.matrix(node, values) if values is not None and sound else None
            self._units[param.name] = None if matrix is None else units_of(matrix)
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
    def has_learned(self) -> bool:
        """Whether something shows that the model was trained: statistics, offsets or biases that differ.

        What starts at one value in all channels has moved when it is not one value any more.
        """
        return any(self._has_moved(node) for node in self._graph.nodes)

    def _has_moved(self, node: Node) -> bool:
        if node.op in LAYERS:
            told = self.is_initial(node)
            return self._varies(node.param("bias")) and (
                told is False or (told is None and self._is_beyond_torch(node))
            )
        roles = ("moving_mean", "beta", "gamma") if node.op in NORMS else ()
        return any(self._varies(node.param(role)) for role in roles)

    def _is_beyond_torch(self, node: Node) -> bool:
        """Whether a bias is larger than PyTorch draws it (torch.nn.Linear.reset_parameters: 1/√inputs)."""
        kernel, bias = node.param("kernel"), self.stats(node.param("bias"))
        fans = None if kernel is None else self._fans(node, kernel)
        return bias is not None and fans is not None and bias.peak * sqrt(fans[0]) > 1 + 1e-5

    def _varies(self, param: Param | None) -> bool:
        stats = self.stats(param)
        return stats is not None and stats.low != stats.high

    @cached_property
    def initial_share(self) -> tuple[int, int]:
        """How many layers are still at their initial values, and how many could be judged."""
        told = [self.is_initial(node) for node in self.layers()]
        return sum(one is True for one in told), sum(one is not None for one in told)

    def ranks(self, node: Node, energy: float, most: float) -> tuple[int, int] | None:
        """Singular values of a layer's matrix that hold this part of its energy, and those above 1e-6.

        The second counts those above 1e-6 of the largest: below it they are rounding, so the matrix is
        exactly of that rank. From the eigenvalues of its product with itself: σ² (Golub & Van Loan, 8.6).
        None when more than ``most`` are needed, which mostly shows without them: r of them hold at most
        √(r Σσ⁴) (Cauchy-Schwarz), and Σσ⁴ is the squared norm of the product.
        """
        import numpy as np

        values = self.values(node.param("kernel"))
        matrix = None if values is None else self.matrix(node, values)
        if matrix is None or not np.isfinite(matrix).all():
            return None
        tall = (matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T).astype(np.float64)
        product = tall.T @ tall
        if not product.any() or (energy * np.trace(product)) ** 2 > most * np.vdot(product, product):
            return None
        squares = np.clip(np.linalg.eigvalsh(product)[::-1], 0, None)
        needed = int(np.searchsorted(np.cumsum(squares) / squares.sum(), energy)) + 1
        return (needed, int((squares > 1e-12 * squares[0]).sum())) if needed <= most else None

    @cached_property
    def mismatches(self) -> tuple[Mismatch, ...]:
        """Params whose stored shape is not the one that the architecture asks for."""
        return self._weights.mismatches()

    def _judge(self, node: Node) -> bool | None:
        kernel, bias = node.param("kernel"), node.param("bias")
        stats = self.stats(kernel)
        fans = None if kernel is None else self._fans(node, kernel)
        if stats is None or fans is None:
            return None
        return is_drawn(stats, self.stats(bias), bias is not None, fans)

    def _fans(self, node: Node, kernel: Param) -> tuple[int, int] | None:
        """Inputs and outputs of a unit as Keras counts them (keras/src/initializers, compute_fans).

        Of a transposed convolution Keras and PyTorch take the outputs for inputs, as its kernel stores them.
        """
        shape = [dim for dim in kernel.shape or () if isinstance(dim, int)]
        if kernel.shape is None or len(shape) < max(2, len(kernel.shape)):
            return None
        if self._graph.format == "onnx" and node.op != "Dense":
            shape = [*shape[2:], *shape[1::-1]]
        elif node.attrs.get("kernel_transposed"):
            shape.reverse()
        window = prod(shape[:-2])
        return shape[-2] * window, shape[-1] * window
