"""What turns a node of the normal form into ONNX nodes: names, settings and constants of the file's opset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from archlint.dataclass import dataclass
from archlint.errors import PatchError
from archlint.graph import Attr, Node
from archlint.ops import TABLE
from archlint.ops.base import UNKNOWN, Tensor

OLDEST_OPSET = 7
"""Since this opset operands are broadcast as numpy does; nodes for older ones are not written."""

Proto = Any
"""A message of the onnx package, which has no types."""


class Names:
    """The names of nodes and values that a file has, and fresh ones."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken

    def fresh(self, wanted: str) -> str:
        """``wanted``, or ``wanted`` with the next free number; it is taken from now on."""
        name, count = wanted, 0
        while name in self._taken:
            count += 1
            name = f"{wanted}_{count}"
        self._taken.add(name)
        return name


@dataclass(slots=True)
class Native:
    """The ONNX nodes and constants for one node, as they are put together.

    ``tensors`` is what is known of every value in the patched graph.
    """

    node: Node
    opset: int
    names: Names
    tensors: Mapping[str, Tensor]
    nodes: list[Proto] = field(default_factory=list)
    constants: list[Proto] = field(default_factory=list)

    def refuse(self, why: str) -> PatchError:
        """The error that says that this node cannot be written."""
        return PatchError(f"ONNX: cannot write {self.node.op} '{self.node.name}': {why}")

    def setting(self, name: str) -> Attr:
        """An attribute of the node, or its default in the catalogue."""
        op = TABLE.get(self.node.op)
        default = op.attrs.get(name) if op else None
        return self.node.attrs.get(name, default)

    def number(self, name: str) -> float:
        """A setting that must be a number."""
        value = self.setting(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refuse(f"its {name} has to be a number, not {value}")
        return value

    def integer(self, name: str) -> int:
        """A setting that must be a whole number."""
        return int(self.number(name))

    def integers(self, name: str) -> tuple[int, ...]:
        """A setting that must be a tuple of whole numbers."""
        value = self.setting(name)
        found = tuple(item for item in value if isinstance(item, int)) if isinstance(value, tuple) else ()
        if not isinstance(value, tuple) or len(found) != len(value):
            raise self.refuse(f"its {name} have to be whole numbers, not {value}")
        return found

    def plain(self, *names: str) -> None:
        """Refuses every setting that differs from its default and is not named."""
        for name, value in self.node.attrs.items():
            op = TABLE.get(self.node.op)
            if name not in names and value != (op.attrs.get(name) if op else None):
                raise self.refuse(f"{name}={value} has no form in this opset ({self.opset})")

    def rank(self) -> int:
        """The number of axes of the first input."""
        shape = self.tensors.get(self.node.inputs[0], UNKNOWN).shape
        if shape is None:
            raise self.refuse("the number of axes of its input is not known")
        return len(shape)

    def dtype(self) -> str:
        """The element type of the first input, float32 if it is not known."""
        return self.tensors.get(self.node.inputs[0], UNKNOWN).dtype or "float32"

    def param(self, role: str) -> str:
        """The value that holds a param; "" if the node has none of that role."""
        param = self.node.param(role)
        return "" if param is None else param.name

    def needed(self, role: str) -> str:
        """The value that holds a param that must be there."""
        return self.param(role) or self._missing(role)

    def fresh(self, role: str) -> str:
        """A fresh value name for something inside this node."""
        return self.names.fresh(f"{self.node.name}/{role}")

    def add(
        self,
        op: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        attrs: Mapping[str, Any] | None = None,
        named: bool = False,
    ) -> None:
        """Adds an ONNX node; ``named`` gives it the node's own name, by which the reader will call it."""
        from onnx import helper

        name = self.node.name if named else self.names.fresh(f"{self.node.name}/{op}")
        kept = list(inputs)
        while kept and not kept[-1]:
            kept.pop()
        self._check_form(op, len(kept), attrs or {})
        self.nodes.append(helper.make_node(op, kept, list(outputs), name=name, **(attrs or {})))

    def ints(self, role: str, values: Sequence[int]) -> str:
        """The name of a new int64 vector."""
        return self._constant(role, values, "int64")

    def scalar(self, role: str, value: float) -> str:
        """The name of a new scalar of the element type of the first input."""
        return self._constant(role, value, self.dtype())

    def _constant(self, role: str, values: object, dtype: str) -> str:
        import numpy as np
        from onnx import numpy_helper

        if dtype not in ("float16", "float32", "float64", "int64"):
            raise self.refuse(f"it would need a constant of type {dtype}")
        name = self.fresh(role)
        self.constants.append(numpy_helper.from_array(np.array(values, dtype), name))
        return name

    def _missing(self, role: str) -> str:
        raise self.refuse(f"it has no {role}")

    def _check_form(self, op: str, inputs: int, attrs: Mapping[str, object]) -> None:
        """Refuses what the opset of the file does not have.

        Source: the schemas that ship with onnx, https://onnx.ai/onnx/operators/
        """
        from onnx import defs

        if self.opset < OLDEST_OPSET:
            raise self.refuse(f"opset {self.opset} is older than {OLDEST_OPSET}; convert the model first")
        try:
            schema = defs.get_schema(op, min(self.opset, defs.onnx_opset_version()), "")
        except defs.SchemaError:
            raise self.refuse(f"ONNX has no {op} in opset {self.opset}") from None
        odd = sorted(attrs.keys() - schema.attributes.keys())
        if odd:
            raise self.refuse(f"{op} has no {odd[0]} in opset {self.opset}")
        if not schema.min_input <= inputs <= schema.max_input:
            raise self.refuse(f"{op} does not take {inputs} inputs in opset {self.opset}")
