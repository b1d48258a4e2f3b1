"""Op nodes of linear algebra: products as Einsum, rearrangements and decompositions with their shapes."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_letters

from archlint.formats.keras.builder import Val
from archlint.formats.keras.call import Arg
from archlint.formats.keras.nodes.kept import scalar, second, shaped, without_axes
from archlint.formats.keras.nodes.operands import OpCall, OpTranslator, whole, wholes
from archlint.graph import Dim, Shape
from archlint.ops.dims import axes_of, axis_of, broadcast, plus, product, times


def _contracted(op: OpCall, left: tuple[int, ...] | None, right: tuple[int, ...] | None) -> list[Val] | None:
    """The sum over these axes of the two operands; what is left stands in order, first operand first."""
    values = [op.value(op.operand(index, name), name) for index, name in enumerate(("x1", "x2"))]
    known = [value for value in values if value is not None]
    ranks = [len(shape) for value in known if (shape := op.call.tensor(value).shape) is not None]
    if len(ranks) != 2 or sum(ranks) > len(ascii_letters) or left is None or right is None:
        return None
    first, other = axes_of(left, ranks[0]), axes_of(right, ranks[1])
    if first is None or other is None or len(first) != len(other):
        return None
    one, two = list(ascii_letters[: ranks[0]]), list(ascii_letters[ranks[0] : sum(ranks)])
    for mine, its in zip(first, other, strict=True):
        two[its] = one[mine]
    summed = {one[axis] for axis in first}
    made = [letter for letter in (*one, *two) if letter not in summed]
    equation = f"{''.join(one)},{''.join(two)}->{''.join(made)}"
    return op.node("Einsum", known, {"equation": equation})


def _tensordot(op: OpCall) -> list[Val] | None:
    axes: Arg = op.settings.get("axes", 2)
    count = whole(axes)
    if count is not None:
        return _contracted(op, tuple(range(-count, 0)), tuple(range(count))) if 0 <= count < 16 else None
    if not isinstance(axes, list) or len(axes) != 2:
        return None
    return _contracted(op, wholes(axes[0]), wholes(axes[1]))


def _dot(op: OpCall) -> list[Val] | None:
    """numpy's dot: over the last axis of the first and the last but one of the second."""
    other = second(op)
    if not op.shape() or not other:
        return None
    return _contracted(op, (-1,), (-min(len(other), 2),))


def _outer(op: OpCall) -> Shape:
    sides = [op.shape(), second(op)]
    return tuple(None if side is None else product(side) for side in sides)


def _kron(op: OpCall) -> Shape:
    left, right = op.shape(), second(op)
    if left is None or right is None or len(left) != len(right):
        return None
    return tuple(times(a, b) for a, b in zip(left, right, strict=True))


def _cross(op: OpCall) -> Shape:
    """The product of vectors of three along the last axis; other axes are not followed."""
    left, right = op.shape(), second(op)
    usual = all(op.settings.get(key, -1) == -1 for key in ("axisa", "axisb", "axisc"))
    if (
        not left
        or not right
        or not usual
        or op.settings.get("axis") is not None
        or 3 not in (left[-1], right[-1])
    ):
        return None
    rest = broadcast([left[:-1], right[:-1]])
    return None if rest is None else (*rest, 3)


def _distances(op: OpCall) -> Shape:
    """(…, n, m): the distance of each of n points from each of m."""
    left, right = op.shape(), second(op)
    if left is None or right is None or len(left) < 2 or len(right) < 2:
        return None
    rest = broadcast([left[:-2], right[:-2]])
    return None if rest is None else (*rest, left[-2], right[-2])


def _corner(op: OpCall) -> tuple[Shape, Dim, Dim]:
    """The other axes of a stack of matrices, and its rows and columns by the settings axis1 and axis2."""
    shape = op.shape()
    if shape is None:
        return None, None, None
    found = axes_of([whole(op.settings.get(f"axis{n + 1}", n)) or 0 for n in range(2)], len(shape))
    if found is None or len(set(found)) < 2:
        return None, None, None
    rest = tuple(dim for axis, dim in enumerate(shape) if axis not in found)
    return rest, shape[found[0]], shape[found[1]]


def _diagonal(op: OpCall) -> Shape:
    rest, rows, columns = _corner(op)
    offset = whole(op.settings.get("offset", 0)) or 0
    if rest is None:
        return None
    if not isinstance(rows, int) or not isinstance(columns, int):
        return (*rest, None)
    return (*rest, max(0, min(rows + min(offset, 0), columns - max(offset, 0))))


def _diff(op: OpCall) -> Shape:
    """Each step shortens the axis by one."""
    shape, count = op.shape(), whole(op.settings.get("n", 1))
    axis = None if shape is None else axis_of(whole(op.settings.get("axis", -1)), len(shape))
    if shape is None or axis is None or count is None:
        return None
    length = plus(shape[axis], -count)
    kept = max(length, 0) if isinstance(length, int) else length
    return (*shape[:axis], kept, *shape[axis + 1 :])


def _rotated(op: OpCall) -> Shape:
    """A quarter turn exchanges the two axes."""
    shape, turns = op.shape(), whole(op.settings.get("k", 1))
    axes = None if shape is None else axes_of(wholes(op.settings.get("axes", [0, 1])), len(shape))
    if shape is None or turns is None or axes is None or len(axes) != 2:
        return None
    made = list(shape)
    if turns % 2:
        made[axes[0]], made[axes[1]] = shape[axes[1]], shape[axes[0]]
    return tuple(made)


def _trapezoid(op: OpCall) -> Shape:
    return without_axes(op, op.settings.get("axis", -1))


def _matrix(op: OpCall) -> tuple[tuple[Dim, ...], Dim, Dim] | None:
    """The leading axes of a stack of matrices, its rows and its columns."""
    shape = op.shape()
    return None if shape is None or len(shape) < 2 else (shape[:-2], shape[-2], shape[-1])


def _shorter(rows: Dim, columns: Dim) -> Dim:
    return min(rows, columns) if isinstance(rows, int) and isinstance(columns, int) else None


def _eigen(op: OpCall) -> list[Shape]:
    found = _matrix(op)
    return [None, None] if found is None else [(*found[0], found[1]), op.shape()]


def _lu(op: OpCall) -> list[Shape]:
    found = _matrix(op)
    return [None, None] if found is None else [op.shape(), (*found[0], _shorter(*found[1:]))]


def _qr(op: OpCall) -> list[Shape]:
    found = _matrix(op)
    if found is None:
        return [None, None]
    rest, rows, columns = found
    inner = _shorter(rows, columns) if op.settings.get("mode", "reduced") == "reduced" else rows
    return [(*rest, rows, inner), (*rest, inner, columns)]


def _svd(op: OpCall) -> list[Shape]:
    """U, S and V; S alone when only that is asked for."""
    found, alone = _matrix(op), op.settings.get("compute_uv") is False
    if found is None:
        return [None] * (1 if alone else 3)
    rest, rows, columns = found
    inner = _shorter(rows, columns)
    full = op.settings.get("full_matrices", True) is True
    sides = (rows, columns) if full else (inner, inner)
    values: Shape = (*rest, inner)
    return [values] if alone else [(*rest, rows, sides[0]), values, (*rest, sides[1], columns)]


def _inverse(op: OpCall) -> Shape:
    found = _matrix(op)
    return None if found is None else (*found[0], found[2], found[1])


def _fitted(op: OpCall) -> Shape:
    """Least squares: as many rows as the matrix has columns, with the columns of what is fitted."""
    left, right = op.shape(), second(op)
    return None if left is None or right is None or len(left) != 2 else (left[1], *right[1:])


def _leading(op: OpCall) -> Shape:
    found = _matrix(op)
    return None if found is None else found[0]


MATRICES: Mapping[str, OpTranslator] = {
    "CDist": shaped(_distances),
    "Cross": shaped(_cross),
    "Diagonal": shaped(_diagonal),
    "Diff": shaped(_diff),
    "Dot": _dot,
    "Eig": shaped(_eigen),
    "Eigh": shaped(_eigen),
    "Inner": lambda op: _contracted(op, (-1,), (-1,)),
    "Kron": shaped(_kron),
    "Logdet": shaped(_leading),
    "Lstsq": shaped(_fitted),
    "LuFactor": shaped(_lu),
    "MatrixRank": shaped(_leading),
    "Outer": shaped(_outer),
    "Pinv": shaped(_inverse),
    "Qr": shaped(_qr),
    "Rot90": shaped(_rotated),
    "SVD": shaped(_svd),
    "Slogdet": shaped(lambda op: [_leading(op)] * 2),
    "Solve": shaped(second),
    "SolveTriangular": shaped(second),
    "Tensordot": _tensordot,
    "Trace": shaped(lambda op: _corner(op)[0]),
    "Trapezoid": shaped(_trapezoid),
    "Vdot": shaped(scalar),
}
"""Class of ``keras.ops`` → translator."""
