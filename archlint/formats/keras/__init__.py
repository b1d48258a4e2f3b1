"""Reading models that Keras saved: ``.keras``, ``.h5``, an unpacked folder, the JSON of an architecture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from archlint.errors import ReadError
from archlint.formats.base import ModelFile
from archlint.formats.keras.hazards import hazards_of, scan
from archlint.graph import Attr, Graph, Param

__all__ = ["read", "scan"]


def read(file: ModelFile) -> Graph:
    """The graph of a model that Keras saved; nothing in the file is run, weights stay on disk.

    Raises:
        ReadError: the file is damaged, holds no architecture, or is not a model of layers.
    """
    from archlint.formats.keras import files, models, training
    from archlint.formats.keras.builder import Builder

    saved = files.load(file)
    version = saved.keras_version
    builder = Builder(file.path, _major(version), stored=_stored(file))
    model = models.layer_of(saved.model, builder, ())
    if not models.is_model(model):
        raise ReadError(file.path, saved.model.where, _not_a_model(model.cls))
    found = models.build(builder, model, None)
    metadata: dict[str, Attr] = {}
    if version is not None:
        metadata["producer"] = f"keras {version}"
    if saved.backend is not None:
        metadata["backend"] = saved.backend
    graph = builder.graph(found.values)
    masks = builder.mask_inputs(found.values)
    if masks:
        metadata["mask_inputs"] = masks
    settings = training.settings(saved.compiled, found.names)
    return replace(
        graph,
        name=model.name,
        format=file.format,
        training=settings,
        metadata=metadata,
        hazards=hazards_of(file, saved),
    )


def _stored(file: ModelFile) -> Callable[[Sequence[str], Sequence[str], bool], tuple[Param, ...]] | None:
    """What looks up the weights of unknown layers; h5py is imported only when a model holds one."""
    if file.format not in ("keras", "keras-folder", "keras-h5"):
        return None

    def params(group: Sequence[str], address: Sequence[str], trainable: bool) -> tuple[Param, ...]:
        from archlint.formats.keras.weights import params_of

        return params_of(file.path, file.format, group, address, trainable)

    return params


def _major(version: str | None) -> int:
    first = (version or "").partition(".")[0]
    return int(first) if first in ("1", "2", "3") else 3


def _not_a_model(cls: str) -> str:
    return (
        f"the model is of the class '{cls[:80]}', which defines its layers in Python code that the file "
        "does not hold; save it as a functional model, or export it to ONNX"
    )
