"""What older versions of Keras call things, and dtype policies."""

from __future__ import annotations

from collections.abc import Mapping

from archlint.formats.keras.raw import Json, Raw

RENAMED: Mapping[str, str] = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "Convolution1DTranspose": "Conv1DTranspose",
    "Convolution2DTranspose": "Conv2DTranspose",
    "Convolution3DTranspose": "Conv3DTranspose",
    "Deconvolution2D": "Conv2DTranspose",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    "TimeDistributedDense": "Dense",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "LSTMV1": "LSTM",
    "LSTMV2": "LSTM",
    "GRUV1": "GRU",
    "GRUV2": "GRU",
    **{f"MaxPool{rank}D": f"MaxPooling{rank}D" for rank in (1, 2, 3)},
    **{f"AvgPool{rank}D": f"AveragePooling{rank}D" for rank in (1, 2, 3)},
    **{f"GlobalMaxPool{rank}D": f"GlobalMaxPooling{rank}D" for rank in (1, 2, 3)},
    **{f"GlobalAvgPool{rank}D": f"GlobalAveragePooling{rank}D" for rank in (1, 2, 3)},
}
"""Class name of an alias or an older version → today's."""

KERAS1: Mapping[str, str] = {
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "subsample": "strides",
    "subsample_length": "strides",
    "border_mode": "padding",
    "dim_ordering": "data_format",
    "bias": "use_bias",
    "p": "rate",
    "sigma": "stddev",
    "inner_activation": "recurrent_activation",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "atrous_rate": "dilation_rate",
    "pool_length": "pool_size",
    "stride": "strides",
}
"""Keras 1 setting → today's (keras/legacy/interfaces.py of Keras 2)."""

LAYOUTS: Mapping[str, str] = {"tf": "channels_last", "th": "channels_first"}

_MARKS = frozenset(KERAS1) | {"nb_row", "output_dim", "kernel_dim1"}


def modern(cls: str, config: Raw, keras_major: int) -> Raw:
    """The settings of a layer in today's words; the same object when there is nothing to change."""
    if keras_major > 1 or not isinstance(config.value, dict) or not _MARKS.intersection(config.value):
        return config
    old = config.value
    new: dict[str, Json] = {KERAS1.get(key, key): value for key, value in old.items()}
    sizes = [old[key] for key in ("nb_row", "nb_col") if key in old]
    sizes = sizes or [old[key] for key in ("kernel_dim1", "kernel_dim2", "kernel_dim3") if key in old]
    if sizes:
        new["kernel_size"] = sizes
    if "output_dim" in old and cls != "Embedding":
        new["units"] = old["output_dim"]
    layout = new.get("data_format")
    if isinstance(layout, str):
        new["data_format"] = LAYOUTS.get(layout, layout)
    return config.replaced(new)


def variable_dtype(config: Raw) -> str:
    """Element type of a layer's weights under its dtype policy; "float32" unless stated."""
    name = _policy(config) or "float32"
    return "float32" if name.startswith("mixed_") else name


def compute_dtype(config: Raw) -> str | None:
    """Element type that a layer computes in under its dtype policy; None unless one is stated.

    Source: keras/src/dtype_policies/dtype_policy.py: "mixed_float16" computes in float16, keeps float32.
    """
    name = (_policy(config) or "").removeprefix("mixed_")
    return name if "float" in name else None


def _policy(config: Raw) -> str | None:
    """Name of the dtype policy that a layer states, without the quantisation on top of it."""
    policy = config["dtype"] if isinstance(config.value, dict) else config
    if isinstance(policy.value, dict):
        inner = policy["config"]
        if isinstance(inner.value, dict):
            policy = inner["name"] if "name" in inner else inner["source_name"]
    name = policy.value
    return name.rsplit("_from_", 1)[-1] or None if isinstance(name, str) else None
