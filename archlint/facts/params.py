"""Parameters: elements of stored tensors, those of shared tensors once."""

from __future__ import annotations

from collections.abc import Iterator

from archlint.dataclass import dataclass
from archlint.facts.basis import Basis
from archlint.graph import Node, Param


@dataclass(frozen=True, slots=True)
class Totals:
    """Parameters of a model. ``exact`` is false when a node holds an unknown number of them."""

    params: int
    trainable: int
    exact: bool


def counted(node: Node) -> Iterator[Param]:
    """The params of a node that count as parameters.

    All of them, but of a ``Constant`` only a floating-point tensor of more than one element: indices, shapes
    and scalar settings are no parameters. Nor is a table that the config of a Keras model states, which no
    training changes.
    """
    for param in node.params:
        if node.op != "Constant" or (_is_float(param.dtype) and param.size != 1 and _is_learned(param)):
            yield param


def _is_learned(param: Param) -> bool:
    return param.trainable or param.role != "value"


def _is_float(dtype: str | None) -> bool:
    return dtype is not None and dtype.startswith(("float", "bfloat", "double"))


def params_of(node: Node, trainable: bool = False) -> int | None:
    """Parameters (or only the trainable ones) of a node; None when not known."""
    if node.op == "Unknown" and not node.params:
        return None
    total = 0
    for param in {param.name: param for param in counted(node)}.values():
        if trainable and not param.trainable:
            continue
        if param.size is None:
            return None
        total += param.size
    return total


def totals(basis: Basis) -> Totals:
    """Parameters of the whole graph, bodies included; each name counts once."""
    params: dict[str, Param] = {}
    exact = True
    for _, node in basis.everywhere():
        exact = exact and not (node.op == "Unknown" and not node.params)
        for param in counted(node):
            params.setdefault(param.name, param)
    sizes = [(param.size, param.trainable) for param in params.values()]
    return Totals(
        sum(size or 0 for size, _ in sizes),
        sum(size or 0 for size, trainable in sizes if trainable),
        exact and all(size is not None for size, _ in sizes),
    )
