"""What rules can ask about nodes, models and settings: one table each, with a line of meaning.

It drives the checks when rules are loaded, ``archlint rules --vocabulary``, and the values when rules run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Generic, ParamSpec

from archlint.checks import maps
from archlint.engine.values import UNKNOWN, Value
from archlint.graph import Attr, Node, Setting, Shape
from archlint.ops import TABLE

if TYPE_CHECKING:
    from archlint.facts import Facts

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Fact(Generic[P]):
    """Something that a rule can ask for: its name, kind of value, meaning, and how it is worked out."""

    name: str
    kind: str
    meaning: str
    get: Callable[P, Value]


def known(value: int | float | str | bool | None) -> Value:
    """The value, or unknown for None."""
    return UNKNOWN if value is None else value


def shape_value(shape: Shape) -> Value:
    """A shape as expressions see it: symbols and unknown lengths are unknown."""
    if shape is None:
        return UNKNOWN
    return tuple(dim if isinstance(dim, int) else UNKNOWN for dim in shape)


def _each(get: Callable[[Facts, Node], tuple[int | None, ...] | None]) -> Callable[[Facts, Node], Value]:
    return lambda facts, node: shape_value(get(facts, node))


def _consumers(facts: Facts, node: Node) -> Value:
    consumers = facts.graph.consumers
    return len({reader.name for value in node.outputs for reader in consumers.get(value, ())})


def _is_output(facts: Facts, node: Node) -> Value:
    return any(value in facts.graph.outputs for value in node.outputs)


def _settings(settings: tuple[Setting, ...]) -> Value:
    return settings


def _loss_of(facts: Facts, node: Node) -> Value:
    """The loss of the model output that this node makes; none when it has none."""
    training = facts.graph.training
    if training is None:
        return None
    places = [at for at, value in enumerate(facts.graph.outputs) if maps.maker(facts, value) is node]
    return (
        next((loss for loss in training.losses if loss.output is None or loss.output in places), None)
        if places
        else None
    )


def _share(part: int | None, whole: int | None) -> Value:
    return UNKNOWN if part is None or not whole else part / whole


def _holds(role: str) -> Callable[[Facts, Node], Value]:
    return lambda facts, node: node.param(role) is not None


_NODE: tuple[Fact[[Facts, Node]], ...] = (
    Fact("name", "text", "the node's name", lambda facts, node: node.name),
    Fact("op", "text", "its op", lambda facts, node: node.op),
    Fact(
        "native", "text", "what the file calls its op or layer class", lambda facts, node: node.origin.native
    ),
    Fact("params", "number", "parameters that it holds", lambda facts, node: known(facts.params_of(node))),
    Fact(
        "trainable", "number", "parameters of it that training changes", lambda f, n: known(f.trainable_of(n))
    ),
    Fact("macs", "number", "multiply-accumulates for a batch of one", lambda f, n: known(f.macs_of(n))),
    Fact(
        "share", "number", "its part of all parameters, 0 to 1", lambda f, n: _share(f.params_of(n), f.params)
    ),
    Fact("has_bias", "bool", "whether it holds a bias", _holds("bias")),
    Fact("shared", "bool", "whether its parameters serve another node as well", maps.is_shared),
    Fact(
        "in_shape",
        "shape",
        "lengths of its first input, batch first",
        lambda f, n: shape_value(f.in_shape(n)),
    ),
    Fact(
        "out_shape",
        "shape",
        "lengths of its first output, batch first",
        lambda f, n: shape_value(f.out_shape(n)),
    ),
    Fact("consumers", "number", "how many nodes read its outputs", _consumers),
    Fact("is_output", "bool", "whether it makes an output of the model", _is_output),
    Fact("loss", "setting", "the loss that judges it, when it makes an output; else none", _loss_of),
    Fact("kernel_reach", "shape", "pixels its window spans per axis, holes included", _each(maps.reach)),
    Fact("steps", "shape", "its strides, one per axis", _each(maps.steps)),
    Fact("map_size", "shape", "spatial lengths of the map that it reads", _each(maps.map_size)),
    Fact(
        "map_channels",
        "number",
        "channels of the map that it reads",
        lambda f, n: known(maps.map_channels(f, n)),
    ),
    Fact(
        "in_channel_axis",
        "number",
        "which axis of its input is the channels",
        lambda f, n: known(maps.channel_axis(n, f.in_shape(n))),
    ),
    Fact(
        "out_channel_axis",
        "number",
        "which axis of its output is the channels",
        lambda f, n: known(maps.channel_axis(n, f.out_shape(n))),
    ),
    Fact("in_channels", "number", "channels of its first input", lambda f, n: known(maps.in_channels(f, n))),
    Fact(
        "out_channels", "number", "channels of its first output", lambda f, n: known(maps.out_channels(f, n))
    ),
)
_MODEL: tuple[Fact[[Facts]], ...] = (
    Fact("params", "number", "parameters of the model, shared ones once", lambda facts: known(facts.params)),
    Fact("trainable", "number", "parameters that training changes", lambda facts: known(facts.trainable)),
    Fact("macs", "number", "multiply-accumulates for a batch of one", lambda facts: known(facts.macs)),
    Fact(
        "activation_peak",
        "number",
        "bytes of live activations at their peak",
        lambda f: known(f.activation_peak),
    ),
    Fact("nodes", "number", "how many nodes it has", lambda facts: len(facts.graph.nodes)),
    Fact("format", "text", "the format of its file", lambda facts: facts.graph.format),
    Fact(
        "is_compiled", "bool", "whether training settings were saved", lambda f: f.graph.training is not None
    ),
    Fact("loss", "setting", "its first loss, or none", lambda f: (*_losses(f), None)[0]),
    Fact("losses", "settings", "its losses", lambda facts: _losses(facts)),
    Fact(
        "metrics", "settings", "its metrics", lambda f: f.graph.training.metrics if f.graph.training else ()
    ),
    Fact(
        "optimizer",
        "setting",
        "its optimizer, or none",
        lambda f: f.graph.training.optimizer if f.graph.training else None,
    ),
    Fact(
        "has_unknown",
        "bool",
        "whether some node's op is not known",
        lambda f: any(n.op == "Unknown" for n in f.graph.nodes),
    ),
)


def _losses(facts: Facts) -> tuple[Setting, ...]:
    return facts.graph.training.losses if facts.graph.training else ()


def _given(name: str, default: Value) -> Callable[[Setting], Value]:
    """A setting of something that the framework ships; unknown for what it does not."""

    def get(setting: Setting) -> Value:
        value: Attr = setting.attrs.get(name)
        if value is None:
            return UNKNOWN if setting.custom else default
        return value

    return get


_SETTING: tuple[Fact[[Setting]], ...] = (
    Fact("name", "text", "its name in snake_case", lambda setting: setting.name),
    Fact("is_custom", "bool", "whether the framework does not ship it", lambda setting: setting.custom),
    Fact(
        "from_logits", "bool", "whether it applies the final activation itself", _given("from_logits", False)
    ),
    Fact("axis", "number", "the class axis of a loss", _given("axis", -1)),
    Fact("threshold", "any", "the threshold of a metric, or none", _given("threshold", None)),
    Fact("learning_rate", "any", "the learning rate of an optimizer", _given("learning_rate", UNKNOWN)),
    Fact("epsilon", "any", "the epsilon of an optimizer", _given("epsilon", UNKNOWN)),
)

NODE_FACTS: Mapping[str, Fact[[Facts, Node]]] = {fact.name: fact for fact in _NODE}
"""Facts of a node; on top of these every setting of its op is a fact."""
MODEL_FACTS: Mapping[str, Fact[[Facts]]] = {fact.name: fact for fact in _MODEL}
SETTING_FACTS: Mapping[str, Fact[[Setting]]] = {fact.name: fact for fact in _SETTING}


@cache
def attributes_of(ops: frozenset[str] | None) -> tuple[str, ...]:
    """The settings that nodes of these ops can have, sorted; of any op for None."""
    tables = TABLE.values() if ops is None else [TABLE[op] for op in ops]
    return tuple(sorted({name for op in tables for name in op.attrs}))


def all_attributes() -> tuple[str, ...]:
    """The settings of all ops."""
    return attributes_of(None)


@cache
def attribute(name: str) -> Callable[[Facts, Node], Value]:
    """How a setting of a node is read: its own, else the op's default; none for ops without it."""

    def get(facts: Facts, node: Node) -> Value:
        if name in node.attrs:
            return node.attrs[name]
        op = TABLE.get(node.op)
        return op.attrs.get(name) if op else UNKNOWN

    return get
