"""A dense head on a flattened map is a convolution over the whole map; written so, any image size will do.

y = Σ_p W_pᵀ X_p + b over the positions p of the map is what a convolution without padding, whose window is
the whole map, computes at its only position: its kernel is W with the axes of the map, in the order in which
Flatten put them in a row. Dense layers behind it are 1×1 convolutions. A global average pool over the one
position left changes nothing. Larger images give the average over a sliding window (the scores are averaged,
as OverFeat did, https://arxiv.org/abs/1312.6229, section 3.3), in front of the softmax.

==========================================================  ============================================
how the vector runs through the map                         kernel, from W of shape (H·Wd·C, U)
==========================================================  ============================================
channels last; channels first transposed by Keras's         HWIO ``W.reshape(H, Wd, C, U)``
``Flatten(data_format="channels_first")``
channels first, not transposed                              HWIO ``W.reshape(C, H, Wd, U)`` to (1, 2, 0, 3)
ONNX, Flatten of NCHW, transB=1: B of (U, C·H·Wd)           OIHW ``B.reshape(U, C, H, Wd)``
ONNX, Flatten of NCHW, transB=0 or MatMul                   OIHW ``B.T.reshape(U, C, H, Wd)``
tf2onnx: transposed to NHWC first                           OIHW ``B.reshape(H, Wd, C, U)`` to (3, 2, 0, 1)
==========================================================  ============================================

With one or three spatial axes the same. A batch norm on the flattened vector has a gain s and an offset t
per element, which go into the layer behind it first: ``W ← diag(s)·W``, ``b ← b + tᵀW``.
Source of the equivalence: https://cs231n.github.io/convolutional-networks/#convert
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from archlint.dataclass import dataclass
from archlint.fixes import PatchError, rewrite
from archlint.fixes.affine import Affine, affine_of
from archlint.fixes.maps import FlatMap, acts_on_each, flat_map, only_reader
from archlint.fixes.stored import (
    Names,
    computed,
    is_onnx,
    kernel_of,
    own_params,
    rearranged,
    unscaled,
)
from archlint.graph import Array, Attr, Edit, Made, Node, Param, SetInput, Splice, TensorType
from archlint.ops import attr, has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts

_KERNEL_START = ("kernel_init", "kernel_l1", "kernel_l2")


@rewrite(nodes={"flatten": "the Flatten that ties the model to its image size"}, head="unlock")
def flatten(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """Conv over the full map → 1×1 Convs → global average pool in place of Flatten → Dense …; frees the size.

    The nodes behind the last dense layer that only single readers lead to stay as they are, behind the pool.
    """
    start = nodes["flatten"]
    source = flat_map(facts, start)
    before, dense = _first_dense(facts, start)
    inputs = _freed(facts, start, (*before, dense))
    chain = _chain(facts, dense, source)
    head = _Head(facts, source, before, chain)
    removed = (start, *source.gone, *source.moved, *before, *chain)
    head.build(start)
    edit = Splice(frozenset(node.name for node in removed), tuple(head.added), head.moved, head.tensors)
    return (edit, *_turned(facts, edit.removed), *inputs)


def _first_dense(facts: Facts, start: Node) -> tuple[tuple[Node, ...], Node]:
    """The dense layer that reads the vector, and what stands before it."""
    between: list[Node] = []
    value = start.outputs[0]
    while True:
        node = only_reader(facts.graph, value)
        if node is None:
            raise PatchError(f"'{value}' is read by several nodes, or by none but the outside")
        if node.op == "Dense":
            return tuple(between), node
        if node.op != "BatchNormalization" and not acts_on_each(node):
            raise PatchError(f"'{node.name}' works on the whole vector of '{start.name}'")
        between.append(node)
        value = node.outputs[0]


def _freed(facts: Facts, start: Node, tied: tuple[Node, ...]) -> tuple[SetInput, ...]:
    """The inputs with free sizes; everything that is tied to a size must be one of the given nodes."""
    names = {node.name for node in tied}
    other = next((blocker for blocker in facts.spatial_blockers if blocker.node.name not in names), None)
    if other is not None:
        raise PatchError(f"'{other.node.name}' is tied to the size of the input as well")
    unknown = next((one for one in facts.graph.nodes if has_trait(one, "unknown") or one.bodies), None)
    if unknown is not None:
        raise PatchError(f"what '{unknown.name}' asks of its input is not known")
    free = {origin for blocker in facts.spatial_blockers for origin in blocker.origins}
    if not free:
        raise PatchError(f"no input has a size that '{start.name}' fixes")
    edits = []
    for name, type_ in facts.graph.inputs:
        if type_.shape is not None and any(one == name for one, _ in free):
            shape = tuple(None if (name, axis) in free else dim for axis, dim in enumerate(type_.shape))
            edits.append(SetInput(name, TensorType(type_.dtype, shape)))
    return tuple(edits)


def _turned(facts: Facts, gone: frozenset[str]) -> tuple[Splice, ...]:
    """Transposes for what the file calls Reshape: tf2onnx moves a single channel so, to the size it had."""
    kept = [node for node in facts.graph.nodes if node.name not in gone]
    return tuple(
        Splice(frozenset({node.name}), (replace(node, origin=replace(node.origin, native="")),))
        for node in kept
        if node.op == "Transpose" and node.origin.native == "Reshape"
    )


def _chain(facts: Facts, dense: Node, source: FlatMap) -> tuple[Node, ...]:
    """The nodes from the first to the last dense layer that can work on a map instead, in a row."""
    chain, length = [dense], 1
    value = dense.outputs[0]
    while (node := only_reader(facts.graph, value)) is not None:
        if not (node.op == "Dense" or acts_on_each(node) or _is_norm(facts, node, source)):
            break
        if node.op == "Dense" and not _is_plain_dense(facts, node):
            break
        chain.append(node)
        value = node.outputs[0]
        if node.op == "Dense" or _belongs_inside(facts, chain, length):
            length = len(chain)
    return tuple(chain[:length])


def _is_plain_dense(facts: Facts, node: Node) -> bool:
    try:
        kernel_of(facts, unscaled(node)[0])
    except PatchError:
        return False
    shape = facts.in_shape(node)
    return shape is not None and len(shape) == 2


def _belongs_inside(facts: Facts, chain: list[Node], length: int) -> bool:
    """Whether the last node is the activation of the dense layer before it, and no output of the model."""
    node = chain[-1]
    same = bool(node.origin.address) and node.origin.address == chain[length - 1].origin.address
    inner = same and not is_onnx(facts.graph) and len(chain) == length + 1
    return inner and not facts.reaches_output(node.outputs[0])


def _is_norm(facts: Facts, node: Node, source: FlatMap) -> bool:
    """Whether a norm of a vector can work on the channels of a map."""
    if len(node.inputs) != 1 or len(node.outputs) != 1:
        return False
    if node.op == "BatchNormalization" and not attr(node, "training"):
        if not is_onnx(facts.graph) or not attr(node, "folded"):
            return True
        return len(source.lengths) > 2  # on maps of one spatial axis its Mul and Add are not told apart
    last = source.channel_axis == -1 and not is_onnx(facts.graph)
    return node.op == "LayerNormalization" and last and attr(node, "axes") in ((-1,), (1,))


@dataclass
class _Head:
    """The nodes of the new head as they are put together."""

    facts: Facts
    source: FlatMap
    before: tuple[Node, ...]
    chain: tuple[Node, ...]

    def __post_init__(self) -> None:
        self.names = Names(self.facts.graph)
        self.onnx = is_onnx(self.facts.graph)
        self.channel_axis = 1 if self.onnx else self.source.channel_axis
        self.added: list[Node] = []
        self.moved: dict[str, str] = {}
        self.tensors: dict[str, Made] = {}

    def build(self, start: Node) -> None:
        """Puts all nodes together, from the map to the pool."""
        value = self._map(start)
        folded = self._folded()
        for node in self.before:
            if node.op != "BatchNormalization":
                value = self._put(node, value)
        for at, node in enumerate(self.chain):
            last = at == len(self.chain) - 1
            if node.op != "Dense":
                value = self._put(self._on_map(node), value, last)
                continue
            conv = self._conv(node, value, folded if at == 0 else (), self._place(node) if last else node)
            value = conv.outputs[0]
        self._pool(self.chain[-1], value)

    def _map(self, start: Node) -> str:
        """The map with its channels where a convolution of this format has them."""
        value = self.source.value
        for node in self.source.moved:
            value = self._put(node, value)
        if self.channel_axis in (self.source.channel, self.source.channel_axis):
            return value
        node = self.names.beside(start, "Transpose", (value,), "channels_first")
        perm = (0, self.source.channel, *self.source.spatial)
        self.added.append(replace(node, attrs={"perm": perm}))
        return node.outputs[0]

    def _put(self, node: Node, value: str, last: bool = False) -> str:
        """A node that stays what it is, on another value."""
        outputs = node.outputs
        if last and self.onnx:
            outputs = (self.names.fresh(f"{node.name}/map"),)
        self.added.append(replace(node, inputs=(value,), outputs=outputs))
        return outputs[0]

    def _folded(self) -> tuple[Affine, ...]:
        """The batch norms on the vector, nearest to the dense layer first."""
        found: list[Affine] = []
        bent: Node | None = None
        for node in reversed(self.before):
            if node.op == "BatchNormalization":
                if bent is not None:
                    raise PatchError(f"'{bent.name}' stands between '{node.name}' and the dense layer")
                found.append(affine_of(self.facts, node))
            elif not (has_trait(node, "random") or has_trait(node, "transparent")):
                bent = node
        return tuple(found)

    def _place(self, dense: Node) -> Node:
        """The last dense layer with the names that its convolution gets, next to the pool behind it."""
        graph = self.facts.graph
        if self.onnx:
            return replace(dense, outputs=(self.names.fresh(f"{dense.name}/map"),))
        shares = any(
            one.origin.address == dense.origin.address and one is not dense and one not in self.chain
            for one in graph.nodes
        )
        if not shares and dense.outputs[0] not in graph.outputs:
            return dense
        other = self.names.beside(dense, "Dense", dense.inputs, "scores")
        return replace(dense, name=other.name, outputs=other.outputs, origin=other.origin)

    def _conv(self, dense: Node, value: str, folded: tuple[Affine, ...], place: Node) -> Node:
        kernel, bias = kernel_of(self.facts, unscaled(dense)[0])
        units = attr(dense, "units")
        if not isinstance(units, int) or self.facts.out_shape(dense) is None:
            raise PatchError(f"the units of '{dense.name}' are not known")
        first = dense is self.chain[0]
        window = self.source.window if first else (1,) * len(self.source.window)
        width = self.source.channels if first else (kernel.size or 0) // units
        if kernel.size != units * width * _product(window):
            raise PatchError(f"the kernel of '{dense.name}' does not fit the map")
        node = replace(place, origin=replace(place.origin, native=""))
        shape = (units, width, *window) if self.onnx else (*window, width, units)
        new = self.names.param(node, "kernel", shape, kernel)
        self.tensors[new.name] = self._contents(dense, kernel, new, folded if first else (), first)
        offset = self._bias(dense, kernel, bias, node, units, folded)
        attrs: dict[str, Attr] = {"filters": units, "kernel": window}
        attrs |= {key: dense.attrs[key] for key in _KERNEL_START if key in dense.attrs}
        if self.channel_axis != -1:
            attrs["channel_axis"] = self.channel_axis
        if offset is None:
            attrs["use_bias"] = False
        params = (new,) if offset is None else (new, offset)
        conv = replace(node, op="Conv", inputs=(value,), attrs=attrs, params=params)
        self.added.append(conv)
        return conv

    def _contents(
        self, dense: Node, kernel: Param, new: Param, folded: tuple[Affine, ...], first: bool
    ) -> Made:
        turned, onnx, source = bool(dense.attrs.get("kernel_transposed")), self.onnx, self.source
        _, alpha, _ = unscaled(dense)

        def arrange(stored: Array) -> Array:
            rows = stored.T if turned else stored
            if not first:
                return rows.T if onnx else rows
            parts = source.kernel(rows)
            axes = len(source.spatial)
            return parts.transpose(axes + 1, axes, *range(axes)) if onnx else parts

        if not folded and alpha == 1:
            return rearranged(new, kernel, arrange)

        def scaled(stored: Array, *rest: Array) -> Array:
            rows = alpha * (stored.T if turned else stored)
            for gain, _ in _split(folded, rest):
                rows = rows * gain[:, None]
            return arrange(rows.T if turned else rows)

        return computed(new, (kernel, *_params(folded)), scaled)

    def _bias(
        self,
        dense: Node,
        kernel: Param,
        bias: Param | None,
        node: Node,
        units: int,
        folded: tuple[Affine, ...],
    ) -> Param | None:
        """The bias, as it is when the file already has it so; with what batch norms before it add."""
        _, alpha, beta = unscaled(dense)
        if not folded and beta == 1:
            if bias is None or (bias.shape == (units,) and node.origin.address == dense.origin.address):
                return bias
            new = self.names.param(node, "bias", (units,), bias)
            self.tensors[new.name] = rearranged(new, bias, lambda stored: stored)
            return new
        new = self.names.param(node, "bias", (units,), bias or replace(kernel, trainable=kernel.trainable))
        turned = bool(dense.attrs.get("kernel_transposed"))

        def shifted(stored: Array, *rest: Array) -> Array:
            rows = alpha * (stored.T if turned else stored)
            total = beta * rest[0].reshape(-1) if bias is not None else 0.0
            for gain, offset in _split(folded, rest if bias is None else rest[1:]):
                total = total + offset @ rows
                rows = rows * gain[:, None]
            return total  # type: ignore[return-value]  # there is at least one norm, so it is an array

        sources = (kernel, *(() if bias is None else (bias,)), *_params(folded))
        self.tensors[new.name] = computed(new, sources, shifted)
        return new

    def _on_map(self, node: Node) -> Node:
        """A norm of a vector's features, as a norm of a map's channels."""
        if node.op == "LayerNormalization":
            return replace(node, attrs={key: item for key, item in node.attrs.items() if key != "axes"})
        if node.op != "BatchNormalization":
            return node
        attrs = {key: item for key, item in node.attrs.items() if key != "channel_axis"}
        if self.channel_axis != -1:
            attrs["channel_axis"] = self.channel_axis
        params = node.params
        if self.onnx and attr(node, "folded"):
            own_params(self.facts, node, "gamma", "beta")
            params = tuple(self._per_channel(node, param) for param in node.params)
        return replace(node, attrs=attrs, params=params)

    def _per_channel(self, node: Node, param: Param) -> Param:
        """A vector with the axes by which ONNX aligns it with the channels of a map."""
        new = self.names.param(node, param.role, (1, param.size, *(1 for _ in self.source.spatial)), param)
        self.tensors[new.name] = rearranged(new, param, lambda stored: stored)
        return new

    def _pool(self, last: Node, value: str) -> None:
        """The pool, under the name of what it stands for when that is an output of the model."""
        attrs: dict[str, Attr] = {} if self.channel_axis == -1 else {"channel_axis": self.channel_axis}
        result = last.outputs[0]
        if self.onnx:
            pool = replace(self.names.beside(last, "", (value,), "pool"), outputs=(result,))
        elif result in self.facts.graph.outputs:
            pool = replace(last, inputs=(value,), params=(), origin=replace(last.origin, native=""))
        else:
            pool = self.names.beside(last, "", (value,), "pool")
            self.moved[result] = pool.outputs[0]
        self.added.append(replace(pool, op="GlobalAveragePool", attrs=attrs))


def _params(folded: tuple[Affine, ...]) -> tuple[Param, ...]:
    return tuple(param for norm in folded for param in norm.params)


def _split(folded: tuple[Affine, ...], arrays: tuple[Array, ...]) -> list[tuple[Array, Array]]:
    found, at = [], 0
    for norm in folded:
        found.append(norm.gain_and_offset(*arrays[at : at + len(norm.params)]))
        at += len(norm.params)
    return found


def _product(lengths: tuple[int, ...]) -> int:
    total = 1
    for length in lengths:
        total *= length
    return total
