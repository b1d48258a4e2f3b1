"""Images whose axes stand in another order than the first layer reads them; sequences of one step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check, maps
from archlint.graph import Attr, Node
from archlint.ops import attr, has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts

_COLOURS = (1, 3, 4)
_MIN_SQUARE = 8
"""Shortest side of a square image; scikit-learn's digits have 8."""
_MIN_SIDES = 96
"""Shortest sides of an oblong one: so long a side next to an axis of 1, 3 or 4 is no row of features."""


@check(
    nodes={"node": "the first window that reads the image"},
    values={
        "input": "name of the input",
        "size": "its lengths without the batch",
        "channels": "length of the axis that the window takes for the channels",
        "channel_axis": "that axis of the input, from 1",
        "colours": "length of the axis that looks like the channels",
        "colour_axis": "that axis of the input, from 1",
    },
)
def swapped_images(facts: Facts) -> Iterator[Match | Unsure]:
    """Inputs of the shape of an image, one of whose sides the first window takes for the channels."""
    for name, type_ in facts.graph.inputs:
        shape = type_.shape or ()
        lengths = tuple(dim for dim in shape[1:] if isinstance(dim, int))
        if len(shape) != 4 or len(lengths) != 3:
            continue
        colours = _colour_axis(lengths)
        if colours is None:
            continue
        for node, order in _first_windows(facts, name):
            axis = maps.channel_axis(node, facts.in_shape(node))
            window = maps.reach(facts, node)
            if axis is None or axis == 0 or window is None or order[axis] == colours:
                continue
            spatial = [order[place] for place in range(1, 4) if place != axis]
            if window[spatial.index(colours)] != 1:
                values: dict[str, Attr] = {
                    "input": name,
                    "size": lengths,
                    "channels": lengths[order[axis] - 1],
                    "channel_axis": order[axis],
                    "colours": lengths[colours - 1],
                    "colour_axis": colours,
                }
                yield Match({"node": node}, values)
                break


def _colour_axis(lengths: tuple[int, ...]) -> int | None:
    """The axis, from 1, that holds 1, 3 or 4 channels of an image whose other two axes are its sides."""
    for axis, sides in ((1, lengths[1:]), (3, lengths[:2])):
        square = sides[0] == sides[1] and sides[0] >= _MIN_SQUARE
        if lengths[axis - 1] in _COLOURS and (square or min(sides) >= _MIN_SIDES):
            return axis
    return None


def _first_windows(facts: Facts, name: str) -> Iterator[tuple[Node, tuple[int, ...]]]:
    """The windows that read an input, with the input's axis behind each axis that they see."""
    waiting: list[tuple[str, tuple[int, ...]]] = [(name, (0, 1, 2, 3))]
    seen = {name}
    for value, order in waiting:
        for node in facts.graph.consumers.get(value, ()):
            if has_trait(node, "windowed") and node.inputs[0] == value:
                yield node, order
                continue
            after = _order_after(node, order)
            if after is not None and node.outputs and node.outputs[0] not in seen:
                seen.add(node.outputs[0])
                waiting.append((node.outputs[0], after))


def _order_after(node: Node, order: tuple[int, ...]) -> tuple[int, ...] | None:
    """The order of the axes behind a node that keeps an image an image; None behind any other."""
    if node.op == "Transpose":
        perm = attr(node, "perm")
        if not isinstance(perm, tuple) or sorted(perm, key=str) != [0, 1, 2, 3] or perm[0] != 0:
            return None
        return tuple(order[axis] for axis in perm if isinstance(axis, int))
    keeps = ("affine", "cast", "transparent", "random", "norm", "activation", "elementwise")
    return order if node.op == "Pad" or any(has_trait(node, trait) for trait in keeps) else None


@check(
    nodes={"node": "the recurrent layer"},
    values={"features": "features of its one step", "lost": "weights that multiply a state of zeros"},
)
def single_steps(facts: Facts) -> Iterator[Match | Unsure]:
    """Recurrent layers over one step, which start from zeros: their recurrent weights do nothing."""
    for node in facts.graph.nodes:
        shape = facts.in_shape(node)
        if node.op not in ("LSTM", "GRU", "RNN") or shape is None or len(shape) != 3:
            continue
        time = 0 if attr(node, "time_axis") == 0 else 1
        if shape[time] != 1 or attr(node, "stateful") or _has_state(node, facts):
            continue
        lost = [param.size for param in node.params if "recurrent_kernel" in param.role]
        features = shape[2]
        yield Match(
            {"node": node},
            {
                "features": features if isinstance(features, int) else None,
                "lost": sum(size or 0 for size in lost) if lost and None not in lost else None,
            },
        )


def _has_state(node: Node, facts: Facts) -> bool:
    """Whether a state is handed in, or handed out of the model, to be handed in again at the next step."""
    return any(node.inputs[1:]) or any(facts.reaches_output(value) for value in node.outputs[1:] if value)
