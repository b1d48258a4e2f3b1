"""How a layer's kernel starts and what pulls it back to zero: initialiser and regulariser."""

from __future__ import annotations

from archlint.formats.keras.raw import Raw
from archlint.formats.keras.training import snake
from archlint.graph import Attr

DEFAULT = "glorot_uniform"
"""Initialiser of a kernel that Keras takes unless told otherwise."""

_SCALING = {
    (1.0, "fan_avg"): "glorot",
    (1.0, "fan_in"): "lecun",
    (2.0, "fan_in"): "he",
}
"""Scale and mode of Keras's ``VarianceScaling`` → the name of that scheme (keras/src/initializers)."""

_ALIASES = {"zero": "zeros", "one": "ones", "uniform": "random_uniform", "normal": "random_normal"}


def kernel_start(config: Raw) -> dict[str, Attr]:
    """``kernel_init`` unless it is Keras's default, ``kernel_l1`` and ``kernel_l2`` where they are stated."""
    attrs: dict[str, Attr] = {}
    name = _initialiser(config["kernel_initializer"])
    if name not in ("", DEFAULT):
        attrs["kernel_init"] = name
    penalty = config["kernel_regularizer"]
    if isinstance(penalty.value, dict) and isinstance(penalty["config"].value, dict):
        for key in ("l1", "l2"):
            weight = penalty["config"][key].value
            if isinstance(weight, int | float) and not isinstance(weight, bool) and weight:
                attrs[f"kernel_{key}"] = float(weight)
    return attrs


def _initialiser(raw: Raw) -> str:
    """The snake_case name of an initialiser; "" for none, or one that the file does not name."""
    if isinstance(raw.value, str):
        return _ALIASES.get(raw.value.lower(), snake(raw.value))
    cls = raw.value.get("class_name") if isinstance(raw.value, dict) else None
    if not isinstance(cls, str):
        return ""
    name = snake(cls)
    settings = raw["config"]
    if name == "variance_scaling" and isinstance(settings.value, dict):
        scale, mode = settings["scale"].value, settings["mode"].value
        spread = settings["distribution"].value
        known = None
        if isinstance(scale, int | float) and isinstance(mode, str):
            known = _SCALING.get((scale, mode))
        if known is not None:
            return f"{known}_{'uniform' if spread == 'uniform' else 'normal'}"
    return _ALIASES.get(name, name)
