"""Every layer class that Keras ships, and the nodes that a call of it becomes."""

from archlint.formats.keras.call import Translator
from archlint.formats.keras.layers.attention import ATTENTION
from archlint.formats.keras.layers.conv import CONV
from archlint.formats.keras.layers.dense import DENSE
from archlint.formats.keras.layers.norm import NORM
from archlint.formats.keras.layers.random import RANDOM
from archlint.formats.keras.layers.recurrent import RECURRENT
from archlint.formats.keras.layers.sliding import SLIDING
from archlint.formats.keras.layers.wrappers import WRAPPERS

__all__ = ["LAYERS"]

LAYERS: dict[str, Translator] = {
    **ATTENTION,
    **CONV,
    **DENSE,
    **NORM,
    **RANDOM,
    **RECURRENT,
    **SLIDING,
    **WRAPPERS,
}
"""Class name → translator. A class that is not here becomes ``Unknown``."""
