"""What rules can ask about nodes, models and settings: one table each, with a line of meaning.

It drives the checks when rules are loaded, ``archlint rules --vocabulary``, and the values when rules run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from archlint.checks import maps
from archlint.dataclass import dataclass
from archlint.engine.values import UNKNOWN, Value
from archlint.graph import Node, Setting, Shape
from archlint.ops import EVERY, TABLE

if TYPE_CHECKING:
    from archlint.facts import Facts

Get = Callable[..., Value]
"""How a fact is worked out: from (facts, node), from (facts) or from (setting)."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a rule can ask for: its name, kind of value, meaning, and how it is worked out."""

    name: str
    kind: str
    meaning: str
    get: Get


def known(value: int | float | str | bool | None) -> Value:
    """The value, or unknown for None."""
    return UNKNOWN if value is None else value


def lengths(shape: Shape) -> Value:
    """A shape as expressions see it: symbols and unknown lengths are unknown."""
    if shape is None:
        return UNKNOWN
    return tuple(dim if isinstance(dim, int) else UNKNOWN for dim in shape)


def _ratio(part: int | None, whole: int | None) -> Value:
    return UNKNOWN if part is None or not whole else part / whole


def _total(facts: Facts) -> int | None:
    return facts.params if facts.params_exact else None


def _trainable(facts: Facts) -> int | None:
    return facts.trainable_params if facts.params_exact else None


def _consumers(facts: Facts, node: Node) -> Value:
    readers = facts.graph.consumers
    return len({reader.name for value in node.outputs for reader in readers.get(value, ())})


def _is_output(facts: Facts, node: Node) -> Value:
    return any(facts.reaches_output(value) for value in node.outputs)


def _version(facts: Facts, key: str) -> Value:
    """A version that an ONNX file states; unknown where none is, and in other formats."""
    version = facts.graph.metadata.get(key)
    return version if isinstance(version, int) and version > 0 else UNKNOWN


def _loss_of(facts: Facts, node: Node) -> Value:
    """The loss of the model output that a node makes; none when there is none."""
    training = facts.graph.training
    if training is None:
        return None
    places = [at for at, value in enumerate(facts.graph.outputs) if facts.maker(value) is node]
    judging = (loss for loss in training.losses if loss.output is None or loss.output in places)
    return next(judging, None) if places else None


def _losses(facts: Facts) -> tuple[Setting, ...]:
    return facts.graph.training.losses if facts.graph.training else ()


def _metrics(facts: Facts) -> Value:
    return facts.graph.training.metrics if facts.graph.training else ()


def _optimizer(facts: Facts) -> Value:
    return facts.graph.training.optimizer if facts.graph.training else None


def _stated(name: str, default: Value) -> Get:
    """A setting of a loss, metric or optimizer; its default only for what the framework ships."""

    def get(setting: Setting) -> Value:
        value = setting.attrs.get(name)
        return value if value is not None else UNKNOWN if setting.custom else default

    return get


def _table(*rows: tuple[str, str, str, Get]) -> Mapping[str, Fact]:
    return {row[0]: Fact(*row) for row in rows}


NODE_FACTS = _table(
    ("name", "text", "its name", lambda _, node: node.name),
    ("op", "text", "its op", lambda _, node: node.op),
    ("native", "text", "what the file calls its op or layer class", lambda _, node: node.origin.native),
    ("params", "number", "parameters that it holds", lambda facts, node: known(facts.params_of(node))),
    (
        "trainable",
        "number",
        "those that training changes",
        lambda facts, node: known(facts.trainable_of(node)),
    ),
    ("share", "number", "its part of all parameters, 0 to 1", lambda f, n: _ratio(f.params_of(n), _total(f))),
    ("macs", "number", "multiply-accumulates, batch of one", lambda facts, node: known(facts.macs_of(node))),
    ("has_bias", "bool", "whether it holds a bias", lambda _, node: node.param("bias") is not None),
    (
        "has_offset",
        "bool",
        "whether it holds an offset (beta)",
        lambda _, node: node.param("beta") is not None,
    ),
    ("is_shared", "bool", "whether its parameters serve another node as well", maps.is_shared),
    ("is_output", "bool", "whether it makes an output of the model", _is_output),
    ("is_dead", "bool", "whether no output of the model needs it", lambda facts, node: facts.is_dead(node)),
    ("consumers", "number", "how many nodes read its outputs", _consumers),
    ("after_conv", "bool", "whether a convolution stands before it", lambda f, n: f.conv_upstream(n)),
    ("in_shape", "shape", "lengths of its first input, batch first", lambda f, n: lengths(f.in_shape(n))),
    ("out_shape", "shape", "lengths of its first output, batch first", lambda f, n: lengths(f.out_shape(n))),
    ("in_channels", "number", "channels of its first input", lambda f, n: known(maps.in_channels(f, n))),
    ("out_channels", "number", "channels of its first output", lambda f, n: known(maps.out_channels(f, n))),
    (
        "in_channel_axis",
        "number",
        "their axis, from 0",
        lambda f, n: known(maps.channel_axis(n, f.in_shape(n))),
    ),
    (
        "out_channel_axis",
        "number",
        "their axis, from 0",
        lambda f, n: known(maps.channel_axis(n, f.out_shape(n))),
    ),
    (
        "map_size",
        "shape",
        "spatial lengths of the map that it reads",
        lambda f, n: lengths(maps.map_size(f, n)),
    ),
    ("map_channels", "number", "channels of that map", lambda f, n: known(maps.map_channels(f, n))),
    (
        "kernel_reach",
        "shape",
        "pixels its window spans, holes included",
        lambda f, n: lengths(maps.reach(f, n)),
    ),
    ("steps", "shape", "its strides, one per spatial axis", lambda f, n: lengths(maps.steps(f, n))),
    ("head", "text", "softmax, sigmoid, linear, other: what its chain ends in", lambda f, n: f.head(n).kind),
    ("task", "text", "classification, regression or none, of its chain's end", lambda f, n: f.head(n).task),
    ("loss", "setting", "the loss of the output that it makes, or none", _loss_of),
)
"""Facts of a node; on top of these every setting of its op is a fact."""

MODEL_FACTS = _table(
    ("params", "number", "parameters, shared ones once", lambda facts: known(_total(facts))),
    ("trainable", "number", "parameters that training changes", lambda facts: known(_trainable(facts))),
    ("macs", "number", "multiply-accumulates, batch of one", lambda facts: known(facts.macs)),
    (
        "activation_peak",
        "number",
        "most bytes of activations alive at once",
        lambda f: known(f.activation_peak),
    ),
    ("size_bytes", "number", "size of the file", lambda facts: known(facts.size_bytes)),
    ("nodes", "number", "how many nodes it has", lambda facts: len(facts.graph.nodes)),
    ("format", "text", "format of the file", lambda facts: facts.graph.format),
    ("opset", "number", "version of ONNX's operators", lambda facts: _version(facts, "opset")),
    ("ir_version", "number", "version of the ONNX file format", lambda facts: _version(facts, "ir_version")),
    (
        "backend",
        "text",
        "backend that trained it, where the file says so",
        lambda f: f.graph.metadata.get("backend"),
    ),
    ("is_compiled", "bool", "whether training settings were saved", lambda f: f.graph.training is not None),
    ("loss", "setting", "its first loss, or none", lambda facts: next(iter(_losses(facts)), None)),
    ("losses", "settings", "its losses", _losses),
    ("metrics", "settings", "its metrics", _metrics),
    ("optimizer", "setting", "its optimizer, or none", _optimizer),
)
"""Facts of the model as a whole."""

SETTING_FACTS = _table(
    ("name", "text", "its name in snake_case", lambda setting: setting.name),
    ("is_custom", "bool", "whether the framework does not ship it", lambda setting: setting.custom),
    ("from_logits", "bool", "whether it applies the last activation itself", _stated("from_logits", False)),
    ("axis", "number", "the class axis of a loss", _stated("axis", -1)),
    ("threshold", "any", "the threshold of a metric, or none", _stated("threshold", None)),
    ("learning_rate", "any", "the learning rate of an optimizer", _stated("learning_rate", UNKNOWN)),
    ("epsilon", "any", "the epsilon of an optimizer", _stated("epsilon", UNKNOWN)),
)
"""Facts of a loss, a metric or an optimizer."""


@cache
def attributes_of(ops: frozenset[str] | None) -> tuple[str, ...]:
    """The settings that nodes of these ops can have, sorted; of any op for None."""
    rows = TABLE.values() if ops is None else [TABLE[op] for op in ops]
    return tuple(sorted({name for op in rows for name in op.attrs} | EVERY.keys()))


@cache
def attribute(name: str) -> Get:
    """How a setting of a node is read: its own, else the op's default; none for ops without it.

    Files can hold anything: a setting of another kind than its default (text for a number) is unknown.
    """

    def get(_: Facts, node: Node) -> Value:
        op = TABLE.get(node.op)
        if op is None:
            return UNKNOWN
        default = op.attrs.get(name)
        value = node.attrs.get(name, default)
        if isinstance(default, bool):
            return bool(value) if value in (0, 1) else UNKNOWN
        if isinstance(default, int | float) and not _is_number(value):
            return UNKNOWN
        return value

    return get


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
