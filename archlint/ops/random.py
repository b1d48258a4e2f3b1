"""Noise: layers that act only in training, generators of random numbers, and augmentation."""

from __future__ import annotations

from collections.abc import Sequence

from archlint.graph import Node, Shape
from archlint.ops.base import Op, Settings, Tensor, at, integer, integers, table, word
from archlint.ops.norm import keep


def _dropout(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """The input, and ONNX's mask."""
    masks = [Tensor("bool", at(ins, 0).shape)] * (len(node.outputs) - 1)
    return (*keep(node, ins), *masks)


def _stated(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return (Tensor(word(node, "dtype") or "float32", integers(node, "shape")),)


def _like(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    return (Tensor(word(node, "dtype") or at(ins, 0).dtype, at(ins, 0).shape),)


def _multinomial(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """(N, samples)."""
    source = at(ins, 0).shape
    shape: Shape = (source[0] if source else None, integer(node, "sample_size"))
    return (Tensor(word(node, "dtype") or "int32", shape),)


def _cropped(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    """Height and width as stated, other axes kept."""
    source = at(ins, 0)
    rank = len(source.shape or ())
    if source.shape is None or rank not in (3, 4):
        return (Tensor(source.dtype),)
    lengths = (integer(node, "height"), integer(node, "width"))
    first = 1 if integer(node, "channel_axis") == 1 else 0
    if rank == 3:
        shape = (*source.shape[:first], *lengths, *source.shape[first + 2 :])
    else:
        shape = (source.shape[0], *source.shape[1 : 1 + first], *lengths, *source.shape[3 + first :])
    return (Tensor(source.dtype, shape),)


_NOISE = frozenset({"random"})
_RATE: Settings = {"rate": None, "training": False}
_IMAGES = (
    "AugMix AutoContrast CutMix Equalization GaussianBlur JitterBoxes MaxNumBoundingBoxes MixUp Pipeline "
    "RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast "
    "RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHue "
    "RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness "
    "RandomShear RandomTranslation RandomZoom Solarization"
)
_AUGMENT = frozenset({"random", "augmentation", "preprocessing"})

OPS = table(
    Op("Dropout", _dropout, {"rate": 0.5, "noise_shape": None, "training": False}, traits=_NOISE),
    Op("SpatialDropout", keep, {**_RATE, "channel_axis": -1}, traits=_NOISE),
    Op("AlphaDropout", keep, {**_RATE, "noise_shape": None}, traits=_NOISE),
    Op("GaussianDropout", keep, _RATE, traits=_NOISE),
    Op("GaussianNoise", keep, {"stddev": None, "training": False}, traits=_NOISE),
    *(
        Op(name, _stated, {"shape": None, "dtype": None, "mean": 0.0, "scale": 1.0, "low": 0.0, "high": 1.0})
        for name in ("RandomNormal", "RandomUniform")
    ),
    *(
        Op(name, _like, {"dtype": None, "mean": 0.0, "scale": 1.0, "low": 0.0, "high": 1.0})
        for name in ("RandomNormalLike", "RandomUniformLike")
    ),
    Op("Bernoulli", _like, {"dtype": None}, traits=frozenset({"nonlinear"})),
    Op("Multinomial", _multinomial, {"dtype": None, "sample_size": 1}, traits=frozenset({"nonlinear"})),
    *(Op(name, keep, {"training": False}, traits=_AUGMENT) for name in _IMAGES.split()),
    Op(
        "RandomCrop",
        _cropped,
        {"height": None, "width": None, "channel_axis": -1},
        traits=frozenset({"augmentation", "preprocessing"}),
    ),
)
