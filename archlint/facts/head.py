"""The head of a path: what kind of output a value leads to, and how wide it is."""

from __future__ import annotations

from archlint.dataclass import dataclass
from archlint.facts.basis import Basis
from archlint.facts.paths import Paths
from archlint.graph import Graph, Node, Setting
from archlint.ops import has_trait

_SOFTMAX = frozenset({"Softmax", "LogSoftmax", "Sparsemax", "Hardmax"})
_CLASSES = frozenset(
    {
        "categorical_crossentropy",
        "sparse_categorical_crossentropy",
        "binary_crossentropy",
        "categorical_focal_crossentropy",
        "binary_focal_crossentropy",
        "hinge",
        "squared_hinge",
        "categorical_hinge",
        "ctc",
    }
)
_NUMBERS = frozenset(
    {
        "mean_squared_error",
        "mean_absolute_error",
        "mean_absolute_percentage_error",
        "mean_squared_logarithmic_error",
        "huber",
        "huber_loss",
        "log_cosh",
        "logcosh",
        "mse",
        "mae",
        "mape",
        "msle",
        "poisson",
        "cosine_similarity",
    }
)
_KEEP_KIND = ("cast", "random", "reshaping", "transparent", "linear_map")


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain of single readers ends.

    ``kind`` is "softmax", "sigmoid", "linear" (a learned layer with no activation after it), "other", or
    "unknown" when the chain meets an unknown node or forks. ``width`` is the length of the last axis of the
    output. ``task`` is "classification" or "regression", from the loss when there is one, else from the kind
    (softmax and sigmoid classify); None when neither says. ``output`` is the graph output reached.
    """

    kind: str
    width: int | None = None
    task: str | None = None
    output: str | None = None


UNKNOWN_HEAD = Head("unknown")


def head_of(basis: Basis, paths: Paths, value: str) -> Head:
    """The head that a value leads to when each value on the way has one reader."""
    graph = basis.graph
    kind: str | None = None
    seen = 0
    while seen <= len(graph.nodes):
        seen += 1
        if paths.is_output(value):
            return _ended(basis, paths, value, kind)
        reader = paths.single_user(value)
        if reader is None or has_trait(reader, "unknown") or not reader.outputs:
            return UNKNOWN_HEAD
        kind = _kind_after(reader, kind)
        value = reader.outputs[0]
    return UNKNOWN_HEAD


def _kind_after(node: Node, before: str | None) -> str | None:
    if node.op in _SOFTMAX:
        return "softmax"
    if node.op == "Sigmoid":
        return "sigmoid"
    if any(has_trait(node, trait) for trait in _KEEP_KIND):
        return before
    return "linear" if has_trait(node, "linear") else "other"


def _ended(basis: Basis, paths: Paths, value: str, kind: str | None) -> Head:
    graph = basis.graph
    output = next((name for name in graph.outputs if paths.source(name) == paths.source(value)), value)
    shape = basis.tensor(output).shape
    width = shape[-1] if shape else None
    kind = kind or _kind_of_maker(graph, value)
    position = graph.outputs.index(output) if output in graph.outputs else None
    loss = loss_of(basis, position)
    if loss is not None and loss.name in _NUMBERS:
        task = "regression"
    elif (loss is not None and loss.name in _CLASSES) or (loss is None and kind in ("softmax", "sigmoid")):
        task = "classification"
    else:
        task = None
    return Head(kind, width if isinstance(width, int) else None, task, output)


def _kind_of_maker(graph: Graph, value: str) -> str:
    """The kind of an output by what makes it, looked at backwards."""
    for _ in graph.nodes:
        maker = graph.producers.get(value)
        if maker is None or not maker.inputs or has_trait(maker, "unknown"):
            return "other" if maker is None or not has_trait(maker, "unknown") else "unknown"
        kind = _kind_after(maker, None)
        if kind is not None:
            return kind
        value = maker.inputs[0]
    return "other"


def loss_of(basis: Basis, position: int | None) -> Setting | None:
    """The loss that judges an output; one that names no output judges all."""
    training = basis.graph.training
    if training is None:
        return None
    stated = [loss for loss in training.losses if loss.output == position]
    return next(iter(stated or [loss for loss in training.losses if loss.output is None]), None)
