"""Matrix products: ``Dense``, ``EinsumDense``, ``Embedding``, ``MatMul``, ``Gemm``, ``Einsum``, ``Dot``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from archlint.graph import Dim, Node, Shape
from archlint.ops.base import (
    KERNEL_START,
    UNKNOWN,
    Op,
    Tensor,
    Weight,
    at,
    flag,
    integer,
    integers,
    table,
    word,
)
from archlint.ops.dims import agree, axis_of, broadcast, known, per_sample, size


def _dense(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source = at(ins, 0)
    if source.shape is None:
        return (Tensor(source.dtype),)
    axis = axis_of(integer(node, "axis"), len(source.shape))
    if axis is None:
        return (Tensor(source.dtype),)
    shape = (*source.shape[:axis], integer(node, "units"), *source.shape[axis + 1 :])
    return (Tensor(source.dtype, shape),)


def _features(node: Node, ins: Sequence[Tensor]) -> Dim:
    shape = at(ins, 0).shape
    axis = None if shape is None else axis_of(integer(node, "axis"), len(shape))
    return None if shape is None or axis is None else shape[axis]


def _dense_macs(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """Positions · inputs · units; one position for a (N, features) input, all inner axes otherwise."""
    units = per_sample(at(outs, 0).shape)
    kernel = node.param("kernel")
    features = _features(node, ins)
    if features is None and kernel is not None and kernel.size is not None and integer(node, "units"):
        features = kernel.size // (integer(node, "units") or 1)
    shape = at(outs, 0).shape
    if shape is not None and len(shape) == 1:
        units = size(shape)
    return units * features if isinstance(features, int) and units is not None else None


def _dense_weights(node: Node, ins: Sequence[Tensor]) -> Sequence[Weight]:
    """Kernel (features, units) and bias (units,)."""
    units = integer(node, "units")
    kernel = Weight("kernel", (_features(node, ins), units) if at(ins, 0).shape is not None else None)
    return (kernel, Weight("bias", (units,))) if flag(node, "use_bias") else (kernel,)


def _embedding(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    shape, stored = at(ins, 0).shape, node.param("embeddings")
    dtype = stored.dtype if stored is not None else None
    return (Tensor(dtype, None if shape is None else (*shape, integer(node, "output_dim"))),)


def _embedding_weights(node: Node, ins: Sequence[Tensor]) -> Sequence[Weight]:
    """Embeddings (input_dim, output_dim)."""
    return (Weight("embeddings", (integer(node, "input_dim"), integer(node, "output_dim"))),)


def _matmul(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    left, right = at(ins, 0), at(ins, 1)
    return (Tensor(left.dtype, matmul_shape(left.shape, right.shape)),)


def matmul_shape(left: Shape, right: Shape) -> Shape:
    """Shape of a matrix product as numpy.matmul has it, vectors included."""
    if not left or not right:
        return None
    rows = left if len(left) > 1 else (1, *left)
    columns = right if len(right) > 1 else (*right, 1)
    stack = broadcast((rows[:-2], columns[:-2]))
    if stack is None:
        return None
    head = rows[-2:-1] if len(left) > 1 else ()
    return (*stack, *head, *(columns[-1:] if len(right) > 1 else ()))


def matmul_macs(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """Elements of the product · contracted length; a first axis that both or the left have counts one.

    The first axis is the batch when the product has more than two axes or the right side is stored.
    """
    left, shape = at(ins, 0).shape, at(outs, 0).shape
    if not left or shape is None:
        return None
    inner = left[-1]
    elements = per_sample(shape) if len(shape) > 1 else size(shape)
    return elements * inner if isinstance(inner, int) and elements is not None else None


def _gemm(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    left, right = at(ins, 0), at(ins, 1)
    rows = _matrix(left.shape, flag(node, "transA"))
    columns = _matrix(right.shape, flag(node, "transB"))
    if rows is None or columns is None:
        return (Tensor(left.dtype),)
    return (Tensor(left.dtype, (rows[0], columns[1])),)


def _matrix(shape: Shape, turned: bool) -> tuple[Dim, Dim] | None:
    if shape is None or len(shape) != 2:
        return None
    return (shape[1], shape[0]) if turned else (shape[0], shape[1])


def _gemm_macs(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """Columns · contracted length: rows are the batch."""
    left, shape = _matrix(at(ins, 0).shape, flag(node, "transA")), at(outs, 0).shape
    columns = per_sample(shape)
    if left is None or columns is None:
        return None
    return columns * left[1] if isinstance(left[1], int) else None


def _terms(equation: str | None) -> tuple[list[str], str] | None:
    """Input terms and output term of an einsum equation; None when it cannot be read."""
    if equation is None:
        return None
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow:
        letters = "".join(terms).replace(".", "")
        once = sorted(letter for letter in set(letters) if letters.count(letter) == 1)
        right = ("..." if "..." in left else "") + "".join(once)
    return terms, right


def _named(term: str, shape: Shape) -> Mapping[str, Dim] | None:
    """Letter → dim of one operand; the axes under "..." are named "0", "1", … counted from the end."""
    if shape is None:
        return None
    before, dots, after = term.partition("...")
    spare = len(shape) - len(before) - len(after)
    if spare < 0 or (spare > 0 and not dots):
        return None
    names = [*before, *(str(spare - 1 - index) for index in range(spare)), *after]
    found: dict[str, Dim] = {}
    for name, dim in zip(names, shape, strict=True):
        found[name] = agree(found[name], dim) if name in found else dim
    return found


def _merge(maps: Sequence[Mapping[str, Dim] | None]) -> dict[str, Dim]:
    found: dict[str, Dim] = {}
    for dims in maps:
        for name, dim in (dims or {}).items():
            both = broadcast(((found[name],), (dim,))) if name in found else (dim,)
            found[name] = both[0] if both else None
    return found


def _letters(term: str, dims: Mapping[str, Dim]) -> list[str]:
    spare = sorted((name for name in dims if name.isdigit()), key=int, reverse=True)
    before, dots, after = term.partition("...")
    return [*before, *(spare if dots else ()), *after]


def _einsum(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    terms = _terms(word(node, "equation"))
    if terms is None or len(terms[0]) != len(ins):
        return (Tensor(at(ins, 0).dtype),)
    maps = [_named(term, tensor.shape) for term, tensor in zip(terms[0], ins, strict=True)]
    if any(dims is None for dims in maps):
        return (Tensor(at(ins, 0).dtype),)
    dims = _merge(maps)
    return (Tensor(at(ins, 0).dtype, tuple(dims.get(name) for name in _letters(terms[1], dims))),)


def _einsum_macs(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """Product of the lengths of all letters: one multiply-add per point of the index space.

    The first letter of the output is the batch and counts one when it is the first of an input too.
    A product of three or more operands is not counted: its cost depends on the order of contraction.
    """
    terms = _terms(word(node, "equation"))
    if terms is None or len(terms[0]) != len(ins) or len(ins) > 2:
        return None
    maps = [_named(term, tensor.shape) for term, tensor in zip(terms[0], ins, strict=True)]
    if any(dims is None for dims in maps):
        return None
    return _points(terms[1], _merge(maps))


def _points(output: str, dims: Mapping[str, Dim]) -> int | None:
    batch = _letters(output, dims)[:1]
    numbers = known(dim for name, dim in dims.items() if name not in batch)
    return None if numbers is None else prod(numbers)


def _einsum_dense(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source = at(ins, 0)
    stated = node.attrs.get("output_shape")
    if not source.shape or not isinstance(stated, tuple):
        return (Tensor(source.dtype),)
    rest = tuple(dim if isinstance(dim, int) else None for dim in stated)
    terms = _terms(word(node, "equation"))
    named = _named(terms[0][0], source.shape) if terms else None
    if terms is None or named is None:
        return (Tensor(source.dtype, (source.shape[0], *rest)),)
    letters = _letters(terms[1], named)
    # A letter that the kernel alone brings is stated; a letter of the input keeps its length.
    offset = len(letters) - len(rest)
    shape = [
        agree(named[name], rest[index - offset] if index >= offset else None)
        if name in named
        else (rest[index - offset] if index >= offset else None)
        for index, name in enumerate(letters)
    ]
    return (Tensor(source.dtype, tuple(shape)),)


def _einsum_dense_dims(node: Node, ins: Sequence[Tensor]) -> tuple[list[str], str, dict[str, Dim]] | None:
    terms = _terms(word(node, "equation"))
    if terms is None or len(terms[0]) != 2:
        return None
    named = _named(terms[0][0], at(ins, 0).shape)
    made = _named(terms[1], _einsum_dense(node, ins)[0].shape)
    return None if named is None or made is None else (terms[0], terms[1], {**made, **named})


def _einsum_dense_macs(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """Product of the lengths of all letters but the batch."""
    found = _einsum_dense_dims(node, ins)
    return None if found is None else _points(found[1], found[2])


def _einsum_dense_weights(node: Node, ins: Sequence[Tensor]) -> Sequence[Weight]:
    """Kernel with the axes of the equation's second term, bias with the axes in ``bias_axes``.

    Source: Keras ``EinsumDense.build``: bias axes are those of the output, ones after the first for the rest.
    """
    found = _einsum_dense_dims(node, ins)
    axes = word(node, "bias_axes")
    if found is None:
        kernel = Weight("kernel", None)
        return (kernel, Weight("bias", None)) if axes else (kernel,)
    terms, output, dims = found
    kernel = Weight("kernel", tuple(dims.get(name) for name in terms[1]))
    if not axes:
        return (kernel,)
    letters = _letters(output, dims)
    first = min((letters.index(name) for name in axes if name in letters), default=0)
    shape: Shape = tuple(dims.get(name) if name in axes else 1 for name in letters[first:])
    return (kernel, Weight("bias", shape))


def _dot(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    left, right, axes = at(ins, 0).shape, at(ins, 1).shape, _dot_axes(node, ins)
    if left is None or right is None or axes is None:
        return (Tensor(at(ins, 0).dtype),)
    kept = [dim for axis, dim in enumerate(left) if axis != axes[0]]
    kept += [dim for axis, dim in enumerate(right) if axis not in (0, axes[1])]
    return (Tensor(at(ins, 0).dtype, tuple(kept if len(kept) > 1 else [*kept, 1])),)


def _dot_axes(node: Node, ins: Sequence[Tensor]) -> tuple[int, int] | None:
    left, right, stated = at(ins, 0).shape, at(ins, 1).shape, integers(node, "axes")
    if left is None or right is None or not stated or len(stated) > 2:
        return None
    first, second = axis_of(stated[0], len(left)), axis_of(stated[-1], len(right))
    return None if first is None or second is None else (first, second)


def _dot_macs(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """Output elements of one sample · contracted length."""
    left, axes, elements = at(ins, 0).shape, _dot_axes(node, ins), per_sample(at(outs, 0).shape)
    inner = left[axes[0]] if left is not None and axes is not None else None
    return elements * inner if isinstance(inner, int) and elements is not None else None


def _bilinear(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    shape = at(ins, 0).shape
    return (Tensor(at(ins, 0).dtype, None if not shape else (*shape[:-1], integer(node, "units"))),)


def _bilinear_macs(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """Output elements · left features · right features."""
    left, right = at(ins, 0).shape or UNKNOWN.shape, at(ins, 1).shape or UNKNOWN.shape
    elements = per_sample(at(outs, 0).shape)
    inner = known((left[-1], right[-1])) if left and right else None
    return None if inner is None or elements is None else elements * prod(inner)


_LEARNED = frozenset({"learned", "linear"})

OPS = table(
    Op(
        "Dense",
        _dense,
        {"units": None, "use_bias": True, "axis": -1, "alpha": 1.0, "beta": 1.0, **KERNEL_START},
        _dense_macs,
        _dense_weights,
        _LEARNED,
    ),
    Op(
        "EinsumDense",
        _einsum_dense,
        {"equation": None, "output_shape": None, "bias_axes": None},
        _einsum_dense_macs,
        _einsum_dense_weights,
        _LEARNED,
    ),
    Op(
        "Embedding",
        _embedding,
        {"input_dim": None, "output_dim": None, "mask_zero": False},
        weights=_embedding_weights,
        traits=frozenset({"learned"}),
    ),
    Op("MatMul", _matmul, {}, matmul_macs, traits=frozenset({"product"})),
    Op(
        "Gemm",
        _gemm,
        {"transA": 0, "transB": 0, "alpha": 1.0, "beta": 1.0},
        _gemm_macs,
        traits=frozenset({"product"}),
    ),
    Op("Einsum", _einsum, {"equation": None}, _einsum_macs, traits=frozenset({"product"})),
    Op("Dot", _dot, {"axes": None, "normalize": False}, _dot_macs, traits=frozenset({"product"})),
    Op(
        "Bilinear",
        _bilinear,
        {"units": None, "use_bias": True},
        _bilinear_macs,
        traits=frozenset({"learned", "nonlinear"}),
    ),
)
