"""The steps that a fused call stands for, as a recipe adds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from archlint.formats.onnx.records import RawAttr, RawNode
from archlint.formats.onnx.spelling import LEAST_INPUTS


class Steps:
    """The nodes that stand for one call, as a recipe adds them. ``ranks``: axes of stored tensors by name."""

    def __init__(self, call: RawNode, ranks: Mapping[str, int]) -> None:
        self.call = call
        self.ranks = ranks
        self.made: list[RawNode] = []
        self._value = next((value for value in call.outputs if value), call.op)
        self._name = call.name or self._value

    def given(self, at: int) -> str:
        """The value of an input; "" when it is left out."""
        return self.call.inputs[at] if at < len(self.call.inputs) else ""

    def wanted(self, at: int) -> str:
        """The name of an output; "" when nobody asked for it."""
        return self.call.outputs[at] if at < len(self.call.outputs) else ""

    def number(self, name: str, default: float) -> float:
        """A numeric attribute of the call."""
        value = self.call.attrs.get(name, default)
        return value if isinstance(value, int | float) else default

    def add(
        self, op: str, *inputs: str, to: Sequence[str] = (), attrs: Mapping[str, RawAttr] | None = None
    ) -> str:
        """Adds a step and returns its first output, which has a name of its own unless ``to`` says it."""
        at = len(self.made)
        outputs = tuple(to) or (self.fresh(f"{op}{at}"),)
        path = (*self.call.path, self._name)
        self.made.append(RawNode(f"{self._name}/{op}{at}", op, "", inputs, outputs, attrs or {}, "", path))
        return outputs[0]

    def fresh(self, word: str) -> str:
        """A name for a value that no other call gives, for outputs have one maker."""
        return f"{self._value}//{word}"

    def constant(self, number: float) -> str:
        """A step that makes a scalar."""
        return self.add("Constant", attrs={"value_float": float(number)})

    def plus(self, *values: str) -> str:
        """The sum of the values that are given; "" when none is."""
        kept = [value for value in values if value]
        total = kept[0] if kept else ""
        for value in kept[1:]:
            total = self.add("Add", total, value)
        return total

    @property
    def is_whole(self) -> bool:
        """Whether every output of the call is made by a step, and every step has the inputs that it needs."""
        made = {value for node in self.made for value in node.outputs}
        fed = (all(node.inputs[: LEAST_INPUTS.get(node.op, 0)]) for node in self.made)
        enough = (len(node.inputs) >= LEAST_INPUTS.get(node.op, 0) for node in self.made)
        return all(value in made for value in self.call.outputs if value) and all(fed) and all(enough)

    def attrs(self, *names: str) -> dict[str, RawAttr]:
        """These attributes of the call, where it has them."""
        return {name: self.call.attrs[name] for name in names if name in self.call.attrs}


Recipe = Callable[[Steps], bool]
"""Adds the steps of a call; False when this call cannot be said."""
