"""Attention: Keras layers with their projections, and the bare softmax(Q·Kᵀ)·V."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from archlint.graph import Dim, Node, Shape
from archlint.ops.base import Op, Tensor, Weight, at, flag, integer, integers, table, word
from archlint.ops.dims import axes_of, known, plus, times
from archlint.ops.norm import keep


def _value_dim(node: Node) -> int | None:
    return integer(node, "value_dim") or integer(node, "key_dim")


def _sources(ins: Sequence[Tensor]) -> tuple[Shape, Shape, Shape]:
    """Shapes of query, value and key; the key is the value when it is left out."""
    query, value, key = (at(ins, index).shape for index in range(3))
    return query, value, key if key is not None else value


def _projected(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """The query's shape with the stated features, and the scores when they are asked for."""
    source = at(ins, 0)
    if not source.shape:
        return [Tensor(source.dtype)] * max(len(node.outputs), 1)
    stated = integers(node, "output_shape")
    shape = (*source.shape[:-1], *(stated or source.shape[-1:]))
    scores = Tensor(source.dtype, _scores(node, ins))
    return [Tensor(source.dtype, shape), *[scores] * (len(node.outputs) - 1)]


def _scores(node: Node, ins: Sequence[Tensor]) -> Shape:
    """(N, axes that are not attended, heads, T of each attended axis, S of each).

    Source: ``_build_attention_equation`` of Keras ``MultiHeadAttention``.
    """
    query, value, _ = _sources(ins)
    heads = integer(node, "num_heads") or integer(node, "num_query_heads")
    axes = None if query is None else _attended(node, len(query))
    if query is None or value is None or axes is None or len(query) != len(value):
        return None
    free = (query[axis] for axis in range(len(query) - 1) if axis not in axes)
    return (*free, heads, *(query[axis] for axis in axes), *(value[axis] for axis in axes))


def _multi_head_macs(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """Projections T·Dq·h·k + S·Dk·h·k + S·Dv·h·v + T·h·v·Dout, scores h·T·S·k, mixing h·T·S·v.

    Source: Vaswani et al. 2017, arXiv:1706.03762 §3.2; Keras ``MultiHeadAttention`` einsum equations.
    With ``attention_axes`` the scores count once per position of the other axes; a gate is one more
    projection, T·Dq·h·v.
    """
    query, value, key = _sources(ins)
    heads, wide, deep = integer(node, "num_heads"), integer(node, "key_dim"), _value_dim(node)
    if query is None or value is None or key is None or heads is None or wide is None or deep is None:
        return None
    numbers = [known(shape[1:]) for shape in (query, value, key)]
    axes = _attended(node, len(query))
    made = known(outs[0].shape[len(query) - 1 :]) if outs and outs[0].shape else None
    if made is None or axes is None or any(not found for found in numbers):
        return None
    q, v, k = (found or () for found in numbers)
    targets, sources = prod(q[:-1]), prod(v[:-1])
    pairs = targets * prod(dim for axis, dim in enumerate(v[:-1], 1) if axis in axes)
    inputs = targets * q[-1] * wide + sources * k[-1] * wide + sources * v[-1] * deep
    if flag(node, "use_gate"):
        inputs += targets * q[-1] * deep
    return heads * (inputs + pairs * (wide + deep) + targets * deep * prod(made))


def _attended(node: Node, rank: int) -> tuple[int, ...] | None:
    stated = integers(node, "attention_axes")
    return axes_of(stated, rank) if stated else tuple(range(1, rank - 1))


def _multi_head_weights(node: Node, ins: Sequence[Tensor]) -> Sequence[Weight]:
    """query, key, gate and value kernels (D, heads, dim), biases (heads, dim); output (heads, dim, D)."""
    query, value, key = _sources(ins)
    heads, wide, deep = integer(node, "num_heads"), integer(node, "key_dim"), _value_dim(node)
    rows = [("query", query, heads, wide), ("key", key, heads, wide), ("value", value, heads, deep)]
    return _projections(node, rows, (heads, deep), query)


def _grouped_weights(node: Node, ins: Sequence[Tensor]) -> Sequence[Weight]:
    """As multi-head attention, with fewer heads for key and value."""
    query, value, key = _sources(ins)
    wide, heads = integer(node, "head_dim"), integer(node, "num_query_heads")
    shared = integer(node, "num_key_value_heads")
    rows = [("query", query, heads, wide), ("key", key, shared, wide), ("value", value, shared, wide)]
    return _projections(node, rows, (heads, wide), query)


def _projections(
    node: Node,
    rows: Sequence[tuple[str, Shape, int | None, int | None]],
    inner: tuple[int | None, int | None],
    query: Shape,
) -> Sequence[Weight]:
    found: list[Weight] = []
    biased = flag(node, "use_bias")
    gates = [("gate", query, *inner)] if flag(node, "use_gate") else []
    for role, source, heads, wide in (*rows[:2], *gates, *rows[2:]):
        found.append(Weight(f"{role}_kernel", (source[-1] if source else None, heads, wide)))
        if biased:
            found.append(Weight(f"{role}_bias", (heads, wide)))
    made: tuple[Dim, ...] = integers(node, "output_shape") or ((query[-1],) if query else (None,))
    found.append(Weight("output_kernel", (*inner, *made)))
    if biased:
        found.append(Weight("output_bias", made))
    return found


def _grouped_macs(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """As multi-head attention; key and value are projected to fewer heads.

    Source: Ainslie et al. 2023, arXiv:2305.13245 §2.2.
    """
    query, value, key = _sources(ins)
    wide, heads = integer(node, "head_dim"), integer(node, "num_query_heads")
    shared = integer(node, "num_key_value_heads")
    shapes = [known(shape[1:]) if shape is not None else None for shape in (query, value, key)]
    if wide is None or heads is None or shared is None or any(not shape for shape in shapes):
        return None
    (targets, *_, features), v, k = (shape or (0, 0) for shape in shapes)
    sources = v[0]
    pairs = 2 * heads * targets * sources * wide
    projected = 3 if flag(node, "use_gate") else 2
    return projected * targets * features * heads * wide + sources * (k[-1] + v[-1]) * shared * wide + pairs


def _heads(node: Node) -> tuple[int, int]:
    heads = integer(node, "q_num_heads") or 1
    return heads, integer(node, "kv_num_heads") or heads


def _divided(dim: Dim, parts: int) -> Dim:
    return dim // parts if isinstance(dim, int) and parts > 0 else dim if parts == 1 else None


def _core(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """Y, and ONNX's present key, present value and scores.

    Source: ONNX Attention, https://onnx.ai/onnx/operators/onnx__Attention.html; Keras ``Attention``.
    """
    query, key, value = (at(ins, index) for index in range(3))
    if not query.shape or not value.shape or len(query.shape) != len(value.shape):
        return [Tensor(query.dtype)] * max(len(node.outputs), 1)
    heads, shared = _heads(node)
    if len(query.shape) == 4:
        made: Shape = (*query.shape[:3], value.shape[3])
        batch, targets, per_head = query.shape[0], query.shape[2], value.shape[3]
        heads_dim: Dim = query.shape[1]
        shared_dim: Dim = value.shape[1]
        key_dim: Dim = key.shape[3] if key.shape and len(key.shape) == 4 else None
        sources: Dim = value.shape[2]
    elif len(query.shape) == 3:
        per_head = _divided(value.shape[2], shared)
        made = (*query.shape[:2], times(per_head, heads))
        batch, targets, heads_dim, shared_dim = query.shape[0], query.shape[1], heads, shared
        key_dim = _divided(key.shape[2], shared) if key.shape and len(key.shape) == 3 else None
        sources = value.shape[1]
    else:
        return [Tensor(query.dtype, (*query.shape[:-1], value.shape[-1]))]
    past = at(ins, 4).shape
    if len(node.inputs) > 4 and node.inputs[4]:
        sources = plus(sources, past[2]) if past is not None and len(past) == 4 else None
    extra = [
        Tensor(query.dtype, (batch, shared_dim, sources, key_dim)),
        Tensor(query.dtype, (batch, shared_dim, sources, per_head)),
        Tensor(query.dtype, (batch, heads_dim, targets, sources)),
    ]
    return [Tensor(query.dtype, made), *extra[: max(len(node.outputs) - 1, 0)]]


def _core_macs(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """T·S·(key features + value features), over all heads; nothing is saved for a causal mask.

    Source: Vaswani et al. 2017, arXiv:1706.03762 eq. 1.
    """
    query, key, value = (at(ins, index).shape for index in range(3))
    if query is None or key is None or value is None:
        return None
    shapes = [known(shape[1:]) for shape in (query, key, value)]
    if any(not shape or len(shape) < 2 for shape in shapes):
        return None
    q, k, v = (shape or () for shape in shapes)
    heads, shared = _heads(node)
    repeated = v[-1] * (heads // shared if shared and len(q) == 2 else 1)
    return prod(q[:-2]) * q[-2] * k[-2] * (q[-1] + repeated)


def _core_weights(node: Node, ins: Sequence[Tensor]) -> Sequence[Weight]:
    """A scalar scale when asked for, and Keras's weight of the "concat" score."""
    found = [Weight("scale", ())] if flag(node, "use_scale") else []
    if word(node, "score_mode") == "concat":
        found.append(Weight("concat_score_weight", ()))
    return found


def _additive_macs(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """T·S·(features + value features): the scale's weighted sum and the mixing.

    Source: Bahdanau et al. 2014, arXiv:1409.0473 §3.1, with scores as Keras ``AdditiveAttention`` has them.
    """
    return _core_macs(node, ins, outs)


def _additive_weights(node: Node, ins: Sequence[Tensor]) -> Sequence[Weight]:
    """One scale per feature."""
    query = at(ins, 0).shape
    return (Weight("scale", (query[-1] if query else None,)),) if flag(node, "use_scale") else ()


_PROJECTED = frozenset({"learned", "attention", "nonlinear"})
_CORE = frozenset({"attention", "nonlinear"})

OPS = table(
    Op(
        "MultiHeadAttention",
        _projected,
        {
            "num_heads": None,
            "key_dim": None,
            "value_dim": None,
            "use_bias": True,
            "output_shape": None,
            "attention_axes": None,
            "dropout": 0.0,
            "causal": False,
            "flash": None,
            "use_gate": False,
        },
        _multi_head_macs,
        _multi_head_weights,
        _PROJECTED,
    ),
    Op(
        "GroupedQueryAttention",
        _projected,
        {
            "head_dim": None,
            "num_query_heads": None,
            "num_key_value_heads": None,
            "use_bias": True,
            "dropout": 0.0,
            "causal": False,
            "flash": None,
            "use_gate": False,
        },
        _grouped_macs,
        _grouped_weights,
        _PROJECTED,
    ),
    Op(
        "Attention",
        _core,
        {
            "causal": False,
            "scale": None,
            "layout": "bhtd",
            "use_scale": False,
            "score_mode": "dot",
            "dropout": 0.0,
            "q_num_heads": 0,
            "kv_num_heads": 0,
            "softcap": 0.0,
        },
        _core_macs,
        _core_weights,
        _CORE,
    ),
    Op(
        "AdditiveAttention",
        _core,
        {"use_scale": True, "dropout": 0.0, "causal": False},
        _additive_macs,
        _additive_weights,
        _CORE | {"learned"},
    ),
    Op(
        "RotaryEmbedding",
        keep,
        {"interleaved": 0, "num_heads": 0, "rotary_embedding_dim": 0, "max_wavelength": 10000},
    ),
)
