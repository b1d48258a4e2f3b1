"""How the outputs of a model end: the layer that makes them, the activation behind it, what judges them."""

from __future__ import annotations

from collections.abc import Mapping

from archlint.dataclass import dataclass
from archlint.facts.basis import Basis
from archlint.facts.paths import Paths
from archlint.graph import Node, Setting, Shape
from archlint.ops import attr, has_trait

_KINDS: Mapping[str, str] = {
    "Softmax": "softmax",
    "Sparsemax": "softmax",
    "LogSoftmax": "log_softmax",
    "Sigmoid": "sigmoid",
    "HardSigmoid": "sigmoid",
    "SparseSigmoid": "sigmoid",
    "Tanh": "tanh",
    "HardTanh": "tanh",
    "Softsign": "tanh",
    "Softplus": "positive",
    "Squareplus": "positive",
    "SparsePlus": "positive",
    "Exp": "positive",
    "Square": "positive",
    "Abs": "positive",
    "LeakyRelu": "real",
    "PRelu": "real",
    "Elu": "real",
    "Selu": "real",
    "Celu": "real",
    "Gelu": "real",
    "Swish": "real",
    "HardSwish": "real",
    "Mish": "real",
}
"""Op → what it leaves of a number: its own word, "positive" (0 and up), or "real" (any sign, no bound)."""

_LAYERS = ("Dense", "Conv", "ConvTranspose", "EinsumDense")
_AVERAGES = ("GlobalAveragePool", "AveragePool", "AdaptiveAveragePool", "ReduceMean")
_RECURRENT = ("LSTM", "GRU", "RNN")


@dataclass(frozen=True, slots=True)
class Ending:
    """How one output of the model is made, read from its end.

    ``kind`` is "softmax", "log_softmax", "sigmoid", "tanh", "relu", "positive", "real" (another activation),
    "linear" (a learned layer without one), "other", or "unknown" behind an unknown node. ``node`` is the
    activation, or without one the layer; None when the output is neither. ``layer`` is the learned linear
    layer behind the activation, when only ``between`` (dropout, norms, reshapes, averages) parts the two.
    ``behind`` stands between ``node`` and the output. ``width`` is the length of the last axis. ``loss`` is
    None when there is none or when it is not clear which it is.
    """

    position: int
    value: str
    kind: str
    node: Node | None = None
    layer: Node | None = None
    between: tuple[Node, ...] = ()
    behind: tuple[Node, ...] = ()
    shape: Shape = None
    width: int | None = None
    loss: Setting | None = None
    metrics: tuple[Setting, ...] = ()


def endings(basis: Basis, paths: Paths) -> tuple[Ending, ...]:
    """One for each output of the model, in order."""
    return tuple(_ending(basis, paths, at, value) for at, value in enumerate(basis.graph.outputs))


def _ending(basis: Basis, paths: Paths, position: int, value: str) -> Ending:
    behind, node = _back(basis, paths, value, ("random", "reshaping"))
    kind = "other" if _is_likeness(basis, node) or _is_idle(basis, node) else _kind(node)
    if kind != "linear" and any(has_trait(one, "affine") for one in behind):
        kind = "other"
    layer: Node | None = node
    between: tuple[Node, ...] = ()
    if node is not None and kind not in ("linear", "other", "unknown") and node.op not in _RECURRENT:
        between, layer = _back(basis, paths, node.inputs[0], ("random", "reshaping", "affine"))
    shape = basis.tensor(value).shape
    width = shape[-1] if shape else None
    loss, metrics = _judges(basis, position)
    return Ending(
        position=position,
        value=value,
        kind=kind,
        node=node if kind not in ("other", "unknown") else None,
        layer=layer if layer is not None and layer.op in _LAYERS else None,
        between=between,
        behind=behind,
        shape=shape,
        width=width if isinstance(width, int) else None,
        loss=loss,
        metrics=metrics,
    )


def _back(
    basis: Basis, paths: Paths, value: str, skipped: tuple[str, ...]
) -> tuple[tuple[Node, ...], Node | None]:
    """The nodes that are looked through from a value backwards, first one first, and the one behind them.

    Averages over places and norms over channels are looked through as well: what they average stays in
    the same range, and a norm leaves a linear layer linear.
    """
    passed: list[Node] = []
    for _ in basis.graph.nodes:
        node = basis.graph.producers.get(value)
        if node is None or not node.inputs:
            return (), None
        linear = node.op in _AVERAGES or has_trait(node, "affine")
        if not (paths.hands_on(node) or linear or any(has_trait(node, trait) for trait in skipped)):
            return tuple(reversed(passed)), node
        if not paths.hands_on(node):
            passed.append(node)
        value = node.inputs[0]
    return (), None


def _is_likeness(basis: Basis, node: Node | None) -> bool:
    """Whether a node is exp(−x): 1 for no distance, towards 0 with it, a score of how alike two things are.

    Source: Mueller & Thyagarajan 2016, "Siamese recurrent architectures for learning sentence similarity",
    section 3 (exp of the negative Manhattan distance).
    """
    maker = basis.graph.producers.get(node.inputs[0]) if node is not None and node.op == "Exp" else None
    return maker is not None and maker.op == "Neg"


def _is_idle(basis: Basis, node: Node | None) -> bool:
    """Whether a node rectifies probabilities, which are never below 0; ``activation-twice`` says so."""
    maker = basis.graph.producers.get(node.inputs[0]) if node is not None and node.op == "Relu" else None
    return maker is not None and maker.op in ("Softmax", "Sigmoid")


def _kind(node: Node | None) -> str:
    if node is None:
        return "other"
    if node.op in _LAYERS:
        return "linear"
    if node.op in _RECURRENT:
        return "tanh" if attr(node, "activation") == "tanh" else "other"
    if node.op in ("Relu", "ThresholdedRelu"):
        return "real" if node.attrs.get("negative_slope") else "relu"
    return "unknown" if has_trait(node, "unknown") else _KINDS.get(node.op, "other")


def _judges(basis: Basis, position: int) -> tuple[Setting | None, tuple[Setting, ...]]:
    """The loss and the metrics of an output; one that names no output is taken to judge the only one."""
    training = basis.graph.training
    if training is None:
        return None, ()
    alone = len(basis.graph.outputs) == 1
    nameless = alone or (len(training.losses) == 1 and training.losses[0].output is None)
    losses = [one for one in training.losses if one.output == position or (one.output is None and nameless)]
    metrics = (one for one in training.metrics if one.output == position or (one.output is None and alone))
    return (losses[0] if len(losses) == 1 else None), tuple(metrics)
