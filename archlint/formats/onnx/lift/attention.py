"""Dot-product attention that is spelled out.

before: ``MatMul(Softmax(MatMul(q, Transpose(k)) / 8 + mask), v)``
after: ``Attention(q, k, v, mask) scale=0.125``

Scales on the scores, on q or on k are one ``scale``; a mask may be added, or chosen by Where, which tf2onnx
writes as ``scores · c + m``, before the softmax and again behind it; a bias and a mask that are both added
become a sum of their own. tf2onnx also multiplies k by q and turns the scores or the probabilities around;
torch merges heads for the product, and puts zeros where a row is all masked. The transpose in front of k
loses its swap of the last two axes; where nothing else is left of it, it falls away. The node is called what
the file calls the softmax. Source: Vaswani et al. 2017, arXiv:1706.03762 §3.2.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from archlint.dataclass import dataclass
from archlint.formats.onnx.lift.bench import Bench
from archlint.formats.onnx.tensors import shortest
from archlint.graph import Attr, Node


@dataclass(frozen=True, slots=True)
class _Mask:
    """What is added to the scores, or chosen by, and the node that does so; "" where a node only looks on."""

    value: str
    node: Node


@dataclass(frozen=True, slots=True)
class _Scores:
    """The product, its factor, whether it is turned around, its masks from inside out, its soft cap."""

    matmul: Node
    scale: float
    turned: bool
    masks: tuple[_Mask, ...] = ()
    cap: float = 0.0

    @property
    def is_masked_once(self) -> bool:
        """Whether one input says all masks: there is one at most, or two that are both added."""
        sums = [mask.node.op == "Add" for mask in self.masks]
        return len(sums) < 2 or sums == [True, True]


_MAX_STEPS = 6
"""Nodes between the product and the softmax; the most seen are Reshape, Add, Add, Reshape."""


def lift(bench: Bench) -> None:
    """Lifts from the product with the values upwards."""
    for node in bench.nodes("MatMul"):
        rank = bench.rank(node.outputs[0])
        soft, turned = _softmax(bench, node.inputs[0]) if rank in (3, 4) else (None, False)
        found = _scores(bench, soft.inputs[0], turned) if soft is not None else None
        if soft is None or found is None or not found.is_masked_once:
            continue
        right = _untransposed(bench, found.matmul.inputs[1])
        if right is None:
            continue
        left, factor = _unscaled(bench, found.matmul.inputs[0])
        query, key = (right[0], left) if found.turned else (left, right[0])
        *biases, mask = (None, *found.masks)
        both = mask is not None and biases[-1] is not None
        masks = () if mask is None else (mask.node.outputs[0] if both else mask.value,)
        scale = shortest(found.scale * factor * right[1])
        attrs: dict[str, Attr] = {"scale": scale, "layout": "bhtd" if rank == 4 else "btd"}
        attrs |= {"softcap": shortest(found.cap)} if found.cap else {}
        inputs = (query, key, node.inputs[1], *masks)
        bench.replace(node, replace(soft, op="Attention", inputs=inputs, outputs=node.outputs, attrs=attrs))
        if mask is not None and biases[-1] is not None:
            bench.replace(mask.node, replace(mask.node, inputs=(biases[-1].value, mask.value)))


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


def _softmax(bench: Bench, value: str) -> tuple[Node | None, bool]:
    """The softmax that makes the weights of the values, and whether they are turned around behind it."""
    turned = False
    for _ in range(_MAX_STEPS):
        chosen = _chosen(bench, value)
        value = chosen[0] if chosen is not None and bench.only(chosen[0], "Softmax") is not None else value
        node = _without_nan(bench, value)
        node = node or bench.only(value, "Softmax", "Dropout", "Identity", "Cast", "Transpose", "Reshape")
        if node is None or (node.op == "Transpose" and not _swaps(node)):
            return None, turned
        if node.op == "Reshape" and not _keeps_matrices(bench, node):
            return None, turned
        if node.op == "Softmax":
            return (node if _is_along(bench, node, turned) else None), turned
        turned = turned != (node.op == "Transpose")
        value = node.inputs[0]
    return None, turned


def _without_nan(bench: Bench, value: str) -> Node | None:
    """The softmax of ``Where(IsNaN(p), 0, p)``: torch's dynamo exporter, for rows that are all masked."""
    where = bench.only(value, "Where")
    test = bench.only(where.inputs[0], "IsNaN") if where is not None else None
    if (
        where is None
        or test is None
        or where.inputs[2:] != test.inputs
        or not _scalar(bench, where.inputs[1])
    ):
        return None
    return bench.maker(test.inputs[0], "Softmax") if bench.uses(test.inputs[0]) == 2 else None


def _keeps_matrices(bench: Bench, node: Node) -> bool:
    """Whether a reshape only merges or splits what stands before the last two axes."""
    before, after = bench.shape(node.inputs[0]), bench.shape(node.outputs[0])
    if before is None or after is None or min(len(before), len(after)) < 3 or None in before[-2:]:
        return False
    return before[-2:] == after[-2:]


def _is_along(bench: Bench, node: Node, turned: bool) -> bool:
    """Whether a softmax goes along the keys: the last axis, or the one before when the scores are turned."""
    rank = bench.rank(node.inputs[0])
    axis, wanted = node.attrs.get("axis", -1), -2 if turned else -1
    along = axis == wanted or (rank is not None and axis == rank + wanted)
    return along and node.attrs.get("flatten_from") is None


def _swaps(node: Node) -> bool:
    """Whether a transpose exchanges the last two axes and no others."""
    perm = node.attrs.get("perm")
    if not isinstance(perm, tuple) or len(perm) < 3:
        return False
    last = len(perm) - 1
    return perm == (*range(last - 1), last, last - 1)


def _scores(bench: Bench, value: str, turned: bool, steps: int = _MAX_STEPS) -> _Scores | None:
    """The product behind the scores, with its masks and scale."""
    found = _matmul(bench, value)
    if found is not None:
        return replace(found, turned=found.turned != turned)
    tanh, cap = _unscaled(bench, value)
    curve = bench.only(tanh, "Tanh") if steps else None
    if curve is not None:
        inside = _scores(bench, curve.inputs[0], turned, steps - 1)
        return None if inside is None or inside.masks else replace(inside, scale=inside.scale * cap, cap=cap)
    for inner, mask in _inwards(bench, value) if steps else ():
        below = _scores(bench, inner, turned, steps - 1)
        if below is not None:
            return replace(below, masks=(*below.masks, mask)) if mask.value else below
    return None


def _inwards(bench: Bench, value: str) -> Iterator[tuple[str, _Mask]]:
    """What a value may be the scores of: one node further in, and the mask that this node puts on them."""
    chosen = _chosen(bench, value)
    node = bench.only(value, "Cast", "Identity", "Reshape", "Where", "Add")
    if node is None:
        return
    if chosen is not None:
        yield chosen[0], _Mask(chosen[1], replace(node, op="Where"))
    elif node.op == "Where" and len(node.inputs) == 3:
        yield node.inputs[1 if _scalar(bench, node.inputs[2]) else 2], _Mask(node.inputs[0], node)
    elif node.op == "Add" and len(node.inputs) == 2:
        for at in (0, 1):
            yield node.inputs[at], _Mask(node.inputs[1 - at], node)
    elif node.op in ("Cast", "Identity") or (node.op == "Reshape" and _keeps_matrices(bench, node)):
        yield node.inputs[0], _Mask("", node)


def _scalar(bench: Bench, value: str) -> bool:
    return bench.scalar(value) is not None


def _matmul(bench: Bench, value: str) -> _Scores | None:
    """The product that a value is, seen through a factor and an exchange of the last two axes."""
    value, scale = _unscaled(bench, value)
    turn = bench.only(value, "Transpose")
    turned = turn is not None and _swaps(turn)
    if turn is not None and turned:
        value, factor = _unscaled(bench, turn.inputs[0])
        scale *= factor
    matmul = bench.only(value, "MatMul")
    return None if matmul is None else _Scores(matmul, scale, turned)


def _chosen(bench: Bench, value: str) -> tuple[str, str] | None:
    """(x, m) of ``x · c + m``, where c is not a single number: how tf2onnx writes Where."""
    add = bench.only(value, "Add")
    for mine, other in ((0, 1), (1, 0)) if add is not None and len(add.inputs) == 2 else ():
        product = bench.only(add.inputs[mine], "Mul") if add is not None else None
        if add is None or product is None or len(product.inputs) != 2:
            continue
        for at in (0, 1):
            kept = bench.only(product.inputs[at], "Softmax", "MatMul", "Transpose", "Mul", "Div")
            if kept is not None and not _scalar(bench, product.inputs[1 - at]):
                return product.inputs[at], add.inputs[other]
    return None


def _unscaled(bench: Bench, value: str) -> tuple[str, float]:
    """What a value is a multiple of, and how many times."""
    scale = 1.0
    for _ in range(_MAX_STEPS):
        node = bench.only(value, "Mul", "Div")
        if node is None or len(node.inputs) != 2:
            break
        number, rest = bench.scalar(node.inputs[1]), node.inputs[0]
        if not number and node.op == "Mul":
            number, rest = bench.scalar(node.inputs[0]), node.inputs[1]
        if not number:
            break
        value, scale = rest, scale * number if node.op == "Mul" else scale / number
    return value, scale


def _untransposed(bench: Bench, value: str) -> tuple[str, float] | None:
    """(…, tokens, depth) of a value that is (…, depth, tokens), and the factor that was taken out of it."""
    value, outer = _unscaled(bench, value)
    node = bench.only(value, "Transpose")
    if node is None:
        found = _through_reshapes(bench, value)
        return None if found is None else (found, outer)
    perm = node.attrs.get("perm")
    if not isinstance(perm, tuple) or len(perm) < 3:
        return None
    source, inner = _unscaled(bench, node.inputs[0])
    swapped = (*perm[:-2], perm[-1], perm[-2])
    if swapped == tuple(range(len(perm))):
        return source, outer * inner
    name = f"{value}/keys"
    bench.replace(node, replace(node, inputs=(source,), outputs=(name,), attrs={"perm": swapped}))
    return name, outer * inner
