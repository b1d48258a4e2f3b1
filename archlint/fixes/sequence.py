"""Recurrent layers that put out only what is read, and layers freed of a wrapper that does nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from archlint.fixes import PatchError, rewrite
from archlint.fixes.maps import only_reader
from archlint.fixes.wiring import instead
from archlint.graph import Attr, Edit, Node, Splice
from archlint.ops import attr

if TYPE_CHECKING:
    from archlint.facts import Facts


@rewrite(nodes={"layer": "the recurrent layer", "pick": "the node that takes the last step"})
def last_step(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """``layer(return_sequences=True)[:, -1]`` is ``layer()``: Keras hands out the output of the last step.

    With a mask both hold the output of the last step that is not masked, unless masked steps give zeros.
    """
    layer, pick = nodes["layer"], nodes["pick"]
    picks = facts.last_step_picks(layer)
    direct = picks is not None and len(picks) == 1 and picks[0] is pick
    if not direct or pick not in facts.graph.consumers.get(layer.outputs[0], ()):
        raise PatchError(f"'{layer.name}' is not read by '{pick.name}' alone and directly")
    if attr(layer, "direction") == "bidirectional" or attr(layer, "merge_mode") in (None, "stack"):
        raise PatchError(f"'{layer.name}' reads in two directions, whose last steps are different ones")
    if layer.attrs.get("zero_output_for_mask") or attr(layer, "time_axis") != 1:
        raise PatchError(f"'{layer.name}' gives zeros for masked steps, or has its time on another axis")
    gone = [pick]
    shape = facts.out_shape(pick)
    if shape is not None and len(shape) == 3:
        drop = only_reader(facts.graph, pick.outputs[0])
        if drop is None or drop.op not in ("Squeeze", "Flatten") or len(facts.out_shape(drop) or ()) != 2:
            raise PatchError(f"'{pick.name}' keeps the axis of time")
        gone.append(drop)
    elif shape is None or len(shape) != 2:
        raise PatchError(f"what '{pick.name}' makes is not known")
    edit = instead(facts.graph, gone, {gone[-1].outputs[0]: layer.outputs[0]})
    attrs = {key: item for key, item in layer.attrs.items() if key != "return_sequences"}
    new = replace(layer, attrs=attrs)
    return (replace(edit, removed=edit.removed | {layer.name}, added=(new,)),)


@rewrite(nodes={"layer": "the layer in the wrapper"})
def unwrap(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """A layer that works on the last axis, or on each element, needs no TimeDistributed around it.

    Source: Keras ``Dense.call`` multiplies the last axis whatever stands before it.
    """
    layer = nodes["layer"]
    if layer.origin.native != "TimeDistributed" or layer.attrs.get("time_distributed"):
        raise PatchError(f"'{layer.name}' is not wrapped, or needs its wrapper")
    if layer.op == "Dense" and attr(layer, "axis") != -1:
        raise PatchError(f"'{layer.name}' does not work on the last axis")
    bare = replace(layer, origin=replace(layer.origin, native=""))
    return (Splice(frozenset({layer.name}), (bare,)),)
