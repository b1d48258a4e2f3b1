"""Products of scalars and values, however the exporter has put brackets around them."""

from __future__ import annotations

from archlint.dataclass import dataclass
from archlint.formats.onnx.lift.bench import Bench
from archlint.graph import Node


@dataclass(frozen=True, slots=True)
class Product:
    """``scale`` times all ``factors``, which are sorted value names."""

    scale: float
    factors: tuple[str, ...]


def product(bench: Bench, node: Node) -> Product:
    """What a Mul or Div multiplies; only through operands that nothing else reads, at most four deep."""
    scale, factors = _operands(bench, node, 4)
    return Product(scale, tuple(sorted(factors)))


def product_of(bench: Bench, value: str) -> Product:
    """As ``product`` for the node that makes a value; the value itself if that is no product."""
    node = bench.maker(value, "Mul", "Div")
    return Product(1.0, (value,)) if node is None else product(bench, node)


def plus(bench: Bench, node: Node | None, number: float) -> str | None:
    """The other operand of ``x + number``."""
    if node is None or node.op != "Add" or len(node.inputs) != 2:
        return None
    for mine, other in ((0, 1), (1, 0)):
        if near(bench.scalar(node.inputs[other]), number):
            return node.inputs[mine]
    return None


def near(value: float | None, wanted: float) -> bool:
    """Whether a constant is the wanted one, in the precision of half floats."""
    return value is not None and abs(value - wanted) <= 2e-3 * abs(wanted)


def _operands(bench: Bench, node: Node, depth: int) -> tuple[float, list[str]]:
    scale = 1.0
    factors: list[str] = []
    for at, value in enumerate(node.inputs):
        number = bench.scalar(value)
        inner = bench.only(value, "Mul", "Div") if depth and (node.op == "Mul" or at == 0) else None
        if number is not None and (node.op == "Mul" or (at == 1 and number != 0)):
            scale *= number if node.op == "Mul" else 1 / number
        elif inner is not None:
            factor, more = _operands(bench, inner, depth - 1)
            scale *= factor
            factors += more
        else:
            factors.append(value if node.op == "Mul" or at == 0 else f"1/{value}")
    return scale, factors
