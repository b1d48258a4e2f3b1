"""Where the contents of params come from, when a rule asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from archlint.dataclass import dataclass
from archlint.graph.types import Param, Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
else:
    Array = object

MAX_TENSOR_BYTES = 2**30
"""Largest tensor that is taken into memory; the largest of VGG16 has 411 MB. Larger ones count as unknown."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A param that is stored in another shape than the architecture asks for.

    ``found`` is None when the file holds no such tensor; ``layer`` is the address of the layer with "/".
    """

    param: str
    layer: str
    expected: Shape
    found: Shape


class Weights(Protocol):
    """The stored tensors of one model. Nothing is read before it is asked for, and one tensor at a time."""

    def read(self, param: Param) -> Array | None:
        """The contents in the shape of the file, as numbers; None when they cannot be had."""

    def holds(self, param: Param) -> bool:
        """Whether the file stores a param, which an ONNX model may compute; told without reading it."""

    def mismatches(self) -> tuple[Mismatch, ...]:
        """The params that do not fit what is stored, in the order of the graph."""
