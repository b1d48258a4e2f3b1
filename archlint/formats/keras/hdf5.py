"""Reading an HDF5 file: attributes of its root, and the headers of tensors. Links are never followed."""

from __future__ import annotations

from collections.abc import Mapping

import h5py

from archlint.errors import ReadError
from archlint.formats.base import MAX_TEXT_BYTES

WANTED = ("model_config", "training_config", "keras_version", "backend")


def attributes(path: str) -> Mapping[str, bytes]:
    """The texts that Keras keeps as attributes of the root group; an absent one is left out."""
    try:
        with h5py.File(path, "r") as file:
            return {name: text for name in WANTED if (text := _attribute(path, file, name)) is not None}
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as e:
        raise ReadError(path, "", f"the HDF5 file is damaged or cut short: {str(e)[:120]}") from e


def _attribute(path: str, file: h5py.File, name: str) -> bytes | None:
    key = name.encode()
    if not h5py.h5a.exists(file.id, key):
        return None
    stored = h5py.h5a.open(file.id, key)
    if stored.get_storage_size() > MAX_TEXT_BYTES or len(stored.shape) > 1:
        raise ReadError(path, name, f"the attribute is larger than {MAX_TEXT_BYTES} bytes or not a text")
    value = file.attrs[name]
    if hasattr(value, "tobytes") and getattr(value, "dtype", None) is not None and value.dtype.kind == "S":
        value = value.tobytes().rstrip(b"\0")
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    if not isinstance(value, bytes):
        raise ReadError(path, name, "the attribute is not a text")
    return value
