"""Control flow (its bodies are inferred by ``archlint.ops.infer``), sequences, optionals and losses."""

from __future__ import annotations

from collections.abc import Sequence

from archlint.graph import Dim, Node, Shape
from archlint.ops.base import Op, Tensor, at, given, table, unknown_cost, word


def unknown_outputs(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """Nothing is known of what comes out."""
    return [Tensor() for _ in node.outputs]


def _present(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """What an optional tensor holds."""
    return (at(ins, 0),)


def _length(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return (Tensor("int64", ()),)


def _question(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return (Tensor("bool", ()),)


def _range(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """As many numbers as fit: max(ceil((limit − start) / delta), 0)."""
    bounds = [given(node, ins, name, index) for index, name in enumerate(("start", "limit", "delta"))]
    length: Dim = None
    if all(bound and isinstance(bound[0], int) for bound in bounds):
        start, limit, delta = (int(bound[0] or 0) if bound else 0 for bound in bounds)
        length = max(-(-(limit - start) // delta), 0) if delta else None
    return (Tensor(at(ins, 0).dtype or "int64", (length,)),)


def _filled(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """A tensor of the shape that the input states."""
    target = given(node, ins, "shape", 0)
    param = node.param("value")
    shape: Shape = target if target is not None else None
    value = node.attrs.get("value")
    dtype = param.dtype if param is not None else "int64" if isinstance(value, int) else "float32"
    return (Tensor(word(node, "dtype") or dtype, shape),)


def _eye_like(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return (Tensor(word(node, "dtype") or at(ins, 0).dtype, at(ins, 0).shape),)


def _loss(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """A scalar, or a loss per label; then the log-probabilities."""
    shape: Shape = at(ins, 1).shape if word(node, "reduction") == "none" else ()
    return (Tensor(at(ins, 0).dtype, shape), Tensor(at(ins, 0).dtype, at(ins, 0).shape))


_CONTROL = frozenset({"control", "nonlinear"})
_SEQUENCES = (
    "SequenceConstruct SequenceEmpty SequenceInsert SequenceErase SequenceAt SequenceMap SplitToSequence "
    "ConcatFromSequence"
)
_MAKER = frozenset({"constant"})

OPS = table(
    *(Op(name, unknown_outputs, cost=unknown_cost, traits=_CONTROL) for name in ("If", "Loop", "Scan")),
    *(Op(name, unknown_outputs, traits=_CONTROL) for name in _SEQUENCES.split()),
    *(Op(name, _present, traits=_CONTROL) for name in ("Optional", "OptionalGetElement")),
    Op("SequenceLength", _length, traits=_CONTROL),
    Op("OptionalHasElement", _question, traits=_CONTROL),
    Op("Range", _range, {"start": None, "limit": None, "delta": None}),
    Op("ConstantOfShape", _filled, {"shape": None, "value": 0.0, "dtype": None}, traits=_MAKER),
    Op("EyeLike", _eye_like, {"dtype": None, "k": 0}, traits=_MAKER),
    *(
        Op(name, _loss, {"reduction": "mean", "ignore_index": None}, traits=frozenset({"nonlinear"}))
        for name in ("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss")
    ),
)
