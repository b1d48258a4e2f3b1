"""ONNX's linear-time sequence ops: ``LinearAttention`` and ``CausalConvWithState``."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from archlint.graph import Dim, Node
from archlint.ops.base import Op, Tensor, at, integer, table
from archlint.ops.dims import known, times


def _heads(node: Node, ins: Sequence[Tensor]) -> tuple[Dim, Dim, int | None]:
    """Features of a key head and of a value head, and the number of both."""
    heads = integer(node, "kv_num_heads")
    key, value = at(ins, 1).shape, at(ins, 2).shape
    wide = key[-1] if key else None
    deep = value[-1] if value else None
    if not heads:
        return None, None, None
    return (
        wide // heads if isinstance(wide, int) else None,
        deep // heads if isinstance(deep, int) else None,
        heads,
    )


def _linear_attention(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """(N, T, query heads · value features) and the state (N, heads, key features, value features).

    Source: ONNX LinearAttention, https://onnx.ai/onnx/operators/onnx__LinearAttention.html.
    """
    query = at(ins, 0)
    wide, deep, heads = _heads(node, ins)
    if query.shape is None or len(query.shape) != 3:
        return (Tensor(query.dtype), Tensor(query.dtype))
    made = (*query.shape[:2], times(deep, integer(node, "q_num_heads")))
    return (Tensor(query.dtype, made), Tensor(query.dtype, (query.shape[0], heads, wide, deep)))


def _linear_attention_macs(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """T · (heads + query heads) · key features · value features: one update and one reading of the state.

    Source: Katharopoulos et al. 2020, arXiv:2006.16236 eq. 18–20. Gates and decays do not count.
    """
    query, readers = at(ins, 0).shape, integer(node, "q_num_heads")
    wide, deep, heads = _heads(node, ins)
    if query is None or len(query) != 3 or readers is None or heads is None:
        return None
    numbers = known((query[1], wide, deep))
    return None if numbers is None else prod(numbers) * (heads + readers)


def _taps(node: Node, ins: Sequence[Tensor]) -> Dim:
    stored = node.param("kernel")
    shape = stored.shape if stored is not None else at(ins, 1).shape
    return shape[-1] if shape else integer(node, "kernel")


def _causal_conv(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """The input's shape, and the last taps − 1 positions as state.

    Source: ONNX CausalConvWithState, https://onnx.ai/onnx/operators/onnx__CausalConvWithState.html.
    """
    source, taps = at(ins, 0), _taps(node, ins)
    if source.shape is None or len(source.shape) != 3:
        return (Tensor(source.dtype), Tensor(source.dtype))
    state = (*source.shape[:2], taps - 1 if isinstance(taps, int) else None)
    return (Tensor(source.dtype, source.shape), Tensor(source.dtype, state))


def _causal_conv_macs(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """Channels · positions · taps, as a depthwise convolution."""
    shape = at(ins, 0).shape
    numbers = known((*shape[1:], _taps(node, ins))) if shape is not None else None
    return None if numbers is None else prod(numbers)


OPS = table(
    Op(
        "LinearAttention",
        _linear_attention,
        {
            "q_num_heads": None,
            "kv_num_heads": None,
            "scale": 0.0,
            "update_rule": "gated_delta",
            "chunk_size": 64,
        },
        _linear_attention_macs,
        traits=frozenset({"attention", "nonlinear"}),
    ),
    Op(
        "CausalConvWithState",
        _causal_conv,
        {"activation": "none", "kernel": None},
        _causal_conv_macs,
        traits=frozenset({"learned", "nonlinear", "recurrent"}),
    ),
)
