"""What a patched file declares of its inputs, outputs and values: nothing that has become untrue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archlint.errors import PatchError
from archlint.formats.onnx.write.contents import number_of
from archlint.formats.onnx.write.layout import INPUT, OUTPUT, VALUE_INFO, Layout, Span
from archlint.formats.onnx.write.native import Proto
from archlint.formats.onnx.write.pieces import Piece, Written, field, whole
from archlint.formats.onnx.write.plan import Plan
from archlint.graph import Dim, Graph, TensorType
from archlint.ops.base import UNKNOWN, Tensor

Types = Mapping[str, Tensor]


class Declarations:
    """The declared types of a patched file; ``before`` and ``after`` are what is known of each value.

    ``sealed`` says that no stored tensor is an input any more.
    """

    def __init__(
        self, place: Layout, plan: Plan, old: Graph, new: Graph, before: Types, after: Types, sealed: bool
    ) -> None:
        self._place = place
        self._before, self._after = before, after
        now = dict(new.inputs)
        self._inputs = {name: now[name] for name, type_ in old.inputs if type_ != now[name]}
        stored = place.raw.graph.initializers
        self._kept = {stored[at].name for at in plan.initializers}
        self._dropped = {item.name for item in stored} - self._kept
        self._unlisted = self._dropped | (self._kept if sealed else set())
        self._touched = _downstream(plan, plan.touched | self._inputs.keys())
        self._made = {value for item in plan.items for value in item.outputs}

    def pieces(self) -> Iterator[tuple[Span, list[Piece]]]:
        """Each declaration of the original with what takes its place: nothing, if it is not declared now."""
        raw = self._place.raw.graph
        for span, (name, _) in zip(self._place.spans(INPUT), raw.inputs, strict=True):
            if name in self._inputs:
                yield span, self._changed(span, self._inputs[name])
            else:
                yield span, [] if name in self._unlisted else [whole(span)]
        for span, (name, type_) in zip(self._place.spans(OUTPUT), raw.outputs, strict=True):
            freed = self._freed(name, type_)
            yield span, [whole(span)] if freed == type_ else self._changed(span, freed)
        for span in self._place.spans(VALUE_INFO):
            yield span, [whole(span)] if self._holds(_info(self._place.content(span)).name) else []

    def _holds(self, name: str) -> bool:
        if name not in self._touched:
            return name in self._made or name in self._kept or name in dict(self._place.raw.graph.inputs)
        old, new = self._before.get(name, UNKNOWN), self._after.get(name, UNKNOWN)
        return name in self._made and old == new and new.shape is not None and None not in new.shape

    def _freed(self, name: str, type_: TensorType) -> TensorType:
        """The type of an output without lengths that are not what they were."""
        if name not in self._touched or type_.shape is None:
            return type_
        old, new = self._before.get(name, UNKNOWN).shape, self._after.get(name, UNKNOWN).shape
        if new is None:
            return TensorType(type_.dtype, tuple(None for _ in type_.shape))
        if old is None or not len(old) == len(new) == len(type_.shape):
            return TensorType(type_.dtype, tuple(dim if isinstance(dim, int) else None for dim in new))
        dims = (_freed_dim(*dims) for dims in zip(type_.shape, old, new, strict=True))
        return TensorType(type_.dtype, tuple(dims))

    def _changed(self, span: Span, type_: TensorType) -> list[Piece]:
        proto = _info(self._place.content(span))
        tensor = proto.type.tensor_type
        if proto.type.WhichOneof("value") not in (None, "tensor_type"):
            raise PatchError(f"ONNX: '{proto.name}' is no tensor; its type stays")
        if type_.dtype is not None:
            tensor.elem_type = number_of(type_.dtype)
        if type_.shape is None:
            tensor.ClearField("shape")
        else:
            _set_dims(tensor.shape, type_.shape)
        return field(span.number, [Written(proto.SerializeToString())])


def _freed_dim(declared: Dim, old: Dim, new: Dim) -> Dim:
    if isinstance(new, int):
        return new
    return declared if old == new and not isinstance(declared, int) else None


def _set_dims(shape: Proto, dims: tuple[Dim, ...]) -> None:
    """Sets the lengths; an axis that stays keeps its denotation."""
    del shape.dim[len(dims) :]
    while len(shape.dim) < len(dims):
        shape.dim.add()
    for proto, dim in zip(shape.dim, dims, strict=True):
        if isinstance(dim, int):
            proto.dim_value = dim
        elif isinstance(dim, str):
            proto.dim_param = dim
        else:
            proto.ClearField("dim_value")
            proto.ClearField("dim_param")


def _downstream(plan: Plan, start: set[str]) -> set[str]:
    """The values that depend on these."""
    found = set(start)
    for item in plan.items:
        if found.intersection(item.reads):
            found.update(filter(None, item.outputs))
    return found


def _info(data: bytes) -> Proto:
    from onnx import ValueInfoProto

    return ValueInfoProto.FromString(data)
