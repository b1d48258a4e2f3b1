"""Arithmetic on dims and shapes that may be symbols or unknown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

from archlint.graph import MAX_ELEMENTS, Attr, Dim, Shape


def axis_of(axis: int | None, rank: int) -> int | None:
    """The axis counted from the front; None when there is no such axis."""
    if axis is None or not -rank <= axis < rank:
        return None
    return axis % rank


def axes_of(axes: Sequence[int] | None, rank: int) -> tuple[int, ...] | None:
    """Axes counted from the front, in the order given; None when one of them does not exist."""
    if axes is None:
        return None
    found = [axis_of(axis, rank) for axis in axes]
    known = tuple(axis for axis in found if axis is not None)
    return known if len(known) == len(found) else None


def known(dims: Iterable[Dim]) -> tuple[int, ...] | None:
    """The dims when all are numbers, else None."""
    found = []
    for dim in dims:
        if not isinstance(dim, int):
            return None
        found.append(dim)
    return tuple(found)


def size(shape: Shape) -> int | None:
    """Number of elements; None when a dim is not a number, or when no tensor has as many."""
    numbers = None if shape is None else known(shape)
    total = None if numbers is None else prod(numbers)
    return None if total is None or abs(total) > MAX_ELEMENTS else total


def per_sample(shape: Shape) -> int | None:
    """Number of elements of one sample: the batch axis counts one, whatever it is."""
    return None if shape is None else size(shape[1:])


def product(dims: Iterable[Dim]) -> Dim:
    """Product; a single symbol times ones stays that symbol, anything less clear is unknown."""
    total, symbols = 1, []
    for dim in dims:
        if isinstance(dim, int):
            total *= dim
        else:
            symbols.append(dim)
    if not symbols:
        return total
    if total == 0:
        return 0
    return symbols[0] if len(symbols) == 1 and total == 1 else None


def plus(dim: Dim, extra: Dim) -> Dim:
    """Sum; a symbol plus zero stays that symbol."""
    if isinstance(dim, int) and isinstance(extra, int):
        return dim + extra
    if extra == 0:
        return dim
    return extra if dim == 0 else None


def times(dim: Dim, factor: Dim) -> Dim:
    """Product of two."""
    return product((dim, factor))


def agree(left: Dim, right: Dim) -> Dim:
    """What holds of a dim that is both: the more exact of the two."""
    if isinstance(left, int) or right is None:
        return left
    return right if isinstance(right, int) or left is None else left


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """Shape after numpy broadcasting; a dim that could be either of two is unknown.

    Source: ONNX multidirectional broadcasting, https://onnx.ai/onnx/repo-docs/Broadcasting.html.
    """
    if any(shape is None for shape in shapes):
        return None
    ranked = [shape for shape in shapes if shape is not None]
    rank = max((len(shape) for shape in ranked), default=0)
    padded = [(1,) * (rank - len(shape)) + shape for shape in ranked]
    return tuple(_broadcast_dim([shape[axis] for shape in padded]) for axis in range(rank))


def _broadcast_dim(dims: Sequence[Dim]) -> Dim:
    wide = [dim for dim in dims if dim != 1]
    if not wide:
        return 1
    for dim in wide:
        if isinstance(dim, int):
            return dim
    return wide[0] if all(dim == wide[0] for dim in wide) else None


def spread(setting: tuple[int, ...] | None, rank: int, default: int = 1) -> tuple[int, ...] | None:
    """A setting per spatial axis: empty means the default for all, one number stands for all."""
    if setting is None:
        return None
    if not setting:
        return (default,) * rank
    if len(setting) == 1:
        return setting * rank
    return setting if len(setting) == rank else None


def pads_of(padding: Attr, rank: int) -> tuple[str | tuple[int, int], ...] | None:
    """Padding per spatial axis: a word ("valid", "same", …) or (before, after); None when malformed."""
    if isinstance(padding, str):
        return (padding,) * rank
    if not isinstance(padding, tuple) or len(padding) != rank:
        return None
    found: list[str | tuple[int, int]] = []
    for pair in padding:
        if not isinstance(pair, tuple) or len(pair) != 2:
            return None
        before, after = pair
        if not isinstance(before, int) or not isinstance(after, int):
            return None
        found.append((before, after))
    return tuple(found)


def window_length(
    length: Dim, kernel: int, stride: int, dilation: int, pad: str | tuple[int, int], ceil: bool = False
) -> Dim:
    """Length of one axis after a sliding window; unknown when the window does not fit.

    Source: Keras ``padding`` of Conv and pooling; ONNX Conv and MaxPool (auto_pad, ceil_mode): a window
    that would start in the padding after the end is dropped.
    """
    if kernel < 1 or stride < 1 or dilation < 1:
        return None
    reach = (kernel - 1) * dilation + 1
    if not isinstance(length, int):
        kept = pad in ("same", "same_lower", "causal") or reach - 1 == (
            0 if isinstance(pad, str) else sum(pad)
        )
        return length if stride == 1 and kept else None
    if isinstance(pad, str):
        if pad != "valid":
            return -(-length // stride)
        pad = (0, 0)
    room = length + pad[0] + pad[1] - reach
    if room < 0:
        return None
    if not ceil:
        return room // stride + 1
    steps = -(-room // stride) + 1
    return steps - 1 if (steps - 1) * stride >= length + pad[0] else steps


def transposed_length(
    length: Dim, kernel: int, stride: int, dilation: int, pad: str | tuple[int, int], extra: int | None
) -> Dim:
    """Length of one axis after a transposed convolution; ``extra`` is output_padding, None if not set.

    Source: Keras ``compute_conv_transpose_output_shape`` for padding words, ONNX ConvTranspose for
    explicit pads: stride · (n − 1) + extra + reach − pads.
    """
    if kernel < 1 or stride < 1 or dilation < 1:
        return None
    reach = (kernel - 1) * dilation + 1
    if isinstance(pad, str):
        if extra is None:
            if pad != "valid":
                return times(length, stride)
            extra = max(stride - reach, 0)
        # Keras pads "same" with reach // 2 on both sides once output_padding is given.
        pads = 0 if pad == "valid" else 2 * (reach // 2)
    else:
        pads = pad[0] + pad[1]
    grown = plus(times(length, stride), reach - stride - pads + (extra or 0))
    return grown if not isinstance(grown, int) or grown >= 0 else None
