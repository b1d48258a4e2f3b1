"""What each op means: settings, shape, cost, weights and traits, one module per family. Stdlib only.

``TABLE`` has every op by name. ``attr`` reads a setting with its default, ``has_trait`` asks for a word of
``TRAITS``. ``outputs_of``, ``macs_of`` and ``weights_of`` apply an op to one node; ``infer`` does so for a
whole graph and ``build`` adds the weights that a layer creates.
"""

from archlint.ops.base import UNKNOWN, Op, Tensor, Weight, Window
from archlint.ops.build import build
from archlint.ops.infer import Inference, infer, inference
from archlint.ops.table import (
    EVERY,
    TABLE,
    TRAITS,
    attr,
    has_trait,
    macs_of,
    outputs_of,
    weights_of,
    window_of,
)

__all__ = [
    "EVERY",
    "TABLE",
    "TRAITS",
    "UNKNOWN",
    "Inference",
    "Op",
    "Tensor",
    "Weight",
    "Window",
    "attr",
    "build",
    "has_trait",
    "infer",
    "inference",
    "macs_of",
    "outputs_of",
    "weights_of",
    "window_of",
]
