"""Getting the texts out of a saved model: a zip, a folder, an HDF5 file, a JSON file."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Mapping

from archlint.dataclass import dataclass
from archlint.errors import ReadError
from archlint.formats.base import MAX_TEXT_BYTES, ModelFile
from archlint.formats.keras.raw import Raw, parse_json

CONFIG, METADATA = "config.json", "metadata.json"


@dataclass(frozen=True, slots=True)
class Saved:
    """What a file says: the model's config, its compile settings, who wrote it; null where it is silent."""

    path: str
    model: Raw
    compiled: Raw
    keras_version: str | None
    backend: str | None = None


def load(file: ModelFile) -> Saved:
    """The texts of a saved model, parsed.

    Raises:
        ReadError: a member is missing, too large or damaged, or the file holds weights only.
    """
    try:
        return LOADERS[file.format](file.path)
    except OSError as e:
        raise ReadError(file.path, "", f"the file cannot be read: {e.strerror or e}") from e


def _from_zip(path: str) -> Saved:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if CONFIG not in names:
                raise ReadError(path, "", f"the archive has no {CONFIG}: {_instead(names)}")
            config = _member(archive, path, CONFIG)
            metadata = _member(archive, path, METADATA) if METADATA in names else b"{}"
    except zipfile.BadZipFile as e:
        raise ReadError(path, "", f"the zip archive is damaged or cut short: {e}") from e
    except (NotImplementedError, UnicodeDecodeError, ValueError) as e:
        raise ReadError(path, "", f"the zip archive cannot be read: {e}") from e
    return _with_metadata(path, config, metadata)


def _instead(names: list[str]) -> str:
    if any(name.endswith("saved_model.pb") for name in names):
        return "this is a zipped SavedModel, which archlint does not read"
    if "model.weights.h5" in names:
        return "it holds weights only; save the whole model with model.save()"
    return "it is not a model that Keras saved"


def _member(archive: zipfile.ZipFile, path: str, name: str) -> bytes:
    """Bytes of a member, never more than the limit whatever sizes the archive states."""
    info = archive.getinfo(name)
    if archive.namelist().count(name) > 1:
        raise ReadError(
            path, name, "the archive holds this member more than once; which one counts is not clear"
        )
    if info.flag_bits & 0x1:
        raise ReadError(path, name, "the member is encrypted")
    if info.file_size > MAX_TEXT_BYTES:
        raise ReadError(
            path, name, f"the member unpacks to {info.file_size} bytes, more than any architecture"
        )
    try:
        with archive.open(info) as member:
            data = member.read(MAX_TEXT_BYTES + 1)
    except (zlib.error, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as e:
        raise ReadError(path, name, f"the member is damaged: {e or 'cut short'}") from e
    if len(data) > MAX_TEXT_BYTES:
        raise ReadError(path, name, f"the member unpacks to more than {MAX_TEXT_BYTES} bytes")
    return data


def _from_folder(path: str) -> Saved:
    config = _text_file(path, os.path.join(path, CONFIG), CONFIG)
    metadata = os.path.join(path, METADATA)
    return _with_metadata(
        path, config, _text_file(path, metadata, METADATA) if os.path.exists(metadata) else b"{}"
    )


def _from_json(path: str) -> Saved:
    raw = parse_json(_text_file(path, path, ""), path, "")
    version, backend = raw["keras_version"].value, raw["backend"].value
    return Saved(path, raw, _compiled(raw), _word(version), _word(backend))


def _text_file(path: str, name: str, where: str) -> bytes:
    """Bytes of a regular file, bounded; anything else that bears the name is refused before it is opened."""
    info = os.stat(name)
    if not stat.S_ISREG(info.st_mode):
        raise ReadError(path, where, "this is not a regular file")
    if info.st_size > MAX_TEXT_BYTES:
        raise ReadError(path, where, f"the file has {info.st_size} bytes, more than any architecture")
    with open(name, "rb") as file:
        return file.read(MAX_TEXT_BYTES + 1)


def _with_metadata(path: str, config: bytes, metadata: bytes) -> Saved:
    model = parse_json(config, path, CONFIG)
    about = parse_json(metadata, path, METADATA)
    return Saved(path, model, _compiled(model), _word(about["keras_version"].value))


def _compiled(model: Raw) -> Raw:
    """The compile settings next to a Keras 3 config; null when there are none."""
    return model["compile_config"] if isinstance(model.value, dict) else Raw(None, model.path)


def _from_h5(path: str) -> Saved:
    from archlint.formats.keras.hdf5 import attributes  # h5py costs 60 ms to import

    found = attributes(path)
    if "model_config" not in found:
        raise ReadError(
            path,
            "",
            "the HDF5 file holds no architecture, only weights or other data; "
            "save the whole model with model.save(), or give its model.to_json()",
        )
    model = parse_json(found["model_config"], path, "model_config")
    training = found.get("training_config")
    compiled = Raw(None, path) if training is None else parse_json(training, path, "training_config")
    return Saved(path, model, compiled, _text(found.get("keras_version")), _text(found.get("backend")))


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "replace")[:64]


def _word(value: object) -> str | None:
    return value[:64] if isinstance(value, str) else None


LOADERS: Mapping[str, Callable[[str], Saved]] = {
    "keras": _from_zip,
    "keras-folder": _from_folder,
    "keras-h5": _from_h5,
    "keras-json": _from_json,
}
"""Format of a ``ModelFile`` → how its texts are found."""
