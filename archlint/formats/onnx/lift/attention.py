"""Dot-product attention that is spelled out.

before: ``MatMul(Softmax(MatMul(q, Transpose(k)) / 8 + mask), v)``
after: ``Attention(q, k, v, mask) scale=0.125``

Scales on the scores, on q or on k are one ``scale``. The transpose in front of k loses its swap of the last
two axes; where nothing else is left of it, it falls away. The node is called what the file calls the softmax.
Source: Vaswani et al. 2017, arXiv:1706.03762 §3.2.1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from archlint.formats.onnx.lift.bench import Bench
from archlint.formats.onnx.tensors import shortest
from archlint.graph import Attr, Node


@dataclass(frozen=True, slots=True)
class _Scores:
    query: str
    key: str
    mask: str
    scale: float


def lift(bench: Bench) -> None:
    """Lifts from the product with the values upwards."""
    for node in bench.nodes("MatMul"):
        soft = _softmax(bench, node.inputs[0])
        rank = bench.rank(node.outputs[0])
        scores = _scores(bench, soft.inputs[0]) if soft is not None and rank in (3, 4) else None
        if soft is None or scores is None:
            continue
        key = _untransposed(bench, scores.key)
        if key is None:
            continue
        inputs = (scores.query, key, node.inputs[1], *([scores.mask] if scores.mask else []))
        attrs: dict[str, Attr] = {"scale": shortest(scores.scale), "layout": "bhtd" if rank == 4 else "btd"}
        bench.replace(node, replace(soft, op="Attention", inputs=inputs, outputs=node.outputs, attrs=attrs))


def _through_reshapes(bench: Bench, value: str) -> str | None:
    """torch's dynamo exporter swaps the axes of (heads·batch, tokens, depth) between two reshapes."""
    after = bench.only(value, "Reshape")
    node = bench.only(after.inputs[0], "Transpose") if after is not None else None
    before = bench.only(node.inputs[0], "Reshape") if node is not None else None
    if node is None or before is None or node.attrs.get("perm") != (0, 2, 1):
        return None
    source, result = bench.shape(before.inputs[0]), bench.shape(value)
    if source is None or result is None or len(source) != 4 or None in (*source[1:], *result[1:]):
        return None
    return before.inputs[0] if result[1:] == (source[1], source[3], source[2]) else None


def _softmax(bench: Bench, value: str) -> Node | None:
    node = bench.only(value, "Softmax", "Dropout", "Identity", "Cast")
    for _ in range(3):
        if node is None or node.op == "Softmax":
            break
        node = bench.only(node.inputs[0], "Softmax", "Dropout", "Identity", "Cast")
    if node is None or node.op != "Softmax":
        return None
    rank = bench.rank(node.inputs[0])
    axis = node.attrs.get("axis", -1)
    last = axis == -1 or (rank is not None and axis == rank - 1)
    return node if last and node.attrs.get("flatten_from") is None else None


def _scores(bench: Bench, value: str) -> _Scores | None:
    mask, scale = "", 1.0
    add = bench.only(value, "Add")
    if add is not None:
        at = 0 if _product(bench, add.inputs[0]) else 1
        value, mask = add.inputs[at], add.inputs[1 - at]
    value, factor = _unscaled(bench, value)
    scale *= factor
    matmul = bench.only(value, "MatMul")
    if matmul is None:
        return None
    query, of_query = _unscaled(bench, matmul.inputs[0])
    key, of_key = _unscaled(bench, matmul.inputs[1])
    return _Scores(query, key, mask, scale * of_query * of_key)


def _product(bench: Bench, value: str) -> bool:
    return bench.only(_unscaled(bench, value)[0], "MatMul") is not None


def _unscaled(bench: Bench, value: str) -> tuple[str, float]:
    """What a value is a multiple of, and how many times."""
    node = bench.only(value, "Mul", "Div")
    if node is None or len(node.inputs) != 2:
        return value, 1.0
    number = bench.scalar(node.inputs[1])
    if number:
        return node.inputs[0], number if node.op == "Mul" else 1 / number
    number = bench.scalar(node.inputs[0]) if node.op == "Mul" else None
    return (node.inputs[1], number) if number else (value, 1.0)


def _untransposed(bench: Bench, value: str) -> str | None:
    """The keys as (…, tokens, depth), of a value that is (…, depth, tokens)."""
    node = bench.only(value, "Transpose")
    if node is None:
        return _through_reshapes(bench, value)
    perm = node.attrs.get("perm") if node is not None else None
    if node is None or not isinstance(perm, tuple) or len(perm) < 3:
        return None
    swapped = (*perm[:-2], perm[-1], perm[-2])
    if swapped == tuple(range(len(perm))):
        return node.inputs[0]
    name = f"{value}/keys"
    bench.replace(node, replace(node, outputs=(name,), attrs={"perm": swapped}))
    return name
