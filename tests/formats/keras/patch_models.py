"""Keras models made without a framework, saved in each format with weights, and edits on what was read."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from archlint.formats import find, read
from archlint.formats.base import ModelFile
from archlint.formats.keras.places import slots
from archlint.graph import Graph, Made, Node, Origin, SetInput, Splice, TensorType

SIZE, CLASSES = 8, 3
COMPILED = {
    "optimizer": {"module": "keras.optimizers", "class_name": "Adam", "config": {"name": "adam"}},
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy"],
}
VERSIONS = ("3.15.1", "2.15.0")


def layer(cls: str, name: str, version: str, **settings: object) -> dict:
    config = {"name": name, "trainable": True, "dtype": "float32", **settings}
    entry = {"class_name": cls, "config": config}
    return {"module": "keras.layers", **entry, "registered_name": None} if version[0] == "3" else entry


def input_layer(name: str, shape: list, version: str) -> dict:
    key = "batch_shape" if version[0] == "3" else "batch_input_shape"
    config = {key: shape, "dtype": "float32", "name": name}
    return {**layer("InputLayer", name, version), "config": config}


def reads(entry: dict, *names: str, version: str, many: bool = False) -> dict:
    """The entry as a layer of a functional model."""
    entry["name"] = entry["config"]["name"]
    if version[0] != "3":
        entry["inbound_nodes"] = [[[name, 0, 0, {}] for name in names]] if names else []
        return entry
    tensors = [
        {
            "class_name": "__keras_tensor__",
            "config": {"shape": None, "dtype": "float32", "keras_history": [name, 0, 0]},
        }
        for name in names
    ]
    args = {"args": [tensors if many else tensors[0]] if tensors else [], "kwargs": {}}
    entry["inbound_nodes"] = [args] if names else []
    return entry


def sequential(name: str, layers: list, version: str) -> dict:
    entry = {"class_name": "Sequential", "config": {"name": name, "layers": layers}}
    return {"module": "keras", **entry} if version[0] == "3" else entry


def functional(name: str, layers: list, version: str) -> dict:
    ends = {"input_layers": [[layers[0]["name"], 0, 0]], "output_layers": [[layers[-1]["name"], 0, 0]]}
    entry = {"class_name": "Functional", "config": {"name": name, "layers": layers, **ends}}
    return {"module": "keras", **entry} if version[0] == "3" else entry


def saved(folder: Path, model: dict, kind: str, version: str, seed: int = 0) -> ModelFile:
    """The model as a file of a format, every tensor filled with numbers of its own."""
    (folder / "bare.json").write_text(json.dumps({**model, "keras_version": version}))
    (bare,) = find([str(folder / "bare.json")])
    rows = list(slots(bare, read(bare)))
    numbers = np.random.default_rng(seed).normal(size=100_003)
    made = {
        row.param.name: np.resize(np.roll(numbers, index).astype(row.param.dtype), row.param.shape)
        for index, row in enumerate(rows)
    }
    model = {**model, "compile_config": COMPILED}
    path = (
        folder / {"keras": "m.keras", "keras-folder": "m", "keras-h5": "m.h5", "keras-json": "m.json"}[kind]
    )
    if kind == "keras-json":
        path.write_text(json.dumps({**model, "keras_version": version}))
    elif kind == "keras-h5":
        _legacy(path, model, version, rows, made)
    else:
        _numbered(folder / "w.h5", rows, made)
        _packed(path, model, version, folder / "w.h5", kind == "keras-folder")
    (file,) = find([str(path)])
    assert kind == file.format
    return file


def _numbered(path: Path, rows: list, made: dict) -> None:
    with h5py.File(path, "w") as file:
        for row in rows:
            name = "/".join((*row.group, "vars", str(row.index)))
            if name not in file:
                file[name] = made[row.param.name]
        file.require_group("layers").require_group("flatten/vars")
        trained = [row.param.name for row in rows if row.param.trainable]
        file["optimizer/vars/0"] = np.int64(7)
        for index, name in enumerate(dict.fromkeys(trained)):
            file[f"optimizer/vars/{index + 1}"] = made[name]
        file["metrics/mean/vars/0"] = np.float32(1)
        file["unknown"] = np.arange(3)


def _packed(path: Path, model: dict, version: str, weights: Path, folder: bool) -> None:
    texts = {"metadata.json": json.dumps({"keras_version": version}), "config.json": json.dumps(model)}
    if folder:
        path.mkdir()
        (path / "assets").mkdir()
        (path / "assets" / "words.txt").write_text("one\ntwo\n")
        weights.rename(path / "model.weights.h5")
        for name, text in texts.items():
            (path / name).write_text(text)
        return
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
        archive.write(weights, "model.weights.h5")
        archive.writestr("assets/words.txt", "one\ntwo\n")


def _legacy(path: Path, model: dict, version: str, rows: list, made: dict) -> None:
    suffix = "" if version[0] == "3" else ":0"
    layers = model["config"]["layers"]
    with h5py.File(path, "w") as file:
        bare = {key: item for key, item in model.items() if key not in ("module", "compile_config")}
        file.attrs["model_config"] = json.dumps(bare)
        file.attrs["training_config"] = json.dumps({**COMPILED, "optimizer_config": COMPILED["optimizer"]})
        file.attrs["keras_version"] = version
        top = file.create_group("model_weights")
        top.attrs["layer_names"] = [entry["config"]["name"] for entry in layers]
        for entry in layers:
            name = entry["config"]["name"]
            group = top.create_group(name)
            mine = {row.param.name: row.param for row in rows if row.top == name}
            ordered = sorted(mine.values(), key=lambda param: not param.trainable)
            for param in ordered:
                group[f"{param.name}{suffix}"] = made[param.name]
            names = [f"{param.name}{suffix}".encode() for param in ordered]
            group.attrs["weight_names"] = np.array(names) if names else np.array([], "S1")
        file["optimizer_weights/adam/iteration"] = np.int64(7)
        file["unknown"] = np.arange(3)


def bypass(graph: Graph, name: str) -> Splice:
    node = graph.by_name[name]
    return Splice(frozenset({name}), moved={name: node.inputs[0]})


def insert(graph: Graph, value: str, node: Node) -> Splice:
    """A node between a value and all that read it."""
    parents = graph.producers[value].origin.address[:-1] if value in graph.producers else ()
    name = "/".join((*parents, node.name))
    placed = replace(
        node, name=name, inputs=(value,), outputs=(name,), origin=Origin("", (*parents, node.name))
    )
    return Splice(added=(placed,), moved={value: name})


def changed(graph: Graph, name: str, **attrs: object) -> Splice:
    """A node whose settings are others; None takes a setting back to its default."""
    node = graph.by_name[name]
    kept = {key: item for key, item in {**node.attrs, **attrs}.items() if item is not None}
    return Splice(frozenset({name}), (replace(node, attrs=kept),))


def doubled(graph: Graph, name: str) -> Splice:
    """A node whose kernel holds twice the numbers."""
    node = graph.by_name[name]
    kernel = node.param("kernel")
    assert kernel is not None
    made = Made((kernel.name,), lambda values: values * np.float32(2))
    return Splice(frozenset({name}), (node,), {}, {kernel.name: made})


def without_bias(graph: Graph, name: str) -> Splice:
    node = graph.by_name[name]
    params = tuple(param for param in node.params if param.role != "bias")
    return Splice(frozenset({name}), (replace(node, attrs={**node.attrs, "use_bias": False}, params=params),))


def unlocked(graph: Graph, flatten: str, dense: str) -> list[Splice | SetInput]:
    """Flatten and Dense become a convolution over the whole map, and global pooling takes its place."""
    from archlint.ops import infer

    source, node = graph.by_name[flatten].inputs[0], graph.by_name[dense]
    shape = infer(graph)[source].shape
    assert shape is not None
    kernel = node.param("kernel")
    assert kernel is not None
    whole = (*shape[1:], node.attrs["units"])
    attrs = {key: item for key, item in node.attrs.items() if key != "units"}
    conv = replace(
        node,
        op="Conv",
        inputs=(source,),
        attrs={**attrs, "filters": node.attrs["units"], "kernel": shape[1:-1]},
        params=(replace(kernel, shape=whole), *node.params[1:]),
        origin=Origin("", node.origin.address),
    )
    last = f"{dense}/relu" if f"{dense}/relu" in graph.by_name else dense
    pool = Node("pooled", "GlobalAveragePool", (last,), ("pooled",), {}, (), (), Origin("", ("pooled",)))
    made = Made((kernel.name,), lambda values: values.reshape(whole))
    name, type_ = graph.inputs[0]
    return [
        Splice(frozenset({flatten, dense}), (conv,), {}, {kernel.name: made}),
        Splice(added=(pool,), moved={last: "pooled"}),
        SetInput(name, TensorType(type_.dtype, ("N", None, None, (type_.shape or ())[-1]))),
    ]
