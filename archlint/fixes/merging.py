"""Two linear layers in a row are one.

Dense layers: W = W₁W₂, b = b₁W₂ + b₂. A convolution and a 1×1 convolution behind it, whatever its stride and
padding: K = Σ_j K₁[…, j]·W₂[j, :], b = b₁W₂ + b₂. A 1×1 convolution and one that pads nothing behind it:
K = Σ_j W₁[:, j]·K₂[…, j, :], b = b₂ + Σ over all taps of b₁K₂; with padding the second would meet zeros where
the first had left b₁. A dense layer on the last axis of a map is a 1×1 convolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from archlint.checks import Match
from archlint.checks.linear import folds, mergeable_pairs
from archlint.facts import Facts
from archlint.fixes import PatchError, rewrite
from archlint.fixes.maps import only_reader
from archlint.fixes.stored import Names, computed, is_onnx, kernel_of, through
from archlint.graph import Array, Attr, Edit, Node, Splice, apply
from archlint.ops import attr, has_trait


@rewrite(nodes={"first": "the linear layer in front", "second": "the linear layer that reads only it"})
def pair(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """One layer under the name of the last, for these two and what follows them in the same row."""
    edit = _merged(facts, nodes["first"], nodes["second"])
    while (more := _next(facts, edit)) is not None:
        edit = more
    return (edit,)


def _next(facts: Facts, edit: Splice) -> Splice | None:
    """The edit with one layer more; None when no smaller layer does the work of the next one too."""
    later = Facts(apply(facts.graph, [edit]))
    for match in mergeable_pairs(later):
        if isinstance(match, Match) and match.nodes["first"].name == edit.added[0].name:
            merged, now = match.values["merged"], match.values["now"]
            if not isinstance(merged, int) or not isinstance(now, int) or merged > now:
                return None
            step = _merged(later, match.nodes["first"], match.nodes["second"])
            removed = edit.removed | (step.removed & facts.graph.by_name.keys())
            tensors = {name: through(made, edit.tensors) for name, made in step.tensors.items()}
            return Splice(removed, step.added, tensors=tensors)
    return None


def _merged(facts: Facts, first: Node, second: Node) -> Splice:
    between = _between(facts, first, second)
    if not folds(facts, first, second) or _groups(first) != 1 or _groups(second) != 1:
        raise PatchError(f"'{first.name}' and '{second.name}' are not provably one layer")
    (one, bias1), (two, bias2) = kernel_of(facts, first), kernel_of(facts, second)
    lead = _lead(first, second)
    units, width = _units(second), (one.size or 0) // (_window(first) * _units(first))
    attrs: dict[str, Attr] = {
        key: item for key, item in lead.attrs.items() if key not in ("units", "filters", "kernel_transposed")
    }
    attrs["units" if lead.op == "Dense" else "filters"] = units
    attrs.pop("use_bias", None)
    if bias1 is None and bias2 is None:
        attrs["use_bias"] = False
    new = replace(second, op=lead.op, inputs=first.inputs, origin=replace(second.origin, native=""))
    names = Names(facts.graph)
    kernel = names.param(new, "kernel", _shape(facts, lead, width, units), two)
    onnx = is_onnx(facts.graph)

    def product(left: Array, right: Array) -> Array:
        one, two = _rows(left, first, onnx), _rows(right, second, onnx)
        # The one that is 1×1 is a plain matrix; the product runs over all taps of the other.
        found = one @ two.reshape(two.shape[-2:]) if lead is first else one.reshape(one.shape[-2:]) @ two
        return _stored(found, lead, onnx)

    tensors = {kernel.name: computed(kernel, (one, two), product)}
    params = [kernel]
    if bias1 is not None or bias2 is not None:
        bias = names.param(new, "bias", (units,), bias2 or bias1 or two)
        sources = [two, *(param for param in (bias1, bias2) if param is not None)]

        def shifted(right: Array, *rest: Array) -> Array:
            total = rest[-1].reshape(-1) if bias2 is not None else 0.0
            if bias1 is not None:
                rows = _rows(right, second, onnx)
                summed = rows.reshape(-1, *rows.shape[-2:]).sum(axis=0)
                total = rest[0].reshape(-1) @ summed + total
            return total  # type: ignore[return-value]  # one of the two is there, so it is an array

        tensors[bias.name] = computed(bias, sources, shifted)
        params.append(bias)
    merged = replace(new, attrs=attrs, params=tuple(params))
    gone = frozenset({first.name, second.name, *(node.name for node in between)})
    return Splice(gone, (merged,), tensors=tensors)


def _lead(first: Node, second: Node) -> Node:
    """The layer whose window, stride and padding stay; the other one maps every place by itself."""
    if _window(second) > 1 or (first.op == "Dense" and second.op == "Conv"):
        return second
    steps = attr(second, "strides") if second.op == "Conv" else ()
    return second if isinstance(steps, tuple) and any(step != 1 for step in steps) else first


def _between(facts: Facts, first: Node, second: Node) -> tuple[Node, ...]:
    """Identities between the two; dropout only in a file that is not for training."""
    found: list[Node] = []
    value = first.outputs[0]
    while (node := only_reader(facts.graph, value)) is not None:
        if node is second:
            return tuple(found)
        idle = has_trait(node, "random") and is_onnx(facts.graph) and not node.attrs.get("training")
        if not (has_trait(node, "transparent") or idle):
            raise PatchError(f"'{node.name}' between '{first.name}' and '{second.name}' works in training")
        found.append(node)
        value = node.outputs[0]
    raise PatchError(f"'{second.name}' is not the only reader of '{first.name}'")


def _groups(node: Node) -> Attr:
    return attr(node, "groups") if node.op == "Conv" else 1


def _units(node: Node) -> int:
    units = attr(node, "units" if node.op == "Dense" else "filters")
    if not isinstance(units, int):
        raise PatchError(f"the units of '{node.name}' are not known")
    return units


def _window(node: Node) -> int:
    total = 1
    kernel = attr(node, "kernel") if node.op == "Conv" else ()
    for length in kernel if isinstance(kernel, tuple) else ():
        total *= length if isinstance(length, int) else 1
    return total


def _rows(kernel: Array, node: Node, onnx: bool) -> Array:
    """A stored kernel as (*window, inputs, units)."""
    if node.op == "Dense":
        return kernel.T if node.attrs.get("kernel_transposed") else kernel
    return kernel.transpose(*range(2, kernel.ndim), 1, 0) if onnx else kernel


def _stored(rows: Array, node: Node, onnx: bool) -> Array:
    """(*window, inputs, units) as a kernel is stored."""
    if node.op == "Dense" or not onnx:
        return rows
    return rows.transpose(rows.ndim - 1, rows.ndim - 2, *range(rows.ndim - 2))


def _shape(facts: Facts, lead: Node, width: int, units: int) -> tuple[int, ...]:
    if lead.op == "Dense":
        return (width, units)
    kernel = attr(lead, "kernel")
    window = tuple(item for item in kernel if isinstance(item, int)) if isinstance(kernel, tuple) else ()
    return (units, width, *window) if is_onnx(facts.graph) else (*window, width, units)
