"""Op nodes of signals and patches: spectra, frames, and windows cut out of maps, with their shapes."""

from __future__ import annotations

from collections.abc import Mapping

from archlint.formats.keras.nodes.kept import shaped
from archlint.formats.keras.nodes.operands import OpCall, OpTranslator, whole, wholes
from archlint.graph import Dim, Shape
from archlint.ops.dims import plus, product, times, window_length


def _bins(length: Dim) -> Dim:
    """Frequencies of a real signal."""
    return length // 2 + 1 if isinstance(length, int) else None


def _size(op: OpCall, name: str) -> int | None:
    """A setting that is a whole number."""
    return whole(op.settings.get(name))


def _half_spectrum(op: OpCall) -> list[Shape]:
    """Real and imaginary part of a real signal's spectrum."""
    shape, stated = op.shape(), _size(op, "fft_length")
    made = None if not shape else (*shape[:-1], _bins(shape[-1] if stated is None else stated))
    return [made, made]


def _signal(op: OpCall) -> Shape:
    """The real signal of a half spectrum: its stated length, or the even one."""
    shape, stated = op.shape(), _size(op, "fft_length")
    if not shape:
        return None
    return (*shape[:-1], times(plus(shape[-1], -1), 2) if stated is None else stated)


def _spectrogram(op: OpCall) -> list[Shape]:
    """STFT: (…, frames, frequencies), real and imaginary; a centred signal is padded by half a frame."""
    shape, stride, frame = op.shape(), _size(op, "sequence_stride"), _size(op, "fft_length")
    if not shape or not stride or frame is None:
        return [None, None]
    padded = plus(shape[-1], 0 if op.settings.get("center") is False else frame // 2 * 2)
    made = (*shape[:-1], window_length(padded, frame, stride, 1, "valid"), _bins(frame))
    return [made, made]


def _from_spectrogram(op: OpCall) -> Shape:
    """ISTFT: the stated length, or what the frames cover without the padding of a centred signal."""
    shape, stride, frame = op.shape(), _size(op, "sequence_stride"), _size(op, "fft_length")
    stated = _size(op, "length")
    if not shape or len(shape) < 2 or stride is None or frame is None:
        return None
    # A centred signal loses half a frame at both ends.
    tail = frame if op.settings.get("center") is False else frame % 2
    covered = plus(times(plus(shape[-2], -1), stride), tail)
    return (*shape[:-2], covered if stated is None else stated)


def _frames(op: OpCall) -> Shape:
    """ExtractSequences: (…, frames, frame length)."""
    shape, length, stride = op.shape(), _size(op, "sequence_length"), _size(op, "sequence_stride")
    if not shape or not length or not stride:
        return None
    return (*shape[:-1], window_length(shape[-1], length, stride, 1, "valid"), length)


def _pair(op: OpCall, name: str, default: int) -> tuple[int, ...] | None:
    found = wholes(op.settings.get(name, default))
    return found * 2 if found is not None and len(found) == 1 else found


def _patches(op: OpCall) -> Shape:
    """ExtractPatches: a map of windows, each flattened with its channels."""
    shape, size = op.shape(), wholes(op.settings.get("size"))
    rank = len(size) if size is not None and len(size) > 1 else 2
    if not shape or size is None or len(shape) != rank + 2:
        return None
    size = size * rank if len(size) == 1 else size
    strides = wholes(op.settings.get("strides") or list(size))
    dilations = wholes(op.settings.get("dilation_rate", 1))
    padding = op.settings.get("padding", "valid")
    if strides is None or dilations is None or not isinstance(padding, str):
        return None
    strides, dilations = (one * rank if len(one) == 1 else one for one in (strides, dilations))
    first = op.settings.get("data_format") == "channels_first"
    spatial, channels = (shape[2:], shape[1]) if first else (shape[1:-1], shape[-1])
    if len(strides) != rank or len(dilations) != rank:
        return None
    rows = zip(spatial, size, strides, dilations, strict=True)
    made = tuple(window_length(*row, padding.lower()) for row in rows)
    depth = product((*size, channels))
    return (shape[0], depth, *made) if first else (shape[0], *made, depth)


def _unfolded(op: OpCall) -> Shape:
    """Unfold: (N, channels · window, windows) of a map (N, channels, height, width)."""
    shape = op.shape()
    settings = [_pair(op, key, default) for key, default in _FOLD]
    if shape is None or len(shape) != 4 or any(one is None or len(one) != 2 for one in settings):
        return None
    size, dilation, padding, stride = (one or (1, 1) for one in settings)
    counts = [
        window_length(shape[2 + axis], size[axis], stride[axis], dilation[axis], (padding[axis],) * 2)
        for axis in range(2)
    ]
    return (shape[0], product((shape[1], *size)), product(counts))


_FOLD = (("kernel_size", 1), ("dilation", 1), ("padding", 0), ("stride", 1))


def _folded(op: OpCall) -> Shape:
    """Fold: the map (N, channels, height, width) that windows were cut out of."""
    shape, size, made = op.shape(), _pair(op, "kernel_size", 1), _pair(op, "output_size", 1)
    if shape is None or len(shape) != 3 or size is None or made is None or not product(size):
        return None
    channels = shape[1] // (product(size) or 1) if isinstance(shape[1], int) else None  # type: ignore[operator]
    return (shape[0], channels, *made)


def _added_axis(op: OpCall) -> Shape:
    shape = op.shape()
    return None if shape is None else (*shape, 2)


def _sampled(op: OpCall) -> Shape:
    """MapCoordinates: the shape of the coordinates, without the axis that says which one they are."""
    shape = op.shape_of(1, "coordinates")
    return None if not shape else shape[1:]


def _asked(op: OpCall) -> Shape:
    """ScaleAndTranslate: the shape that is asked for."""
    return wholes(op.operand(1, "output_shape"))


def _complex(op: OpCall) -> Shape:
    shape = op.shape()
    return None if not shape else shape[:-1]


SIGNALS: Mapping[str, OpTranslator] = {
    "ExtractPatches": shaped(_patches),
    "ExtractSequences": shaped(_frames),
    "FFT": shaped(lambda op: [op.shape()] * 2),
    "FFT2": shaped(lambda op: [op.shape()] * 2),
    "Fold": shaped(_folded),
    "IFFT2": shaped(lambda op: [op.shape()] * 2),
    "IRFFT": shaped(_signal),
    "ISTFT": shaped(_from_spectrogram),
    "MapCoordinates": shaped(_sampled),
    "RFFT": shaped(_half_spectrum),
    "STFT": shaped(_spectrogram),
    "ScaleAndTranslate": shaped(_asked),
    "SobelEdges": shaped(_added_axis),
    "Unfold": shaped(_unfolded),
    "ViewAsComplex": shaped(_complex),
    "ViewAsReal": shaped(_added_axis),
}
"""Class of ``keras.ops`` → translator."""
