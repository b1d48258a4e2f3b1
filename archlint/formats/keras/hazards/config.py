"""Code, foreign symbols and paths in the JSON of a saved model, nested models included.

Loading follows every ``{"module": …, "class_name": …}`` in the file
(keras/src/saving/serialization_lib.py), so
every object is looked at, wherever it stands; nothing is imported or decoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from archlint.formats.keras.hazards.symbols import LOADERS, symbol_hazard
from archlint.formats.keras.raw import Json, Raw
from archlint.graph import Attr, Hazard

Trail = tuple["Trail", str | int, Json] | None
"""The way to a value: the way to what holds it, its key there, and the value."""

MAX_TEXT = 80
"""Longest name that is repeated from a file; names are short, payloads are not."""

MAX_STEPS = 24
"""Most steps of the way to a hazard that are told; models nest 4 deep, in two steps each."""

_RESOURCES = frozenset({"vocabulary", "idf_weights", "filepath", "file_path", "vocabulary_path", "merges"})
"""Settings that keras.layers and keras_hub take as the path of a file to read (StringLookup,
TextVectorization, …)."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]{1,20}://")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def config_hazards(text: Raw, format_: str) -> Iterator[Hazard]:
    """The hazards in one text of a saved model, in its order; ``format_`` is that of the file.

    Walks without recursion: one step per list and object, however deep they nest.
    """
    archive = format_ in ("keras", "keras-folder")
    legacy = format_ == "keras-h5"
    waiting: list[tuple[Json, Trail]] = [(text.value, None)]
    while waiting:
        value, trail = waiting.pop()
        if isinstance(value, dict):
            found = list(_of_object(value, archive, legacy)) if "class_name" in value else []
            if not _RESOURCES.isdisjoint(value):
                found.extend(_of_settings(value, _holder(trail, text.value)))
            if found:
                where = ": ".join(part for part in (text.where, _words(trail)) if part)
                layer = _layer(value, trail)
                for kind, attrs in found:
                    yield Hazard(kind, where, {**attrs, "layer": layer} if layer else attrs)
            for key in reversed(value):
                if isinstance(value[key], dict | list):
                    waiting.append((value[key], (trail, key, value[key])))
        elif isinstance(value, list):
            for at in range(len(value) - 1, -1, -1):
                if isinstance(value[at], dict | list):
                    waiting.append((value[at], (trail, at, value[at])))


def _of_object(value: dict[str, Json], archive: bool, legacy: bool) -> Iterator[tuple[str, dict[str, Attr]]]:
    cls = value.get("class_name")
    if isinstance(cls, str):
        config = value.get("config")
        if cls == "__lambda__":
            yield "lambda-code", {"subject": "a function", "legacy": legacy}
        elif cls.rpartition(">")[2] == "Lambda" and isinstance(config, dict) and _holds_code(config):
            yield "lambda-code", {"subject": "a Lambda layer", "legacy": legacy}
        for found in (symbol_hazard(cls, value), _of_legacy_lambda(cls, config)):
            if found is not None:
                yield found[0], {"subject": shown(found[1]), "how": found[2], "legacy": legacy}
        name = config.get("name") if isinstance(config, dict) else None
        if archive and isinstance(name, str) and _leaves_its_folder(name):
            yield "layer-name-path", {"subject": shown(name), "how": leaving(name)}


def _of_settings(value: dict[str, Json], holder: Json) -> Iterator[tuple[str, dict[str, Attr]]]:
    """Paths among the settings of an object, except of one that is a hazard by itself."""
    if isinstance(holder, dict) and holder.get("class_name") in LOADERS:
        return
    for key in sorted(_RESOURCES & value.keys()):
        path = value[key]
        if isinstance(path, str) and len(path) <= 4096 and leaving(path):
            yield "resource-path", {"subject": key, "how": leaving(path)}


def _of_legacy_lambda(cls: str, config: Json) -> tuple[str, str, str] | None:
    """What a Lambda of Keras 1 or 2 says by ``function``, a name, and ``module``, where it stood."""
    if cls.rpartition(">")[2] != "Lambda" or not isinstance(config, dict):
        return None
    name, module = config.get("function"), config.get("module")
    if not isinstance(name, str) or not isinstance(module, str):
        return None
    return symbol_hazard("function", {"module": module, "config": name})


def _holds_code(config: dict[str, Json]) -> bool:
    """Whether a Lambda of Keras 1 or 2 keeps marshalled code: ``[code, defaults, closure]``, or so marked."""
    parts = ("function", "output_shape", "mask")
    if any(config.get(f"{part}_type") == "lambda" for part in parts):
        return True
    return isinstance(config.get("function"), list)


def leaving(path: str) -> str:
    """How a path leaves the folder that it is taken from; "" when it stays inside."""
    if _URL.match(path):
        return "a URL"
    if path.startswith(("/", "\\", "~")) or _DRIVE.match(path):
        return "an absolute path"
    if ".." in re.split(r"[\\/]", path):
        return "a path that goes up with '..'"
    return ""


def _leaves_its_folder(name: str) -> bool:
    return name == ".." or (("/" in name or "\\" in name) and leaving(name) != "")


def shown(text: str) -> str:
    """A name from a file, short and printable."""
    clean = "".join(char if char.isprintable() else "?" for char in text)
    return clean if len(clean) <= MAX_TEXT else clean[: MAX_TEXT - 1] + "…"


def _words(trail: Trail) -> str:
    """The way to a value in words; its innermost ``MAX_STEPS`` steps."""
    parts: list[str] = []
    while trail is not None:
        trail, key, value = trail
        name = layer_name(value) if isinstance(key, int) else ""
        parts.append(
            (f"[{key}]" if isinstance(key, int) else f".{shown(key)}") + (f" '{name}'" if name else "")
        )
        if len(parts) == MAX_STEPS and trail is not None:
            parts.append("…")
            break
    return "".join(reversed(parts)).removeprefix(".")


def _layer(value: dict[str, Json], trail: Trail) -> str:
    """Name of the innermost layer that a place lies in; "" when it lies in none."""
    while trail is not None:
        trail, key, value_there = trail
        if isinstance(key, int):
            name = layer_name(value_there)
            if name:
                return name
    return layer_name(value)


def _holder(trail: Trail, root: Json) -> Json:
    """What holds the value that a trail leads to."""
    return None if trail is None else root if trail[0] is None else trail[0][2]


def layer_name(value: Json) -> str:
    """The name of a serialised layer; "" for anything else."""
    if not isinstance(value, dict) or "class_name" not in value:
        return ""
    config = value.get("config")
    name = config.get("name") if isinstance(config, dict) else value.get("name")
    return shown(name) if isinstance(name, str) else ""
