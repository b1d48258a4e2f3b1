"""Samples for a model from what the user has: an ``.npz``, an ``.npy``, or a folder of images."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archlint.errors import UsageError
from archlint.graph import Array, TensorType

if TYPE_CHECKING:
    from archlint.facts import Facts

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
"""Suffixes of files that are read as images."""

MOST_BYTES = 4 * 2**30
"""Largest set of samples that is taken into memory."""

_SCALING = frozenset({"Rescaling", "Normalization", "Resizing"})
"""Ops that work on pixels from 0 to 255 when a model begins with one."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Input name → array, samples first, and a sentence on how they came about."""

    inputs: Mapping[str, Array]
    note: str

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))


def samples_for(facts: Facts, path: str) -> Samples:
    """The samples at a path, checked against the inputs of the model; nothing is unpickled.

    Raises: UsageError: they cannot be read, or do not fit.
    """
    if os.path.isdir(path):
        return _from_images(facts, path)
    arrays = _arrays(path)
    types = dict(facts.graph.inputs)
    named = {name: arrays[name] for name in types if name in arrays}
    if len(types) == 1 and not named and len(arrays) == 1:
        named = {next(iter(types)): next(iter(arrays.values()))}
    missing = sorted(types.keys() - named.keys())
    if missing:
        held = ", ".join(sorted(arrays)) or "no array"
        raise UsageError(f"{path}: it holds {held}; the model has the input '{missing[0]}'")
    fitted = {name: _fitting(path, name, array, types[name]) for name, array in named.items()}
    counts = {len(array) for array in fitted.values()}
    if len(counts) > 1:
        raise UsageError(f"{path}: its arrays hold different numbers of samples")
    return Samples(fitted, f"{counts.pop()} samples")


def _arrays(path: str) -> Mapping[str, Array]:
    import numpy as np

    try:
        if os.path.getsize(path) > MOST_BYTES:
            raise UsageError(f"{path}: more than {MOST_BYTES // 2**30} GiB of samples are not taken")
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return {"": found}
        return {name: found[name] for name in found.files}
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{path}: it cannot be read as .npz, .npy or a folder of images: {error}") from error


def _fitting(path: str, name: str, array: Array, type_: TensorType) -> Array:
    import numpy as np

    shape = type_.shape
    if shape is None or type_.dtype is None or array.dtype.kind not in "fiub":
        raise UsageError(
            f"{path}: the input '{name}' of the model, or the array for it, is of an unknown type"
        )
    same = array.ndim == len(shape) and all(
        not isinstance(dim, int) or dim == length
        for dim, length in zip(shape[1:], array.shape[1:], strict=False)
    )
    if not same:
        wanted = "×".join(str(dim) if isinstance(dim, int) else "?" for dim in shape[1:])
        held = "×".join(map(str, array.shape[1:]))
        raise UsageError(f"{path}: its samples are {held}; the input '{name}' takes {wanted}")
    return np.asarray(array, type_.dtype)


def _from_images(facts: Facts, path: str) -> Samples:
    import numpy as np

    if len(facts.graph.inputs) != 1:
        raise UsageError(f"{path}: a folder of images serves models of one input; give an .npz")
    name, type_ = facts.graph.inputs[0]
    shape = type_.shape or ()
    lengths = [dim for dim in shape[1:] if isinstance(dim, int)]
    first = len(lengths) == 3 and lengths[0] in (1, 3) and lengths[2] not in (1, 3)
    height, width, channels = (*lengths[1:], lengths[0]) if first else (*lengths, 0, 0, 0)[:3]
    if len(lengths) != 3 or channels not in (1, 3) or type_.dtype is None:
        raise UsageError(f"{path}: the input '{name}' takes no images of a known size; give an .npz")
    files = sorted(
        os.path.join(folder, file)
        for folder, _, names in os.walk(path)
        for file in names
        if os.path.splitext(file)[1].lower() in IMAGES
    )
    if not files:
        raise UsageError(f"{path}: there are no images in this folder")
    pixels = np.stack([_image(file, (width, height), channels) for file in files])
    begins = facts.graph.consumers.get(name, ())
    raw = np.dtype(type_.dtype).kind in "iu" or any(node.op in _SCALING for node in begins)
    scaled = pixels if raw else pixels / np.float32(255)
    array = np.moveaxis(scaled, -1, 1) if first else scaled
    span = "0 to 255" if raw else "0 to 1"
    note = f"{len(files)} images, made {height}×{width}, pixels from {span}"
    return Samples({name: np.ascontiguousarray(array, type_.dtype)}, note)


def _image(file: str, size: tuple[int, int], channels: int) -> Array:
    """(H, W, C), uint8."""
    import numpy as np

    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise UsageError("reading images needs Pillow (archlint[images]); or give an .npz") from error
    try:
        with Image.open(file) as image:
            plain = image.convert("L" if channels == 1 else "RGB").resize(size, Image.Resampling.BILINEAR)
            return np.asarray(plain, np.uint8).reshape(size[1], size[0], channels)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise UsageError(f"{file}: it cannot be read as an image: {error}") from error
