"""Models: Sequential and functional, nested ones inlined with their path."""

from __future__ import annotations

from collections.abc import Sequence

from archlint.formats.keras.builder import MAX_MODEL_DEPTH, Builder, Val
from archlint.formats.keras.call import Arg, Call, Layer
from archlint.formats.keras.functional import Functional
from archlint.formats.keras.sequential import build_sequential
from archlint.formats.keras.serialised import SEQUENTIAL, Outputs, grouped, is_model, layer_of

__all__ = ["build", "grouped", "inline", "is_model", "layer_of"]


def build(builder: Builder, layer: Layer, args: Sequence[Arg] | None) -> Outputs:
    """Adds all nodes of a model. ``args`` are its inputs; None for the outermost, which makes its own."""
    if len(layer.parents) > MAX_MODEL_DEPTH:
        raise layer.raw.error(
            f"models are nested more than {MAX_MODEL_DEPTH} deep, which archlint does not follow"
        )
    parents = (*layer.parents, layer.name) if args is not None else ()
    if layer.cls in SEQUENTIAL or "output_layers" not in layer.config:
        return build_sequential(builder, layer, args, parents)
    return Functional(builder, layer, parents).build(args)


def inline(call: Call) -> list[Val]:
    """The output values of a nested model, its nodes put in place."""
    given = call.args if call.args else (dict(call.kwargs),)
    call.builder.per_step = call.per_step
    return build(call.builder, call.layer, given).values
