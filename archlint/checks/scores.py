"""Scores on their way to an output: dropout behind them, a softmax over the wrong axis, too few bits."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check, maps
from archlint.graph import Node, Shape
from archlint.ops import attr
from archlint.ops.dims import axis_of, known

if TYPE_CHECKING:
    from archlint.facts import Ending, Facts

_CROSS_ENTROPIES = frozenset(
    {
        "categorical_crossentropy",
        "sparse_categorical_crossentropy",
        "categorical_focal_crossentropy",
        "binary_crossentropy",
        "binary_focal_crossentropy",
    }
)
_OVER_CLASSES = frozenset(name for name in _CROSS_ENTROPIES if "categorical" in name)
_DROPOUTS = ("Dropout", "SpatialDropout", "AlphaDropout", "GaussianDropout")


@check(
    nodes={
        "dropout": "the dropout behind the scores",
        "layer": "the layer that makes the scores",
        "out": "the activation of the output, or the layer",
    },
    values={"rate": "how many scores it drops", "scores": "units of the layer", "kind": "what the output is"},
)
def dropped(facts: Facts) -> Iterator[Match | Unsure]:
    """Dropout between the last layer of a classifier and the output, before or behind its activation."""
    for ending in facts.endings:
        judged = ending.loss is not None and ending.loss.name in _CROSS_ENTROPIES
        if ending.layer is None or ending.node is None:
            continue
        if not judged and ending.kind not in ("softmax", "sigmoid", "log_softmax"):
            continue
        for node in (*ending.between, *ending.behind):
            rate = attr(node, "rate") if node.op in _DROPOUTS else 0
            if rate != 0:
                scores = maps.out_channels(facts, ending.layer)
                yield Match(
                    {"dropout": node, "layer": ending.layer, "out": ending.node},
                    {
                        "rate": rate if isinstance(rate, float) else None,
                        "scores": scores,
                        "kind": ending.kind,
                    },
                )
                break


@check(
    nodes={"softmax": "the softmax in front of an output"},
    values={
        "over": "how many numbers it shares 1 between",
        "axis": "the axis it runs over, from 0; of several the first",
        "classes": "length of the class axis",
        "class_axis": "the class axis, from 0",
        "by_loss": "whether it is the loss that says which axis holds the classes",
        "several": "whether it runs over several axes at once",
    },
)
def across_places(facts: Facts) -> Iterator[Match | Unsure]:
    """Softmaxes of outputs that run over another axis than that of the classes."""
    for ending in facts.endings:
        node = ending.node
        if node is None or node.op not in ("Softmax", "LogSoftmax"):
            continue
        shape = facts.in_shape(node)
        classes = _class_axis(facts, ending, node)
        run = _run_axes(node, shape)
        if shape is None or classes is None or run is None:
            continue
        lengths = known(shape[axis] for axis in (*run, classes))
        if lengths is None:
            yield Unsure(node, "the lengths of its axes are unknown")
        elif lengths[-1] > 1 and prod(length for axis, length in zip(run, lengths[:-1], strict=True)) > 1:
            wide = [axis for axis, length in zip(run, lengths[:-1], strict=True) if length > 1]
            if wide == [classes]:
                continue
            yield Match(
                {"softmax": node},
                {
                    "over": prod(lengths[:-1]),
                    "axis": next((axis for axis in wide if axis != classes), classes),
                    "classes": lengths[-1],
                    "class_axis": classes,
                    "by_loss": maps.layout(facts, node.inputs[0]) is None,
                    "several": len(wide) > 1,
                },
            )


def _class_axis(facts: Facts, ending: Ending, node: Node) -> int | None:
    """The axis of the classes: the channels of the map that is scored, or what the loss says."""
    found = maps.layout(facts, node.inputs[0])
    if found is not None:
        return found[1]
    loss, shape = ending.loss, facts.in_shape(node)
    if loss is None or loss.custom or loss.name not in _OVER_CLASSES or ending.behind or shape is None:
        return None
    axis = loss.attrs.get("axis", -1)
    return axis_of(axis, len(shape)) if isinstance(axis, int) and len(shape) > 2 else None


def _run_axes(node: Node, shape: Shape) -> tuple[int, ...] | None:
    """The axes that a softmax runs over, from 0. ONNX before opset 13 runs over all from one on."""
    if shape is None:
        return None
    start = attr(node, "flatten_from")
    if isinstance(start, int):
        first = axis_of(start, len(shape))
        return None if first is None else tuple(range(first, len(shape)))
    axis = attr(node, "axis")
    one = axis_of(axis, len(shape)) if isinstance(axis, int) else None
    return None if one is None else (one,)


@check(
    nodes={"out": "the activation that makes an output"},
    values={"dtype": "its element type", "kind": "what it ends in"},
)
def half_precision(facts: Facts) -> Iterator[Match | Unsure]:
    """Softmaxes and sigmoids of outputs that are worked out in 16 bits."""
    for ending in facts.endings:
        if ending.node is None or ending.kind not in ("softmax", "sigmoid", "log_softmax"):
            continue
        dtype = facts.outs(ending.node)[0].dtype
        if dtype in ("float16", "bfloat16"):
            yield Match({"out": ending.node}, {"dtype": dtype, "kind": ending.kind})
