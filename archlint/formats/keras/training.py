"""The settings that ``compile`` was given: losses, metrics, optimizer."""

from __future__ import annotations

from collections.abc import Sequence

from archlint.formats.keras.raw import Raw
from archlint.graph import Training


def settings(compiled: Raw, outputs: Sequence[str]) -> Training | None:
    """The compile settings; None when the model was saved without any."""
    return None
