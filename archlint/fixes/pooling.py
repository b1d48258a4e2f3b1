"""Global average pooling in place of a Flatten: fewer weights, a function that has to be trained again.

Flatten and a dense layer compute y = Σ_p W_pᵀ X_p + b over the positions p of the map, pooling and a dense
layer y' = W'ᵀ (1/P) Σ_p X_p + b. With **W' = Σ_p W_p** the two differ by Σ_p (W_p − W'/P)ᵀ (X_p − X̄): nothing
where the map is the same everywhere or the weights do not depend on the place. The mean of the W_p is the
constant matrix nearest to all of them, so training starts from W'.
A batch norm on the vector keeps the means of its statistics over the positions.
Source of the design: Lin et al. 2014, https://arxiv.org/abs/1312.4400, section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from archlint.fixes import PatchError, rewrite
from archlint.fixes.affine import ROLES
from archlint.fixes.evidence import of_collapsing, of_pooling
from archlint.fixes.maps import FlatMap, acts_on_each, flat_map, only_reader
from archlint.fixes.stored import Names, computed, kernel_of, own_params
from archlint.graph import Array, Attr, Edit, Made, Node, Param, Splice
from archlint.ops import attr, has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts


_ROLES = {"flatten": "the Flatten of a map", "dense": "the dense layer that reads it"}


@rewrite(nodes=_ROLES, head="keep", evidence=of_pooling)
def keep(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """Flatten → global average pool; the dense layers stay, the first with the sum over the positions."""
    start, dense = nodes["flatten"], nodes["dense"]
    source = flat_map(facts, start)
    names = Names(facts.graph)
    tensors: dict[str, Made] = {}
    added = [_pool(start, source)]
    for node in _between(facts, start, dense):
        if node.op == "BatchNormalization":
            added.append(_smaller_norm(facts, names, node, source, tensors))
    added.append(_smaller_dense(facts, names, dense, source, tensors))
    return (_splice(start, source, added, tensors),)


@rewrite(nodes=_ROLES, head="collapse", evidence=of_collapsing)
def collapse(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """Flatten → global average pool straight into the last dense layer, whose kernel starts anew.

    What stands between the first dense layer and the last, and norms before the first, go; dropout before it
    stays. The new kernel starts as in Keras, uniform up to √(6 / (inputs + units)) (Glorot and Bengio 2010,
    section 4.2.1), the same in every run; the bias stays.
    """
    start, first = nodes["flatten"], nodes["dense"]
    source = flat_map(facts, start)
    hidden, last = _hidden(facts, first)
    before = _between(facts, start, first)
    names = Names(facts.graph)
    tensors: dict[str, Made] = {}
    pool = _pool(start, source)
    added, value = [pool], start.outputs[0]
    for node in before:
        if has_trait(node, "random"):
            added.append(replace(node, inputs=(value,)))
            value = node.outputs[0]
    kernel, _ = kernel_of(facts, last)
    added.append(_new_kernel(facts, names, last, kernel, source.channels, tensors, value))
    edit = _splice(start, source, added, tensors)
    gone = {node.name for node in (*before, *hidden)}
    return (replace(edit, removed=edit.removed | gone),)


def _pool(start: Node, source: FlatMap) -> Node:
    """The pool, under the name of the Flatten that it takes the place of."""
    attrs: dict[str, Attr] = {} if source.channel_axis == -1 else {"channel_axis": source.channel_axis}
    value = source.moved[-1].outputs[0] if source.moved else source.value
    return replace(
        start, op="GlobalAveragePool", inputs=(value,), attrs=attrs, origin=replace(start.origin, native="")
    )


def _splice(start: Node, source: FlatMap, added: list[Node], tensors: Mapping[str, Made]) -> Splice:
    """The edit that takes out Flatten, its transposes, and every node that is put in again."""
    moved: list[Node] = []
    value = source.value
    for node in source.moved:
        moved.append(replace(node, inputs=(value,)))
        value = node.outputs[0]
    old = {start.name, *(node.name for node in (*source.gone, *source.moved, *added))}
    return Splice(frozenset(old), (*moved, *added), tensors=tensors)


def _between(facts: Facts, start: Node, dense: Node) -> tuple[Node, ...]:
    """What stands between Flatten and dense layer, each the only reader of the one before."""
    found: list[Node] = []
    value = start.outputs[0]
    while (node := only_reader(facts.graph, value)) is not None:
        if node.name == dense.name:
            return tuple(found)
        if node.op != "BatchNormalization" and not acts_on_each(node):
            break
        found.append(node)
        value = node.outputs[0]
    raise PatchError(f"'{start.name}' feeds more than '{dense.name}', or works on the vector in between")


def _hidden(facts: Facts, first: Node) -> tuple[tuple[Node, ...], Node]:
    """The nodes from the first dense layer up to the last one, which stands apart."""
    chain: list[Node] = []
    last = 0
    node: Node | None = first
    while node is not None and node.op in ("Dense", "BatchNormalization", "LayerNormalization") + (
        (node.op,) if acts_on_each(node) else ()
    ):
        last = len(chain) if node.op == "Dense" else last
        chain.append(node)
        node = only_reader(facts.graph, node.outputs[0])
    if last == 0:
        raise PatchError(f"behind '{first.name}' no other dense layer follows that could be fed instead")
    for one in chain[:last]:
        if one.params:
            own_params(facts, one, "kernel", "bias", *ROLES)
    return tuple(chain[:last]), chain[last]


def _smaller_norm(facts: Facts, names: Names, norm: Node, source: FlatMap, tensors: dict[str, Made]) -> Node:
    own = own_params(facts, norm, *ROLES)
    params = []
    for role, param in own.items():
        if param.size != _length(source):
            raise PatchError(f"the {role} of '{norm.name}' does not fit the map")
        new = names.param(norm, role, (source.channels,), param)

        def mean(stored: Array) -> Array:
            spread = source.kernel(stored.reshape(-1, 1))
            found: Array = spread.reshape(-1, source.channels).mean(axis=0)
            return found

        tensors[new.name] = computed(new, (param,), mean)
        params.append(new)
    return replace(norm, params=tuple(params))


def _smaller_dense(
    facts: Facts, names: Names, dense: Node, source: FlatMap, tensors: dict[str, Made]
) -> Node:
    kernel, _ = kernel_of(facts, dense)
    units, turned = attr(dense, "units"), bool(dense.attrs.get("kernel_transposed"))
    if not isinstance(units, int) or kernel.size != units * _length(source):
        raise PatchError(f"the kernel of '{dense.name}' does not fit the map")
    shape = (units, source.channels) if turned else (source.channels, units)
    new = names.param(dense, "kernel", shape, kernel)

    def summed(stored: Array) -> Array:
        import numpy as np

        parts = source.kernel(stored.T if turned else stored)
        axes = tuple(range(len(source.spatial)))
        found: Array = parts.sum(axis=axes, dtype=np.float64).astype(stored.dtype)
        return found.T if turned else found

    tensors[new.name] = Made((kernel.name,), summed)
    return _with_kernel(dense, new)


def _new_kernel(
    facts: Facts,
    names: Names,
    last: Node,
    kernel: Param,
    width: int,
    tensors: dict[str, Made],
    value: str,
) -> Node:
    units, turned = attr(last, "units"), bool(last.attrs.get("kernel_transposed"))
    if not isinstance(units, int):
        raise PatchError(f"the units of '{last.name}' are not known")
    shape = (units, width) if turned else (width, units)
    new = names.param(last, "kernel", shape, kernel)

    def started() -> Array:
        import numpy as np

        limit = (6 / (width + units)) ** 0.5
        return np.random.default_rng(0).uniform(-limit, limit, shape).astype(kernel.dtype or "float32")

    tensors[new.name] = Made((), started)
    return replace(_with_kernel(last, new), inputs=(value,))


def _with_kernel(dense: Node, kernel: Param) -> Node:
    return replace(dense, params=(kernel, *(param for param in dense.params if param.role != "kernel")))


def _length(source: FlatMap) -> int:
    total = 1
    for length in source.lengths:
        total *= length
    return total
