"""Layers that act at random while training, and preprocessing layers."""

from __future__ import annotations

from archlint.formats.keras.builder import Val
from archlint.formats.keras.call import Call, Translator
from archlint.formats.keras.layers.sliding import same
from archlint.graph import Attr


def dropout(call: Call) -> list[Val]:
    """Dropout; a noise shape is kept when the file states one."""
    shape = call.config["noise_shape"]
    attrs: dict[str, Attr] = {"rate": call.config["rate"].float()}
    if not shape.is_null:
        attrs["noise_shape"] = tuple(None if item.is_null else item.int() for item in shape.items())
    if call.kwargs.get("training") is True:
        attrs["training"] = True
    return [call.one("Dropout", call.inputs[:1], attrs)]


def spatial_dropout(call: Call) -> list[Val]:
    """SpatialDropout1D to 3D."""
    attrs: dict[str, Attr] = {"rate": call.config["rate"].float(), "channel_axis": call.channel_axis()}
    return [call.one("SpatialDropout", call.inputs[:1], attrs)]


def strings(call: Call) -> list[Val]:
    """StringLookup, IntegerLookup, TextVectorization: what decides the length of the output, no words."""
    config = call.config
    attrs: dict[str, Attr] = {"output_mode": config["output_mode"].text("int")}
    for key in ("max_tokens", "output_sequence_length", "num_oov_indices"):
        if not config[key].is_null:
            attrs[key] = config[key].int()
    for key in ("pad_to_max_tokens", "invert"):
        if not config[key].is_null:
            attrs[key] = config[key].flag()
    if isinstance(config["vocabulary"].value, list):
        attrs["vocabulary_size"] = len(config["vocabulary"].value)
    elif not config["vocabulary_size"].is_null:
        attrs["vocabulary_size"] = config["vocabulary_size"].int(low=0)
    return [call.one(call.layer.cls, call.inputs[:1], attrs)]


def discretization(call: Call) -> list[Val]:
    """Discretization: the number of bins, from the boundaries when those are stated."""
    config = call.config
    attrs: dict[str, Attr] = {"output_mode": config["output_mode"].text("int")}
    if isinstance(config["bin_boundaries"].value, list):
        attrs["num_bins"] = len(config["bin_boundaries"].value) + 1
    elif not config["num_bins"].is_null:
        attrs["num_bins"] = config["num_bins"].int(low=1)
    return [call.one("Discretization", call.inputs[:1], attrs)]


def rescaling(call: Call) -> list[Val]:
    """Rescaling; a scale per channel is a tuple."""
    attrs: dict[str, Attr] = {}
    for key in ("scale", "offset"):
        raw = call.config[key]
        if not raw.is_null:
            numbers = raw.numbers()
            attrs[key] = numbers if isinstance(raw.value, list | dict) else numbers[0]
    return [call.one("Rescaling", call.inputs[:1], attrs)]


_AUGMENTATIONS = (
    "AugMix",
    "AutoContrast",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "CutMix",
    "Equalization",
    "MaxNumBoundingBoxes",
    "MixUp",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "Solarization",
)
"""Image layers that keep the shape; what they do at random has no bearing on it."""

_SIZED = {"data_format": "layout", "height": "int", "width": "int"}

RANDOM: dict[str, Translator] = {
    **{name: same(name) for name in _AUGMENTATIONS},
    "ActivityRegularization": same("ActivityRegularization"),
    "AlphaDropout": same("AlphaDropout", rate="float"),
    "CategoryEncoding": same("CategoryEncoding", num_tokens="int", output_mode="text"),
    "CenterCrop": same("CenterCrop", **_SIZED),
    "Discretization": discretization,
    "Dropout": dropout,
    "GaussianDropout": same("GaussianDropout", rate="float"),
    "GaussianNoise": same("GaussianNoise", stddev="float"),
    "HashedCrossing": same("HashedCrossing", num_bins="int", output_mode="text"),
    "Hashing": same("Hashing", num_bins="int", output_mode="text"),
    "IntegerLookup": strings,
    "Masking": same("Masking", mask_value="float"),
    "MelSpectrogram": same(
        "MelSpectrogram", fft_length="int", sequence_stride="int", sequence_length="int", num_mel_bins="int"
    ),
    "RandomCrop": same("RandomCrop", **_SIZED),
    "RandomHeight": same("RandomHeight"),
    "RandomWidth": same("RandomWidth"),
    "Rescaling": rescaling,
    "Resizing": same("Resizing", **_SIZED, interpolation="text"),
    "STFTSpectrogram": same(
        "STFTSpectrogram",
        mode="text",
        frame_length="int",
        frame_step="int",
        fft_length="int",
        padding="text",
        expand_dims="flag",
        data_format="layout",
    ),
    "SpatialDropout1D": spatial_dropout,
    "SpatialDropout2D": spatial_dropout,
    "SpatialDropout3D": spatial_dropout,
    "StringLookup": strings,
    "TextVectorization": strings,
}
