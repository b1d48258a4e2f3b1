"""Nodes that hand on what they get: the identity, spelled in one of many ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check
from archlint.graph import Node
from archlint.ops import attr, has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts


@check(
    nodes={"node": "the node that changes nothing"},
    values={"what": "how it comes to change nothing, in words"},
)
def no_ops(facts: Facts) -> Iterator[Match | Unsure]:
    """Nodes whose output is their input for every input, but for those that give an output its name.

    Whole numbers are left out: 113 of 126 models of the transformers library, as PyTorch exports them,
    cast or reshape their indices and masks for nothing, which costs nothing.
    """
    ends = frozenset(facts.graph.outputs)
    for node in facts.graph.nodes:
        judge = _JUDGES.get(node.op)
        if judge is None or not node.inputs or not node.inputs[0] or ends.intersection(node.outputs):
            continue
        if any(facts.graph.consumers.get(value) for value in node.outputs[1:]) or facts.is_dead(node):
            continue
        what = judge(facts, node)
        if what and not any(map(facts.holds_whole_numbers, node.outputs[:1])):
            yield Match({"node": node}, {"what": what})


def _keeps_shape(facts: Facts, node: Node, at: int = 0) -> bool:
    """Whether an input and the output have the same shape, known in full."""
    shape = facts.shape(node.inputs[at])
    return shape is not None and None not in shape and shape == facts.out_shape(node)


def _identity(facts: Facts, node: Node) -> str:
    """Only what the file itself calls so, and of a computed value."""
    maker = facts.graph.producers.get(node.inputs[0])
    if maker is not None and has_trait(maker, "constant"):
        return ""
    return "it is an identity" if node.origin.native in ("Identity", "") else ""


def _same_layout(facts: Facts, node: Node) -> str:
    return "its input has that shape already" if _keeps_shape(facts, node) else ""


def _transpose(facts: Facts, node: Node) -> str:
    perm = attr(node, "perm")
    kept = isinstance(perm, tuple) and len(perm) > 0 and perm == tuple(range(len(perm)))
    return "its order keeps every axis in place" if kept else ""


def _cast(facts: Facts, node: Node) -> str:
    dtype = facts.tensor(node.inputs[0]).dtype
    return f"its input is {dtype} already" if dtype is not None and node.attrs.get("to") == dtype else ""


def _pad(facts: Facts, node: Node) -> str:
    pads = attr(node, "pads")
    none = isinstance(pads, tuple) and pads != () and all(pair in ((0, 0), 0) for pair in pads)
    return "it adds nothing on any side" if none and len(node.inputs) == 1 else ""


def _slice(facts: Facts, node: Node) -> str:
    steps = attr(node, "steps")
    forward = len(node.inputs) == 1 and isinstance(steps, tuple) and all(step == 1 for step in steps)
    return "it takes every element" if forward and _keeps_shape(facts, node) else ""


def _single(facts: Facts, node: Node) -> str:
    return "it has a single input" if len(node.inputs) == 1 else ""


def _split(facts: Facts, node: Node) -> str:
    return "it cuts into one part" if len(node.outputs) == 1 and _keeps_shape(facts, node) else ""


def _dropout(facts: Facts, node: Node) -> str:
    if node.attrs.get("training"):
        return ""
    if attr(node, "rate") == 0 and len(node.inputs) == 1:
        return "its rate is 0"
    trained = facts.graph.metadata.get("training_info")
    in_file = facts.graph.format == "onnx" and len(node.inputs) < 3 and not trained
    return "it drops nothing at inference, which is all that the file is for" if in_file else ""


def _rate(facts: Facts, node: Node) -> str:
    return "its rate is 0" if attr(node, "rate") == 0 and not node.attrs.get("training") else ""


def _window(facts: Facts, node: Node) -> str:
    kernel, strides, padding = (attr(node, name) for name in ("kernel", "strides", "padding"))
    ones = isinstance(kernel, tuple) and kernel != () and all(size == 1 for size in kernel)
    dense = isinstance(strides, tuple) and all(step == 1 for step in strides)
    bare = padding in ("valid", "same", "same_lower")
    return "its window is a single element" if ones and dense and bare else ""


def _arithmetic(neutral: float, sides: tuple[int, ...]) -> Callable[[Facts, Node], str]:
    """Judges an operation with a constant that changes nothing, on one of the sides where it may stand."""

    def judge(facts: Facts, node: Node) -> str:
        for side in sides if len(node.inputs) == 2 else ():
            maker = facts.graph.producers.get(node.inputs[side])
            value = maker.params[0].value if maker is not None and maker.op == "Constant" else None
            if value and all(number == neutral for number in value) and _keeps_shape(facts, node, 1 - side):
                return f"its other operand is {neutral:g}"
        return ""

    return judge


def _rescaling(facts: Facts, node: Node) -> str:
    return "it multiplies by 1 and adds 0" if (attr(node, "scale"), attr(node, "offset")) == (1, 0) else ""


def _repeats(facts: Facts, node: Node) -> str:
    repeats = node.attrs.get("repeats")
    once = len(node.inputs) == 1 and isinstance(repeats, tuple) and all(count == 1 for count in repeats)
    return "it repeats once" if once and repeats else ""


_JUDGES: Mapping[str, Callable[[Facts, Node], str]] = {
    "Identity": _identity,
    **dict.fromkeys(("Reshape", "Flatten", "Expand", "Squeeze", "Unsqueeze"), _same_layout),
    "Transpose": _transpose,
    "Cast": _cast,
    "Pad": _pad,
    "Slice": _slice,
    "Tile": _repeats,
    **dict.fromkeys(("Concat", "Sum", "Mean", "Max", "Min"), _single),
    "Split": _split,
    "Dropout": _dropout,
    **dict.fromkeys(("SpatialDropout", "GaussianDropout"), _rate),
    **dict.fromkeys(("MaxPool", "AveragePool"), _window),
    "Add": _arithmetic(0, (0, 1)),
    "Sub": _arithmetic(0, (1,)),
    "Mul": _arithmetic(1, (0, 1)),
    "Div": _arithmetic(1, (1,)),
    "Pow": _arithmetic(1, (1,)),
    "Rescaling": _rescaling,
}
"""Op → why a node of it changes nothing; "" when it does, or when that is not known."""

_NOISE = frozenset({"Dropout", "SpatialDropout", "AlphaDropout", "GaussianDropout", "GaussianNoise"})
_PENALTY = "ActivityRegularization"
_AUGMENTATIONS = frozenset(
    {"RandomBrightness", "RandomContrast", "RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom"}
)
"""Augmentations that hand on their input at inference, but for a cast (tried with Keras 3.15).

RandomCrop cuts and resizes, Solarization and Equalization are not random; others were not tried.
"""


@check(nodes={"node": "the node that acts only in training"})
def idle_at_inference(facts: Facts) -> Iterator[Match | Unsure]:
    """Nodes that hand on what they get unless the model is trained, but for those that make outputs."""
    for node in facts.graph.nodes:
        known = node.op in _NOISE | _AUGMENTATIONS or node.op == _PENALTY
        wired = (len(node.inputs), len(node.outputs)) == (1, 1)
        if not known or not wired or node.attrs.get("training") or facts.is_dead(node):
            continue
        before, after = facts.tensor(node.inputs[0]), facts.tensor(node.outputs[0])
        if before.dtype is not None and before == after and node.outputs[0] not in facts.graph.outputs:
            yield Match({"node": node})
