"""Attention layers."""

from __future__ import annotations

from archlint.formats.keras.builder import Val
from archlint.formats.keras.call import Arg, Call, Translator, values_of
from archlint.formats.keras.policies import as_stored
from archlint.graph import Attr

MHA_ARGS = ("query", "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask")
"""Order of the arguments of ``MultiHeadAttention.call`` in Keras 3."""


def argument(call: Call, names: tuple[str, ...], name: str) -> Arg:
    """An argument given by place or by name; None when it is left out."""
    index = names.index(name)
    return call.args[index] if index < len(call.args) else call.kwargs.get(name)


def _sources(call: Call) -> list[str]:
    """query, value, key?, mask?: "" for one that is left out in the middle."""
    found: list[str] = []
    flat = call.inputs if len(call.args) == 1 and isinstance(call.args[0], list) else []
    for index, name in enumerate(("query", "value", "key", "attention_mask")):
        given = values_of(argument(call, MHA_ARGS, name)) if not flat or index else flat[:1]
        if not given and index < len(flat):
            given = [flat[index]]
        found.append(given[0] if given else "")
    while found and not found[-1]:
        found.pop()
    return found


def multi_head(call: Call) -> list[Val]:
    """MultiHeadAttention."""
    config = call.config
    attrs: dict[str, Attr] = {
        "num_heads": config["num_heads"].int(low=1),
        "key_dim": config["key_dim"].int(low=1),
        "value_dim": None if config["value_dim"].is_null else config["value_dim"].int(low=1),
        "use_bias": config["use_bias"].flag(True),
        "output_shape": _dims(call, "output_shape"),
        "attention_axes": _dims(call, "attention_axes"),
        "dropout": config["dropout"].float(0.0),
        "causal": call.kwargs.get("use_causal_mask") is True,
        "use_gate": config["use_gate"].flag(False),
    }
    return _projected(call, "MultiHeadAttention", attrs)


def _projected(call: Call, op: str, attrs: dict[str, Attr]) -> list[Val]:
    """An attention layer with projections, each of which is an EinsumDense under the layer's dtype policy."""
    scores = call.kwargs.get("return_attention_scores") is True
    values = call.node(op, _sources(call), attrs, outputs=2 if scores else 1)
    ones = (None,) * ((call.rank or 3) - 1)
    inward = [(f"{name}_kernel", (0,), (*ones, 1, 2)) for name in ("query", "key", "gate", "value")]
    as_stored(call, *inward, ("output_kernel", (0, 1), (*ones, 2)))
    return values


def _dims(call: Call, key: str) -> Attr:
    raw = call.config[key]
    if raw.is_null:
        return None
    return raw.ints() if isinstance(raw.value, list) else (raw.int(),)


def grouped_query(call: Call) -> list[Val]:
    """GroupQueryAttention (Keras: GroupedQueryAttention)."""
    config = call.config
    attrs: dict[str, Attr] = {
        "head_dim": config["head_dim"].int(low=1),
        "num_query_heads": config["num_query_heads"].int(low=1),
        "num_key_value_heads": config["num_key_value_heads"].int(low=1),
        "use_bias": config["use_bias"].flag(True),
        "dropout": config["dropout"].float(0.0),
        "causal": call.kwargs.get("use_causal_mask") is True,
        "use_gate": config["use_gate"].flag(False),
    }
    return _projected(call, "GroupedQueryAttention", attrs)


def _query_key_value(call: Call) -> list[Val]:
    """Keras hands over [query, value, key?]; the normal form is query, key, value."""
    found = call.inputs
    if len(found) < 2:
        return found
    return [found[0], found[2] if len(found) > 2 else found[1], found[1]]


def attention(call: Call) -> list[Val]:
    """Attention (Luong); a learned scale and the concat score's weight are scalars."""
    attrs: dict[str, Attr] = {
        "layout": "btd",
        "scale": 1.0,
        "use_scale": call.config["use_scale"].flag(False),
        "score_mode": call.config["score_mode"].text("dot"),
        "dropout": call.config["dropout"].float(0.0),
        "causal": call.kwargs.get("use_causal_mask") is True,
    }
    scores = call.kwargs.get("return_attention_scores") is True
    return call.node("Attention", _query_key_value(call), attrs, outputs=2 if scores else 1)


def additive_attention(call: Call) -> list[Val]:
    """AdditiveAttention (Bahdanau)."""
    attrs: dict[str, Attr] = {
        "use_scale": call.config["use_scale"].flag(True),
        "dropout": call.config["dropout"].float(0.0),
        "causal": call.kwargs.get("use_causal_mask") is True,
    }
    scores = call.kwargs.get("return_attention_scores") is True
    return call.node("AdditiveAttention", _query_key_value(call), attrs, outputs=2 if scores else 1)


ATTENTION: dict[str, Translator] = {
    "AdditiveAttention": additive_attention,
    "Attention": attention,
    "GroupQueryAttention": grouped_query,
    "GroupedQueryAttention": grouped_query,
    "MultiHeadAttention": multi_head,
}
