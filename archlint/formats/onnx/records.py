"""What an ONNX file says, as plain records: the messages of onnx.proto without the contents of weights.

Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from archlint.dataclass import dataclass
from archlint.graph import Attr, TensorType


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor in the file (TensorProto or SparseTensorProto). ``value`` as in ``graph.Param``.

    ``external`` is (location, offset, length) as the file states it, for contents in another file.
    ``short`` says that the contents are fewer or more bytes than the shape needs. ``external_keys`` are all
    keys of the external data; ``hollow`` is (bytes stated, bytes there) of a tensor out of all proportion.
    """

    name: str
    dtype: str | None
    shape: tuple[int, ...]
    value: tuple[int | float | bool, ...] | None = None
    external: tuple[str, str, str] | None = None
    sparse: bool = False
    short: bool = False
    external_keys: tuple[str, ...] = ()
    hollow: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """An attribute of a function's node that takes its value from the call."""

    name: str


@dataclass(frozen=True, slots=True)
class RawGraph:
    """A GraphProto."""

    name: str
    nodes: Sequence[RawNode]
    initializers: Sequence[Stored]
    inputs: Sequence[tuple[str, TensorType]]
    outputs: Sequence[tuple[str, TensorType]]
    value_info: Mapping[str, TensorType]


RawAttr = Attr | Stored | RawGraph | Reference
"""Value of an AttributeProto; None when it is of a kind that no op in the table reads."""


@dataclass(frozen=True, slots=True)
class RawNode:
    """A NodeProto. ``path`` is the names of the function calls that lead to it once functions are inlined."""

    name: str
    op: str
    domain: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attrs: Mapping[str, RawAttr] = field(default_factory=dict)
    overload: str = ""
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RawFunction:
    """A FunctionProto."""

    name: str
    domain: str
    overload: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    defaults: Mapping[str, RawAttr]
    nodes: Sequence[RawNode]
    opsets: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RawModel:
    """A ModelProto. ``opsets`` maps a domain to its version, "" being ONNX's own.

    ``leftovers`` are fields that a ModelProto does not have: number, bytes, what they begin as.
    """

    ir_version: int
    producer: str
    opsets: Mapping[str, int]
    graph: RawGraph
    functions: Sequence[RawFunction]
    training_infos: int
    leftovers: Sequence[tuple[int, int, str]] = ()
