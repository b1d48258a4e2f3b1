"""Layers that act at random while training, and preprocessing layers."""

from __future__ import annotations

from archlint.formats.keras.builder import Val
from archlint.formats.keras.call import Call, Translator
from archlint.formats.keras.layers.sliding import same
from archlint.graph import Attr, Dim, Param, TensorType
from archlint.ops.dims import window_length


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
    if call.kwargs.get("training") is True:
        attrs["training"] = True
    return [call.one("SpatialDropout", call.inputs[:1], attrs)]


def strings(call: Call) -> list[Val]:
    """StringLookup, IntegerLookup, TextVectorization: what decides the length of the output, no words."""
    config = call.config
    attrs: dict[str, Attr] = {"output_mode": config["output_mode"].text("int")}
    for key in ("max_tokens", "output_sequence_length"):
        if not config[key].is_null:
            attrs[key] = config[key].int()
    for key in ("pad_to_max_tokens", "invert"):
        if not config[key].is_null:
            attrs[key] = config[key].flag()
    words = config["vocabulary"].value
    if config["pad_to_max_tokens"].flag() and "max_tokens" in attrs:
        attrs["num_tokens"] = attrs["max_tokens"]
    elif isinstance(words, list):
        unknown = 0 if config["oov_token"].value in words else config["num_oov_indices"].int(1, low=0)
        attrs["num_tokens"] = len(words) + unknown
    elif not config["vocabulary_size"].is_null:
        attrs["num_tokens"] = config["vocabulary_size"].int(low=0)
    return [call.one(call.layer.cls, call.inputs[:1], attrs)]


def discretization(call: Call) -> list[Val]:
    """Discretization: the number of bins, from the boundaries when those are stated."""
    config = call.config
    attrs: dict[str, Attr] = {"output_mode": config["output_mode"].text("int")}
    if isinstance(config["bin_boundaries"].value, list):
        attrs["num_tokens"] = len(config["bin_boundaries"].value) + 1
    elif not config["num_bins"].is_null:
        attrs["num_tokens"] = config["num_bins"].int(low=1)
    return [call.one("Discretization", call.inputs[:1], attrs)]


def hashing(call: Call) -> list[Val]:
    """Hashing and HashedCrossing."""
    attrs: dict[str, Attr] = {
        "output_mode": call.config["output_mode"].text("int"),
        "num_tokens": call.config["num_bins"].int(low=1),
    }
    return [call.one(call.layer.cls, call.inputs[:1], attrs)]


_WHOLE_SPECTRUM = ("log", "magnitude", "psd", "angle", "stft")
"""Modes that need the real and the imaginary kernel."""


def stft(call: Call) -> list[Val]:
    """STFTSpectrogram: frames by frequencies, times the channels.

    Source: Keras ``STFTSpectrogram.compute_output_shape``; the shape is declared, as no op knows it.
    """
    config, axis, shape = call.config, call.channel_axis(), call.shape
    length = config["frame_length"].int(256, low=1)
    step = config["frame_step"].int(max(length // 2, 1), low=1)
    bins = config["fft_length"].int(2 ** (length - 1).bit_length(), low=1) // 2 + 1
    mode, layer = config["mode"].text("log"), call.layer
    parts = [part for part in ("real", "imag") if mode in (part, *_WHOLE_SPECTRUM)]
    kernels = [
        Param(
            f"{layer.path}/{part}_kernel", f"{part}_kernel", (length, 1, bins), layer.dtype, layer.trainable
        )
        for part in parts
    ]
    bins *= 2 if mode == "stft" else 1
    value = call.one("STFTSpectrogram", call.inputs[:1], {"channel_axis": axis}, extra=kernels)
    if shape is not None and len(shape) == 3:
        samples, channels = shape[3 - axis % 3], shape[axis]
        same_length = config["padding"].text("valid") == "same"
        frames = window_length(samples, length, step, 1, "same" if same_length else "valid")
        if config["expand_dims"].flag():
            made: tuple[Dim, ...] = (channels, frames, bins) if axis == 1 else (frames, bins, channels)
        else:
            width = bins * channels if isinstance(channels, int) else None
            made = (width, frames) if axis == 1 else (frames, width)
        call.builder.declare(value, TensorType(call.tensor(call.inputs[0]).dtype, (shape[0], *made)))
    return [value]


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
    "ContrastLimitedAdaptiveHistogramEqualization": same("Equalization"),
    "CenterCrop": same("CenterCrop", **_SIZED),
    "Discretization": discretization,
    "Dropout": dropout,
    "GaussianDropout": same("GaussianDropout", rate="float"),
    "GaussianNoise": same("GaussianNoise", stddev="float"),
    "HashedCrossing": hashing,
    "Hashing": hashing,
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
    "STFTSpectrogram": stft,
    "SpatialDropout1D": spatial_dropout,
    "SpatialDropout2D": spatial_dropout,
    "SpatialDropout3D": spatial_dropout,
    "StringLookup": strings,
    "TextVectorization": strings,
}
