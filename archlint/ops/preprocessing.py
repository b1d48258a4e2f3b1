"""Keras preprocessing layers, and ONNX's text and signal ops."""

from __future__ import annotations

from collections.abc import Sequence

from archlint.graph import Dim, Node, Shape
from archlint.ops.base import Op, Settings, Tensor, at, flag, given_integers, integer, table, word
from archlint.ops.dims import axis_of, broadcast
from archlint.ops.norm import keep
from archlint.ops.random import OPS as RANDOM


def _index(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """A whole number per element, or one vector per sample when counts are asked for."""
    source, mode = at(ins, 0), word(node, "output_mode") or "int"
    if mode == "int":
        return (Tensor("int64", source.shape),)
    if source.shape is None:
        return (Tensor(None),)
    head = source.shape if mode == "one_hot" and source.shape[-1:] != (1,) else source.shape[:-1]
    return (Tensor(None, (*head, integer(node, "num_tokens"))),)


def _text(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source = at(ins, 0).shape
    batch: Dim = source[0] if source else None
    if (word(node, "output_mode") or "int") == "int":
        return (Tensor("int64", (batch, integer(node, "output_sequence_length"))),)
    return (Tensor(None, (batch, integer(node, "num_tokens"))),)


def _spectrum_frames(length: Dim, frame: int | None, stride: int | None, padded: bool) -> Dim:
    if not isinstance(length, int) or not frame or not stride:
        return None
    return 1 + (length if padded else length - frame) // stride


def _mel(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """(…, mel bins, frames) of a waveform (…, samples). Source: Keras ``MelSpectrogram``."""
    source = at(ins, 0)
    if not source.shape:
        return (Tensor(source.dtype),)
    frames = _spectrum_frames(
        source.shape[-1], integer(node, "fft_length"), integer(node, "sequence_stride"), padded=True
    )
    return (Tensor(source.dtype, (*source.shape[:-1], integer(node, "num_mel_bins"), frames)),)


def _masking(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return keep(node, ins)


def _unknown_one(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return [Tensor() for _ in node.outputs]


def _dft(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """The transformed axis keeps its length (or takes the stated one); one-sided halves it; last axis 2.

    Source: ONNX DFT, https://onnx.ai/onnx/operators/onnx__DFT.html.
    """
    source = at(ins, 0)
    if source.shape is None:
        return (Tensor(source.dtype),)
    rank = len(source.shape)
    stated = given_integers(node, ins, "axis", 2)
    axis = axis_of(stated[0] if stated else None, rank)
    if axis is None or rank < 2 or axis == rank - 1:
        return (Tensor(source.dtype, (None,) * rank),)
    length = source.shape[axis]
    if len(node.inputs) > 1 and node.inputs[1]:
        asked = at(ins, 1).value
        length = asked[0] if asked and isinstance(asked[0], int) else None
    parts = 2
    if flag(node, "onesided"):
        if flag(node, "inverse"):
            parts = 1
            whole = 2 * (length - 1) if isinstance(length, int) else None
            length = length if len(node.inputs) > 1 and node.inputs[1] else whole
        else:
            length = length // 2 + 1 if isinstance(length, int) else None
    shape = (*source.shape[:axis], length, *source.shape[axis + 1 : -1], parts)
    return (Tensor(source.dtype, shape),)


def _stft(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """(N, frames, bins, 2) of a signal (N, length, 1 or 2)."""
    signal, step, window, asked = (at(ins, index) for index in range(4))
    frame: Dim = None
    if asked.value and isinstance(asked.value[0], int):
        frame = asked.value[0]
    elif window.shape:
        frame = window.shape[0]
    if signal.shape is None or len(signal.shape) < 2:
        return (Tensor(signal.dtype),)
    stride = step.value[0] if step.value and isinstance(step.value[0], int) else None
    frames = _spectrum_frames(signal.shape[1], frame if isinstance(frame, int) else None, stride, False)
    bins = frame // 2 + 1 if flag(node, "onesided") and isinstance(frame, int) else frame
    return (Tensor(signal.dtype, (signal.shape[0], frames, bins, 2)),)


def _window(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    asked = at(ins, 0).value
    length = asked[0] if asked and isinstance(asked[0], int) else None
    return (Tensor(word(node, "output_datatype") or "float32", (length,)),)


def _mel_matrix(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """(spectrogram bins, mel bins)."""
    bins, length = at(ins, 0).value, at(ins, 1).value
    rows = length[0] // 2 + 1 if length and isinstance(length[0], int) else None
    columns = bins[0] if bins and isinstance(bins[0], int) else None
    return (Tensor(word(node, "output_datatype") or "float32", (rows, columns)),)


def _strings(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """Normalised strings: as many as there were, fewer when stop words are dropped."""
    source = at(ins, 0).shape
    shape: Shape = None
    if source is not None:
        shape = (*source[:-1], None) if node.attrs.get("stopwords") else source
    return (Tensor("string", shape),)


def _split_strings(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source = at(ins, 0).shape
    return (
        Tensor("string", None if source is None else (*source, None)),
        Tensor("int64", source),
    )


def _counts(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """(…, largest n-gram index + 1)."""
    source, indexes = at(ins, 0).shape, node.attrs.get("ngram_indexes")
    numbers = [item for item in indexes if isinstance(item, int)] if isinstance(indexes, tuple) else []
    width = max(numbers) + 1 if numbers else None
    return (Tensor("float32", None if source is None else (*source[:-1], width)),)


def _joined_strings(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return (Tensor("string", broadcast([at(ins, 0).shape, at(ins, 1).shape])),)


def _matched(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return (Tensor("bool", at(ins, 0).shape),)


def _image(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    channels = 1 if word(node, "pixel_format") == "Grayscale" else 3
    return (Tensor("uint8", (None, None, channels)),)


_PRE = frozenset({"preprocessing"})
_LOOKUP = frozenset({"preprocessing", "nonlinear"})
_TOKENS: Settings = {"output_mode": "int", "num_tokens": None}
_SIZE: Settings = {"height": None, "width": None, "channel_axis": -1}
_SIGNAL = frozenset({"nonlinear"})
_cropped = RANDOM["RandomCrop"].shape

OPS = table(
    Op("Resizing", _cropped, {**_SIZE, "interpolation": "bilinear"}, traits=_PRE | {"resampling"}),
    Op("CenterCrop", _cropped, _SIZE, traits=_PRE),
    Op("Masking", _masking, {"mask_value": 0.0}, traits=frozenset({"nonlinear", "elementwise"})),
    *(
        Op(name, _index, _TOKENS, traits=_LOOKUP)
        for name in (
            "Discretization",
            "CategoryEncoding",
            "Hashing",
            "StringLookup",
            "IntegerLookup",
            "HashedCrossing",
        )
    ),
    Op("TextVectorization", _text, {**_TOKENS, "output_sequence_length": None}, traits=_LOOKUP),
    Op(
        "MelSpectrogram",
        _mel,
        {"fft_length": 2048, "sequence_stride": 512, "num_mel_bins": 128},
        traits=_LOOKUP,
    ),
    Op("STFTSpectrogram", _unknown_one, traits=_LOOKUP),
    Op("FeatureSpace", _unknown_one, traits=_LOOKUP),
    Op("DFT", _dft, {"axis": -2, "inverse": 0, "onesided": 0}, traits=_SIGNAL),
    Op("STFT", _stft, {"onesided": 1}, traits=_SIGNAL),
    *(
        Op(name, _window, {"output_datatype": None, "periodic": 1})
        for name in ("HannWindow", "HammingWindow", "BlackmanWindow")
    ),
    Op("MelWeightMatrix", _mel_matrix, {"output_datatype": None}),
    Op(
        "StringNormalizer",
        _strings,
        {"case_change_action": "NONE", "is_case_sensitive": 0, "locale": None, "stopwords": ()},
        traits=_LOOKUP,
    ),
    Op("StringSplit", _split_strings, {"delimiter": None, "maxsplit": None}, traits=_LOOKUP),
    Op("StringConcat", _joined_strings, traits=_LOOKUP),
    Op("RegexFullMatch", _matched, {"pattern": None}, traits=_LOOKUP),
    Op(
        "TfIdfVectorizer",
        _counts,
        {"ngram_indexes": None, "ngram_counts": None, "mode": None, "weights": None, "pool_int64s": None},
        traits=_LOOKUP,
    ),
    Op("ImageDecoder", _image, {"pixel_format": "RGB"}, traits=_LOOKUP),
)
