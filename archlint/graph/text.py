"""The text notation: a line per node, with ``parse(render(graph)) == graph``.

::

    model tutorial format=keras producer="keras 3.15.1"
    hazard lambda-code "config.json: config.layers[3] 'scale'" layer=scale
    loss categorical_crossentropy output=0 from_logits=false
    input image float32[N,224,224,3]
    conv1 = Conv<Conv2D conv1>(image) filters=32 kernel=(3,3) | kernel float32[3,3,3,32], bias float32[32]
    relu1 = Relu(conv1) -> float32[N,222,222,32]
    a, b = Split(relu1) @split axis=-1
    output a b

In order: outputs ``=`` op, ``<native address…>``, inputs, ``@`` node name (default: the first output),
attributes, ``|`` params as ``role dtype[shape]`` with ``@name`` (default: ``node/role``), ``frozen`` and
``=(values)``, ``->`` declared types of the outputs. ``?`` is unknown, a word in a shape is a symbol, ``_`` an
input that is left out, ``#`` starts a comment. Bodies of If, Loop and Scan follow their node, indented.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from archlint.dataclass import dataclass
from archlint.errors import TextError
from archlint.graph.types import (
    Attr,
    Dim,
    Graph,
    Hazard,
    Node,
    Origin,
    Param,
    Setting,
    Shape,
    TensorType,
    Training,
)

_T = TypeVar("_T")

_BARE = re.compile(r"[\w./:;+\-]+")
_TOKEN = re.compile(r'\s+|#.*|->|[()\[\],=|<>@]|"(?:[^"\\]|\\.)*"|[^\s()\[\],=|<>@"#]+')
_MARKS = frozenset("()[],=|<>@") | {"->"}
_LITERALS: dict[str, Attr] = {"true": True, "false": False, "none": None}
_FLOATS = frozenset({"nan", "inf", "-inf"})


def render(graph: Graph) -> str:
    """The graph as text, ending in a newline."""
    return "".join(line + "\n" for line in _lines(graph, ""))


def render_node(node: Node, declared: Mapping[str, TensorType] | None = None) -> str:
    """The line of one node, without its bodies; ``declared`` types of its outputs follow an arrow."""
    made = ", ".join(_name(value) for value in node.outputs)
    text = f"{made} = {_name(node.op)}".lstrip()
    if node.origin != Origin("", ()):
        text += f"<{' '.join(_name(part) for part in (node.origin.native, *node.origin.address))}>"
    text += f"({', '.join(_name(value) for value in node.inputs)})"
    if not node.outputs or node.name != node.outputs[0]:
        text += f" @{_name(node.name)}"
    text += _attrs(node.attrs)
    if node.params:
        text += " | " + ", ".join(_param(node, param) for param in node.params)
    types = [(declared or {}).get(value) for value in node.outputs]
    if any(types):
        text += " -> " + ", ".join(_type(type_ or TensorType()) for type_ in types)
    return text


def _lines(graph: Graph, indent: str) -> Iterable[str]:
    if graph.name or graph.format or graph.metadata:
        head = f"{indent}model {_name(graph.name)}"
        yield head + (f" format={_value(graph.format)}" if graph.format else "") + _attrs(graph.metadata)
    for hazard in graph.hazards:
        yield f"{indent}hazard {_name(hazard.kind)} {_name(hazard.where)}{_attrs(hazard.attrs)}"
    if graph.training is not None:
        yield f"{indent}training"
        for kind, settings in (
            ("loss", graph.training.losses),
            ("metric", graph.training.metrics),
            ("optimizer", (graph.training.optimizer,) if graph.training.optimizer else ()),
        ):
            for setting in settings:
                yield f"{indent}{kind} {_setting(setting)}"
    for name, type_ in graph.inputs:
        yield f"{indent}input {_name(name)} {_type(type_)}"
    for node in graph.nodes:
        yield indent + render_node(node, graph.declared)
        for label, body in node.bodies:
            yield f"{indent}  body {_name(label)}"
            yield from _lines(body, indent + "    ")
    yield f"{indent}output" + "".join(f" {_name(value)}" for value in graph.outputs)


def _setting(setting: Setting) -> str:
    text = _name(setting.name) + (" custom" if setting.custom else "")
    if setting.output is not None:
        text += f" @{setting.output}"
    return text + _attrs(setting.attrs)


def _param(node: Node, param: Param) -> str:
    text = f"{_name(param.role)} {_type(TensorType(param.dtype, param.shape))}"
    if param.name != f"{node.name}/{param.role}":
        text += f" @{_name(param.name)}"
    if not param.trainable:
        text += " frozen"
    if param.value is not None:
        text += f" ={_value(param.value)}"
    return text


def _type(type_: TensorType) -> str:
    text = "?" if type_.dtype is None else _name(type_.dtype)
    if type_.shape is not None:
        text += f"[{','.join(_dim(dim) for dim in type_.shape)}]"
    return text


def _dim(dim: Dim) -> str:
    if dim is None:
        return "?"
    if isinstance(dim, int):
        return str(dim)
    return json.dumps(dim) if _is_int(dim) else _name(dim)


def _attrs(attrs: Mapping[str, Attr]) -> str:
    return "".join(f" {_name(key)}={_value(value)}" for key, value in attrs.items())


def _name(text: str) -> str:
    if text == "":
        return "_"
    return text if _BARE.fullmatch(text) and text not in ("_", "-") else json.dumps(text)


def _value(value: Attr) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    if isinstance(value, tuple):
        return f"({','.join(_value(item) for item in value)})"
    if isinstance(value, str):
        plain = _BARE.fullmatch(value) and value not in ("_", "-") and _word_value(value) == value
        return value if plain else json.dumps(value)
    return repr(value)


def _is_int(text: str) -> bool:
    return re.fullmatch(r"-?\d+", text, re.ASCII) is not None


def _word_value(word: str) -> Attr:
    if word in _LITERALS:
        return _LITERALS[word]
    if _is_int(word):
        return int(word)
    if word in _FLOATS or re.fullmatch(r"-?(\d+\.\d*|\.?\d+)(e[+-]?\d+)?", word, re.ASCII):
        return float(word)
    return word


def parse(text: str) -> Graph:
    """The graph that a text in the notation describes.

    Raises:
        TextError: the first line that does not parse, with what was expected.
    """
    lines = []
    for number, raw in enumerate(text.splitlines(), 1):
        tokens = _tokens(raw, number)
        if tokens:
            lines.append(_Line(number, len(raw) - len(raw.lstrip(" ")), tokens))
    graph, rest = _graph(lines, 0)
    if rest < len(lines):
        raise TextError(lines[rest].number, "this line is indented less than the first one")
    return graph


@dataclass(slots=True)
class _Line:
    """Tokens of one line, read from left to right."""

    number: int
    indent: int
    tokens: list[str]
    at: int = 0

    @property
    def next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, token: str) -> bool:
        if self.next == token:
            self.at += 1
            return True
        return False

    def expect(self, token: str) -> None:
        if not self.take(token):
            raise TextError(self.number, f"expected '{token}', found '{self.next or 'the end of the line'}'")

    def word(self) -> str:
        token = self.next
        if not token or token in _MARKS:
            raise TextError(self.number, f"expected a name, found '{token or 'the end of the line'}'")
        self.at += 1
        return token

    def name(self) -> str:
        token = self.word()
        return str(json.loads(token)) if token[0] == '"' else "" if token == "_" else token

    def value(self) -> Attr:
        if self.take("("):
            return tuple(self.many(self.value, ")"))
        token = self.word()
        return str(json.loads(token)) if token[0] == '"' else _word_value(token)

    def many(self, item: Callable[[], _T], end: str) -> list[_T]:
        found: list[_T] = []
        while not self.take(end):
            if found:
                self.expect(",")
            found.append(item())
        return found

    def type(self) -> TensorType:
        dtype = None if self.next == "?" and self.take("?") else self.name()
        shape: Shape = tuple(self.many(self.dim, "]")) if self.take("[") else None
        return TensorType(dtype, shape)

    def dim(self) -> Dim:
        token = self.next
        if token == "?":
            self.at += 1
            return None
        name = self.name()
        return int(name) if token[0] != '"' and _is_int(token) else name

    def attrs(self) -> dict[str, Attr]:
        found: dict[str, Attr] = {}
        while self.next and self.next not in ("|", "->"):
            key = self.name()
            self.expect("=")
            if key in found:
                raise TextError(self.number, f"attribute '{key}' stands twice")
            found[key] = self.value()
        return found


def _tokens(raw: str, number: int) -> list[str]:
    found, at = [], 0
    while at < len(raw):
        match = _TOKEN.match(raw, at)
        if match is None:
            raise TextError(number, f"a text that starts at column {at + 1} has no closing quote")
        token = match.group()
        if not token.isspace() and token[0] != "#":
            found.append(token)
        at = match.end()
    return found


def _graph(lines: list[_Line], at: int) -> tuple[Graph, int]:
    indent = lines[at].indent if at < len(lines) else 0
    name, format_, metadata = "", "", dict[str, Attr]()
    training: dict[str, list[Setting]] | None = None
    inputs: list[tuple[str, TensorType]] = []
    nodes: list[Node] = []
    outputs: list[str] = []
    declared: dict[str, TensorType] = {}
    hazards: list[Hazard] = []
    while at < len(lines) and lines[at].indent >= indent:
        line = lines[at]
        if line.indent > indent:
            raise TextError(line.number, "this line is indented more than the one before it")
        at += 1
        keyword = line.next if line.tokens[1:2] not in (["="], [","]) else ""
        if keyword in ("model", "hazard", "training", "loss", "metric", "optimizer", "input", "output"):
            line.at += 1
        if keyword == "model":
            name, metadata = line.name(), line.attrs()
            format_ = str(metadata.pop("format", ""))
        elif keyword == "hazard":
            hazards.append(Hazard(line.name(), line.name(), line.attrs()))
        elif keyword in ("training", "loss", "metric", "optimizer"):
            training = training or {"loss": [], "metric": [], "optimizer": []}
            if keyword != "training":
                training[keyword].append(_parse_setting(line))
        elif keyword == "input":
            inputs.append((line.name(), line.type()))
        elif keyword == "output":
            while line.next:
                outputs.append(line.name())
        else:
            node, types = _parse_node(line)
            declared.update(types)
            bodies = []
            while at < len(lines) and lines[at].indent > indent and lines[at].next == "body":
                lines[at].at += 1
                label = lines[at].name()
                body, at = _graph(lines, at + 1)
                bodies.append((label, body))
            nodes.append(replace(node, bodies=tuple(bodies)) if bodies else node)
        if line.next:
            raise TextError(line.number, f"'{line.next}' is not expected here")
    compiled = None
    if training is not None:
        optimizer = training["optimizer"][0] if training["optimizer"] else None
        compiled = Training(tuple(training["loss"]), tuple(training["metric"]), optimizer)
    ends = tuple(inputs), tuple(nodes), tuple(outputs)
    return Graph(name, format_, *ends, declared, compiled, metadata, tuple(hazards)), at


def _parse_setting(line: _Line) -> Setting:
    name = line.name()
    custom = line.take("custom")
    output: int | None = None
    if line.take("@"):
        number = line.dim()
        if not isinstance(number, int):
            raise TextError(line.number, "expected the number of an output after '@'")
        output = number
    return Setting(name, output, custom, line.attrs())


def _parse_node(line: _Line) -> tuple[Node, dict[str, TensorType]]:
    outputs = [] if line.next == "=" else [line.name()]
    while line.take(","):
        outputs.append(line.name())
    line.expect("=")
    op = line.name()
    origin = Origin("", ())
    if line.take("<"):
        parts = []
        while not line.take(">"):
            parts.append(line.name())
        if not parts:
            raise TextError(line.number, "expected a native op between '<' and '>'")
        origin = Origin(parts[0], tuple(parts[1:]))
    line.expect("(")
    inputs = line.many(line.name, ")")
    name = line.name() if line.take("@") else outputs[0] if outputs else ""
    attrs = line.attrs()
    params = []
    if line.take("|"):
        params.append(_parse_param(line, name))
        while line.take(","):
            params.append(_parse_param(line, name))
    declared: dict[str, TensorType] = {}
    if line.take("->"):
        types = [line.type()]
        while line.take(","):
            types.append(line.type())
        declared = {
            value: type_ for value, type_ in zip(outputs, types, strict=False) if type_ != TensorType()
        }
    return Node(name, op, tuple(inputs), tuple(outputs), attrs, tuple(params), (), origin), declared


def _parse_param(line: _Line, node: str) -> Param:
    role = line.name()
    type_ = line.type()
    name = line.name() if line.take("@") else f"{node}/{role}"
    frozen = line.take("frozen")
    value: tuple[int | float | bool, ...] | None = None
    if line.take("="):
        read = line.value()
        if not isinstance(read, tuple) or not all(isinstance(item, int | float) for item in read):
            raise TextError(line.number, f"expected numbers in parentheses as the value of '{role}'")
        value = tuple(item for item in read if isinstance(item, int | float))
    return Param(name, role, type_.shape, type_.dtype, not frozen, value)
