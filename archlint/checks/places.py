"""Where things are: heads that need the place and lose it, and heads that keep places nobody labelled."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check, heads, maps
from archlint.graph import Node
from archlint.ops import attr, has_trait

if TYPE_CHECKING:
    from archlint.facts import Ending, Facts

_PLACE = re.compile(
    r"(?<![a-z])(bbox|boxes|box|landmarks?|key_?points?|coords?|coordinates?|corners?|cent(er|re)s?|xy|poses?)"
    r"(?![a-z])"
)


@check(
    nodes={"pool": "the global pool", "layer": "the layer that makes the numbers"},
    values={
        "numbers": "how many numbers the output has",
        "seen": "pixels of the image that a pooled unit sees at most",
        "shortest": "length of the shortest side of the image",
        "named": "whether the layer or the output is named after a place",
        "regression": "whether the loss is one for numbers",
    },
)
def pooled_before_numbers(facts: Facts) -> Iterator[Match | Unsure]:
    """Outputs of several numbers behind a global pool whose units see only a part of the image."""
    for ending in facts.endings:
        layer = ending.layer
        if (
            layer is None
            or layer.op not in ("Dense", "Conv")
            or ending.kind not in ("linear", "sigmoid", "tanh")
        ):
            continue
        pool = _pool_before(facts, layer)
        if pool is None or not facts.conv_upstream(pool) or ending.width is None or ending.width < 2:
            continue
        sight = heads.sight(facts, pool.inputs[0])
        if sight is None or not _plain_image(facts, pool):
            yield Unsure(pool, "what its units see of the image, or whether they are told where, is unknown")
            continue
        names = (layer.name, ending.value, *layer.origin.address)
        yield Match(
            {"pool": pool, "layer": layer},
            {
                "numbers": ending.width,
                "seen": sight[0],
                "shortest": sight[1],
                "named": any(_PLACE.search(_snake(name)) for name in names),
                "regression": ending.loss is not None and facts.head(layer).task == "regression",
            },
        )


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _pool_before(facts: Facts, layer: Node) -> Node | None:
    """The global pool in front of a dense layer, across other dense layers and what acts on features."""
    value = layer.inputs[0]
    for _ in facts.graph.nodes:
        node = facts.maker(value)
        if node is None or not node.inputs:
            return None
        if has_trait(node, "global_pool"):
            return node
        if not heads.is_plain(node):
            return None
        value = node.inputs[0]
    return None


def _plain_image(facts: Facts, pool: Node) -> bool:
    """Whether the map comes from an image of 1, 3 or 4 channels, and no constants joined it on the way."""
    field = facts.receptive_field(pool.inputs[0])
    shape = facts.shape(field.input) if field is not None else None
    if field is None or shape is None or len(shape) != len(field.axes) + 2:
        return False
    (channels,) = (shape[axis] for axis in range(1, len(shape)) if axis not in field.axes)
    joined = (node for node in facts.graph.nodes if has_trait(node, "join"))
    fed = {name for name, _ in facts.graph.inputs}
    told = (
        value not in fed and (maker := facts.maker(value)) is not None and not maker.inputs
        for node in joined
        for value in node.inputs
    )
    return channels in (1, 3, 4) and not any(told)


_ONE_LABEL = ("softmax", "sigmoid", "linear")


@check(
    nodes={"layer": "the dense layer of the head", "out": "the activation of the output, or the layer"},
    values={
        "map": "lengths of the axes that the output has besides batch and scores",
        "size": "lengths of the same axes of the input",
        "scores": "units of the layer",
        "kind": "what the output ends in",
        "compiled": "whether a loss judges it",
    },
)
def head_on_map(facts: Facts) -> Iterator[Match | Unsure]:
    """Dense heads on a map that was neither flattened nor pooled, and that is no picture of the input."""
    widened = any(has_trait(node, "resampling") or node.op == "ConvTranspose" for node in facts.graph.nodes)
    mixers = any(has_trait(node, "recurrent") or has_trait(node, "attention") for node in facts.graph.nodes)
    for ending in facts.endings:
        layer, shape = ending.layer, ending.shape
        if layer is None or ending.node is None or layer.op != "Dense" or shape is None or len(shape) < 3:
            continue
        if ending.kind not in _ONE_LABEL or widened or mixers or not facts.conv_upstream(layer):
            continue
        size = _input_size(facts, layer)
        places = shape[1:-1]
        known = tuple(dim for dim in places if isinstance(dim, int))
        if size is None or len(known) < len(places) or len(size) != len(places):
            yield Unsure(layer, "the size of the map or of the input is unknown")
        elif max(known) > 1 and not _pictures(known, size, _is_judged(ending)):
            yield Match(
                {"layer": layer, "out": ending.node},
                {
                    "map": known,
                    "size": size,
                    "scores": ending.width,
                    "kind": ending.kind,
                    "compiled": _is_judged(ending),
                },
            )


def _is_judged(ending: Ending) -> bool:
    return ending.loss is not None and not ending.loss.custom


def _input_size(facts: Facts, layer: Node) -> tuple[int, ...] | None:
    """Spatial lengths of the one input that the layer's map comes from."""
    field = facts.receptive_field(layer.inputs[0])
    shape = facts.shape(field.input) if field is not None else None
    if field is None or shape is None or inf in field.largest:
        return None
    known = tuple(dim for dim in (shape[axis] for axis in field.axes) if isinstance(dim, int))
    return known if len(known) == len(field.axes) else None


def _pictures(places: tuple[int, ...], size: tuple[int, ...], judged: bool) -> bool:
    """Whether labels of this size can be had from the input: each length is a whole part of the input's.

    A loss that judges an image wants a label for it, or for each of its pixels; not for a map of fewer.
    """
    if judged and len(places) == 2 and all(place < whole for place, whole in zip(places, size, strict=True)):
        return False
    return all(0 < place <= whole and whole % place == 0 for place, whole in zip(places, size, strict=True))


@check(
    nodes={
        "flatten": "the node that flattens a sequence",
        "dense": "the dense layer that reads all of it",
        "source": "the layer that made the sequence",
    },
    values={
        "steps": "length of the sequence",
        "features": "features of each step",
        "pooled": "parameters of the model with one vector for all steps",
    },
)
def flattened_sequences(facts: Facts) -> Iterator[Match | Unsure]:
    """Dense layers that read all steps of a sequence that a learned layer over steps made."""
    for flatten in facts.graph.nodes:
        shape = facts.in_shape(flatten)
        if flatten.op != "Flatten" or shape is None or len(shape) != 3 or not flatten.outputs:
            continue
        source = _sequence_source(facts, flatten.inputs[0])
        if source is None:
            continue
        last = maps.channel_axis(source, shape) != 1
        steps, features = (shape[1], shape[2]) if last else (shape[2], shape[1])
        for dense, norms in heads.first_dense(facts, flatten):
            held, total = facts.params_of(dense), facts.params if facts.params_exact else None
            units = maps.out_channels(facts, dense)
            if not isinstance(steps, int) or not isinstance(features, int) or held is None or units is None:
                yield Unsure(flatten, "the size of the sequence is unknown")
                continue
            saved = (steps - 1) * features * units if not norms else None
            yield Match(
                {"flatten": flatten, "dense": dense, "source": source},
                {
                    "steps": steps,
                    "features": features,
                    "pooled": None if total is None or saved is None else total - saved,
                },
            )


def _sequence_source(facts: Facts, value: str) -> Node | None:
    """The convolution, recurrent layer or attention that a sequence comes from."""
    for _ in facts.graph.nodes:
        node = facts.maker(value)
        if node is None or not node.inputs:
            return None
        if has_trait(node, "attention") or (has_trait(node, "recurrent") and attr(node, "return_sequences")):
            return node
        if node.op == "Conv" and len(facts.out_shape(node) or ()) == 3:
            return node
        keeps = ("elementwise", "activation", "norm", "random", "pool", "transparent")
        if node.op != "Dense" and not any(has_trait(node, trait) for trait in keeps):
            return None
        made = [
            one for one in node.inputs if one in facts.graph.producers and len(facts.shape(one) or ()) == 3
        ]
        value = made[-1] if made else node.inputs[0]
    return None
