"""Where a patched file goes."""

from __future__ import annotations

import os


def default_out(path: str) -> str:
    """The path of a patch when none is given: ``model.fixed.onnx`` beside ``model.onnx``."""
    stem, suffix = os.path.splitext(path.rstrip(os.sep))
    return f"{stem}.fixed{suffix}"
