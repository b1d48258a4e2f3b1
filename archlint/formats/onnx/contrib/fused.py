"""Recipes of the fused operators in floating point: norms with a sum before them, attention, products."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from archlint.formats.onnx.contrib.steps import Recipe, Steps
from archlint.formats.onnx.records import RawAttr

_SKIP_EPSILON = 1e-12
"""Default of the operators that add before they normalise."""


def _skip_norm(steps: Steps, op: str, weights: tuple[str, ...], bias: str) -> bool:
    total = steps.plus(steps.given(0), steps.given(1), bias)
    if steps.wanted(3):
        steps.add("Identity", total, to=(steps.wanted(3),))
    epsilon = steps.number("epsilon", _SKIP_EPSILON)
    steps.add(op, total, *weights, to=(steps.wanted(0),), attrs={"axis": -1, "epsilon": epsilon})
    return True


def _skip_layer_norm(steps: Steps) -> bool:
    return _skip_norm(steps, "LayerNormalization", (steps.given(2), steps.given(3)), steps.given(4))


def _skip_rms_norm(steps: Steps) -> bool:
    return _skip_norm(steps, "RMSNormalization", (steps.given(2),), steps.given(3))


def _rms_norm(steps: Steps) -> bool:
    steps.add(
        "RMSNormalization",
        steps.given(0),
        steps.given(1),
        to=(steps.wanted(0),),
        attrs=steps.attrs("axis", "epsilon"),
    )
    return True


def _embed_layer_norm(steps: Steps) -> bool:
    ids, segments, positions = steps.given(0), steps.given(1), steps.given(8)
    parts = [steps.add("Gather", steps.given(2), ids)]
    if not positions:
        length = steps.add("Shape", ids, attrs={"start": 1, "end": 2})
        axis = steps.add("Constant", attrs={"value_ints": (0,)})
        zero, one = (
            steps.add("Constant", attrs={"value_int": 0}),
            steps.add("Constant", attrs={"value_int": 1}),
        )
        positions = steps.add("Range", zero, steps.add("Squeeze", length, axis), one)
    parts.append(steps.add("Gather", steps.given(3), positions))
    if segments and steps.given(4):
        parts.append(steps.add("Gather", steps.given(4), segments))
    total = steps.plus(*parts)
    epsilon = steps.number("epsilon", _SKIP_EPSILON)
    weights = (steps.given(5), steps.given(6))
    steps.add(
        "LayerNormalization", total, *weights, to=(steps.wanted(0),), attrs={"axis": -1, "epsilon": epsilon}
    )
    if steps.wanted(1) and steps.given(7):
        steps.add("ReduceSum", steps.given(7), to=(steps.wanted(1),), attrs={"axes": (1,), "keepdims": 0})
    if steps.wanted(2):
        steps.add("Identity", total, to=(steps.wanted(2),))
    return True


def _heads(steps: Steps, query: str, key: str, value: str, mask: str, past: tuple[str, ...]) -> bool:
    heads = int(steps.number("num_heads", 0))
    shared = int(steps.number("kv_num_heads", heads))
    if heads < 1 or not key or not value:
        return False
    inputs = [query, key, value, mask, *past]
    while not inputs[-1]:
        inputs.pop()
    outputs = [steps.wanted(0), *(steps.wanted(at) for at in (1, 2) if past)]
    attrs: dict[str, RawAttr] = {"q_num_heads": heads, "kv_num_heads": shared, **steps.attrs("scale")}
    causal = int(steps.number("unidirectional", 0))
    steps.add("Attention", *inputs, to=tuple(outputs), attrs={"is_causal": causal, **attrs})
    return True


def _attention(steps: Steps) -> bool:
    product = steps.plus(steps.add("MatMul", steps.given(0), steps.given(1)), steps.given(2))
    return self_attention(steps, product, steps.given(3) or steps.given(5))


def self_attention(steps: Steps, product: str, mask: str) -> bool:
    """One product makes query, key and value of the input, side by side."""
    sizes = steps.call.attrs.get("qkv_hidden_sizes")
    parts = query, key, value = steps.fresh("q"), steps.fresh("k"), steps.fresh("v")
    if isinstance(sizes, tuple) and sizes:
        steps.add("Split", product, to=parts, attrs={"axis": -1, "split": sizes})
    else:
        steps.add("Split", product, to=parts, attrs={"axis": -1})
    return _heads(steps, query, key, value, mask, ())


def _multi_head(steps: Steps) -> bool:
    query, key, value, bias = (steps.given(at) for at in range(4))
    if bias and key and value:
        parts = tuple(steps.fresh(part) for part in ("q", "k", "v"))
        steps.add("Split", bias, to=parts, attrs={"axis": 0})
        query, key, value = (
            steps.add("Add", one, part) for one, part in zip((query, key, value), parts, strict=True)
        )
    return _heads(
        steps, query, key, value, steps.given(5) or steps.given(4), (steps.given(6), steps.given(7))
    )


def _grouped(steps: Steps) -> bool:
    query, key, value, *past = (steps.given(at) for at in range(5))
    return _heads(steps, query, key, value, "", tuple(past))


def _rotary(steps: Steps) -> bool:
    order = (steps.given(0), steps.given(2), steps.given(3), steps.given(1))
    attrs = steps.attrs("interleaved", "num_heads", "rotary_embedding_dim")
    steps.add("RotaryEmbedding", *order, to=(steps.wanted(0),), attrs=attrs)
    return True


def _gelu(approximate: str) -> Recipe:
    def recipe(steps: Steps) -> bool:
        total = steps.plus(steps.given(0), steps.given(1))
        steps.add("Gelu", total, to=(steps.wanted(0),), attrs={"approximate": approximate})
        return True

    return recipe


def _quick_gelu(steps: Steps) -> bool:
    alpha = steps.constant(steps.number("alpha", 1.702))
    gate = steps.add("Sigmoid", steps.add("Mul", steps.given(0), alpha))
    steps.add("Mul", steps.given(0), gate, to=(steps.wanted(0),))
    return True


def _bias_add(steps: Steps) -> bool:
    first = steps.add("Add", steps.given(0), steps.given(1))
    steps.add("Add", first, steps.given(2), to=(steps.wanted(0),))
    return True


def _bias_softmax(steps: Steps) -> bool:
    total = steps.plus(steps.given(0), steps.given(1))
    steps.add("Softmax", total, to=(steps.wanted(0),), attrs=steps.attrs("axis"))
    return True


def _fused_matmul(steps: Steps) -> bool:
    """Turned operands only where they are stored matrices, for the number of axes must be known."""
    sides = [steps.given(0), steps.given(1)]
    if any(steps.number(name, 0) for name in ("transBatchA", "transBatchB")):
        return False
    for at, name in enumerate(("transA", "transB")):
        if steps.number(name, 0):
            if steps.ranks.get(sides[at]) != 2:
                return _turned_product(steps, sides)
            sides[at] = steps.add("Transpose", sides[at], attrs={"perm": (1, 0)})
    return _scaled(steps, lambda to: steps.add("MatMul", *sides, to=to))


def _turned_product(steps: Steps, sides: Sequence[str]) -> bool:
    steps.made.clear()
    left = "...ji" if steps.number("transA", 0) else "...ij"
    right = "...kj" if steps.number("transB", 0) else "...jk"
    inputs = (steps.given(0), steps.given(1))
    return _scaled(
        steps, lambda to: steps.add("Einsum", *inputs, to=to, attrs={"equation": f"{left},{right}->...ik"})
    )


def _scaled(steps: Steps, product: Callable[[Sequence[str]], str]) -> bool:
    alpha = steps.number("alpha", 1.0)
    if alpha == 1:
        product((steps.wanted(0),))
    else:
        steps.add("Mul", product(()), steps.constant(alpha), to=(steps.wanted(0),))
    return True


_ACTIVATIONS = frozenset({"Relu", "Tanh", "Sigmoid", "LeakyRelu", "Clip", "HardSigmoid", "Elu", "Softplus"})


def _activated(op: str, attrs: Sequence[str], inputs: int) -> Recipe:
    """An operator with an activation behind it; what is read after ``inputs`` is added in between."""

    def recipe(steps: Steps) -> bool:
        name = steps.call.attrs.get("activation", "")
        if name and name not in _ACTIVATIONS:
            return False
        stated = steps.call.attrs.get("activation_params")
        params = (
            [item for item in stated if isinstance(item, int | float)] if isinstance(stated, tuple) else []
        )
        made = steps.add(op, *steps.call.inputs[:inputs], attrs=steps.attrs(*attrs))
        made = steps.plus(made, *steps.call.inputs[inputs:])
        if name == "Clip":
            bounds = [steps.constant(value) for value in params]
            steps.add("Clip", made, *bounds, to=(steps.wanted(0),))
        else:
            settings: dict[str, RawAttr] = dict(zip(("alpha", "beta"), params, strict=False))
            steps.add(str(name) if name else "Identity", made, to=(steps.wanted(0),), attrs=settings)
        return True

    return recipe


FUSED: Mapping[str, Recipe] = {
    "SkipLayerNormalization": _skip_layer_norm,
    "SkipSimplifiedLayerNormalization": _skip_rms_norm,
    "SimplifiedLayerNormalization": _rms_norm,
    "EmbedLayerNormalization": _embed_layer_norm,
    "Attention": _attention,
    "MultiHeadAttention": _multi_head,
    "GroupQueryAttention": _grouped,
    "RotaryEmbedding": _rotary,
    "BiasGelu": _gelu("none"),
    "FastGelu": _gelu("tanh"),
    "QuickGelu": _quick_gelu,
    "BiasAdd": _bias_add,
    "BiasSoftmax": _bias_softmax,
    "FusedMatMul": _fused_matmul,
    "FusedConv": _activated("Conv", ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"), 3),
    "FusedGemm": _activated("Gemm", ("alpha", "beta", "transA", "transB"), 3),
}
"""Operator of ``com.microsoft`` → what it stands for."""
