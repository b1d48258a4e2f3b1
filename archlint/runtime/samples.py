"""Samples for a model from what the user has: an ``.npz``, an ``.npy``, or a folder of images."""

from __future__ import annotations

import os
import shutil
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

from archlint.dataclass import dataclass
from archlint.errors import UsageError
from archlint.graph import Array, TensorType

if TYPE_CHECKING:
    from archlint.facts import Facts

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
"""Suffixes of files that are read as images."""

MOST_BYTES = 16 * 2**30
"""Samples that are unpacked on disk, from an ``.npz`` or images, at most; an ``.npy`` is read where it is."""

_SCALING = frozenset({"Rescaling", "Normalization", "Resizing"})
"""Ops that work on pixels from 0 to 255 when a model begins with one."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Input name → ``.npy`` file, samples first; the types that they are to have; how they came about."""

    files: Mapping[str, str]
    dtypes: Mapping[str, str]
    note: str


def samples_for(facts: Facts, path: str, folder: str) -> Samples:
    """The samples at a path, checked against the inputs of the model; nothing is unpickled.

    What has to be unpacked goes into ``folder``; the samples are never in memory all at once.

    Raises: UsageError: they cannot be read, or do not fit.
    """
    if os.path.isdir(path):
        return _from_images(facts, path, folder)
    types = dict(facts.graph.inputs)
    files = _files(path, list(types), folder)
    missing = sorted(types.keys() - files.keys())
    if missing:
        held = ", ".join(_names(path)) or "no array with a name"
        raise UsageError(f"{path}: it holds {held}; the model has the input '{missing[0]}'")
    counts = {_checked(path, name, file, types[name]) for name, file in files.items()}
    if len(counts) > 1:
        raise UsageError(f"{path}: its arrays hold different numbers of samples")
    dtypes = {name: str(types[name].dtype) for name in files}
    return Samples(files, dtypes, f"{counts.pop()} samples")


def _files(path: str, wanted: Sequence[str], folder: str) -> dict[str, str]:
    """Input name → ``.npy`` file; an array alone serves an input alone, whatever its name."""
    try:
        if not _is_packed(path):
            return {wanted[0]: os.path.abspath(path)} if len(wanted) == 1 else {}
        with zipfile.ZipFile(path) as archive:
            held = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            found = {name: held[name] for name in wanted if name in held}
            if not found and len(held) == len(wanted) == 1:
                found = {wanted[0]: next(iter(held.values()))}
            if sum(info.file_size for info in found.values()) > MOST_BYTES:
                raise UsageError(f"{path}: more than {MOST_BYTES // 2**30} GiB of samples are not unpacked")
            return {name: _unpacked(archive, info, folder) for name, info in found.items()}
    except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise _unreadable(path, error) from error


def _is_packed(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(2) == b"PK"


def _names(path: str) -> list[str]:
    """Those of the arrays of an ``.npz``."""
    if not _is_packed(path):
        return []
    with zipfile.ZipFile(path) as archive:
        return sorted(name.removesuffix(".npy") for name in archive.namelist())


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, folder: str) -> str:
    file = os.path.join(folder, f"sample-{len(os.listdir(folder))}.npy")
    with archive.open(info) as packed, open(file, "xb") as plain:
        shutil.copyfileobj(packed, plain, 2**20)
    return file


def _unreadable(path: str, error: Exception) -> UsageError:
    return UsageError(f"{path}: it cannot be read as .npz, .npy or a folder of images: {error}")


def _checked(path: str, name: str, file: str, type_: TensorType) -> int:
    """The number of samples in a file whose contents an input can take."""
    import numpy as np

    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable(path, error) from error
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
    return len(array)


def _from_images(facts: Facts, path: str, folder: str) -> Samples:
    import numpy as np

    if len(facts.graph.inputs) != 1:
        raise UsageError(f"{path}: a folder of images serves models of one input; give an .npz")
    name, type_ = facts.graph.inputs[0]
    lengths = [dim for dim in (type_.shape or ())[1:] if isinstance(dim, int)]
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
    begins = facts.graph.consumers.get(name, ())
    raw = np.dtype(type_.dtype).kind in "iu" or any(node.op in _SCALING for node in begins)
    shape = (len(files), channels, height, width) if first else (len(files), height, width, channels)
    if prod(shape) * np.dtype(type_.dtype).itemsize > MOST_BYTES:
        raise UsageError(f"{path}: more than {MOST_BYTES // 2**30} GiB of samples are not unpacked")
    place = os.path.join(folder, "images.npy")
    found = np.lib.format.open_memmap(place, "w+", np.dtype(type_.dtype), shape)
    for at, file in enumerate(files):
        pixels = _image(file, (width, height), channels)
        scaled = pixels if raw else pixels / np.float32(255)
        found[at] = np.moveaxis(scaled, -1, 0) if first else scaled
    found.flush()
    span = "0 to 255" if raw else "0 to 1"
    note = f"{len(files)} images, made {height}×{width}, pixels from {span}"
    return Samples({name: place}, {name: str(type_.dtype)}, note)


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
