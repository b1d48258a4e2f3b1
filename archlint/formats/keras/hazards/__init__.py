"""What a saved Keras model would do to whoever loads it, as data: seen in its structure, never acted on.

``config`` looks at the JSON, ``archive`` at the members of the zip, ``ordinary`` proves that an HDF5 file
holds
nothing but groups and tensors of its own, and ``links`` says what it is that an unusual one holds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from archlint.errors import ReadError
from archlint.formats.base import MAX_HAZARDS, ModelFile
from archlint.formats.keras.files import Saved, load
from archlint.formats.keras.hazards.archive import archive_hazards
from archlint.formats.keras.hazards.config import config_hazards
from archlint.formats.keras.hazards.stores import store_hazards
from archlint.graph import Hazard


def hazards_of(file: ModelFile, saved: Saved | None) -> tuple[Hazard, ...]:
    """The hazards of a saved model, in the order config, archive, weights; ``saved`` is None if its texts
    do not read."""
    return tuple(hazard for _, hazard in zip(range(MAX_HAZARDS), _all(file, saved), strict=False))


def scan(file: ModelFile) -> tuple[Hazard, ...]:
    """The hazards of a file whose graph could not be built; what cannot be looked at adds none."""
    try:
        saved = load(file)
    except ReadError:
        saved = None
    return hazards_of(file, saved)


def _all(file: ModelFile, saved: Saved | None) -> Iterator[Hazard]:
    if saved is not None:
        texts = [saved.model]
        inside = isinstance(saved.model.value, dict) and saved.compiled.value is not None
        if saved.compiled.value is not None and not (inside and "compile_config" in saved.model):
            texts.append(saved.compiled)
        for text in texts:
            yield from config_hazards(text, file.format)
    if file.format == "keras":
        yield from archive_hazards(file.path)
    if file.format != "keras-json" and os.path.exists(file.path):
        yield from store_hazards(file)
