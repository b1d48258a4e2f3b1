"""Classes of a user's own, and what the config leaves to the weights file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from archlint.facts import Facts
from archlint.formats.base import ModelFile
from archlint.formats.keras import read
from archlint.graph import Graph
from archlint.ops import infer


def _tensor(layer: str, *shape: int | None) -> dict[str, Any]:
    history = {"shape": list(shape), "dtype": "float32", "keras_history": [layer, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": history}


def _layer(cls: str, config: dict[str, Any], *reads: dict[str, Any], **more: Any) -> dict[str, Any]:
    calls = [{"args": list(reads), "kwargs": {}}] if reads else []
    return {"class_name": cls, "config": config, "name": config["name"], "inbound_nodes": calls, **more}


def _model(*layers: dict[str, Any], output: str, size: int = 4) -> dict[str, Any]:
    start = _layer("InputLayer", {"name": "x", "batch_shape": [None, size]})
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [[output, 0, 0]]}
    return {"class_name": "Functional", "config": {"name": "m", "layers": [start, *layers], **ends}}


def _read(config: dict[str, Any], folder: Path) -> Graph:
    path = folder / "m.json"
    path.write_text(json.dumps(config))
    return read(ModelFile(str(path), "keras-json", path.stat().st_size))


def _read_h5(config: dict[str, Any], weights: dict[str, int], folder: Path) -> Graph:
    path = folder / "m.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        for name, size in weights.items():
            file[f"model_weights/{name}"] = np.zeros(size, "float32")
    return read(ModelFile(str(path), "keras-h5", path.stat().st_size))


def test_a_registered_class_without_the_settings_of_layers_is_a_layer(tmp_path: Path) -> None:
    settings = {"name": "dense_1", "width": 5}
    own = _layer("Add", settings, _tensor("x", None, 4), module=None, registered_name="mine>Add")
    (node,) = _read(_model(own, output="dense_1"), tmp_path).nodes
    assert "Unknown" == node.op


def test_the_weights_of_an_unknown_layer_are_found_in_an_h5_file(tmp_path: Path) -> None:
    own = _layer("mine>Scale", {"name": "scale", "trainable": True}, _tensor("x", None, 4))
    weights = {"scale/scale/gain": 4, "scale/scale/offset": 3, "other/other/kernel": 9}
    (node,) = _read_h5(_model(own, output="scale"), weights, tmp_path).nodes
    assert [("scale/scale/gain", 4), ("scale/scale/offset", 3)] == [(p.name, p.size) for p in node.params]


def test_a_layer_of_a_nested_model_has_only_its_own_weights_of_an_h5_file(tmp_path: Path) -> None:
    own = _layer("mine>Scale", {"name": "scale", "trainable": True}, _tensor("x", None, 4))
    inner = _model(own, output="scale")
    inner["config"]["name"] = "inner"
    outer = {**inner, "name": "inner", "inbound_nodes": [{"args": [_tensor("x", None, 4)], "kwargs": {}}]}
    weights = {"inner/m/scale/gain": 4, "inner/m/other/kernel": 9}
    graph = _read_h5(_model(outer, output="inner"), weights, tmp_path)
    assert [("inner/scale/m/scale/gain", 4)] == [(p.name, p.size) for p in graph.nodes[0].params]


def test_a_table_in_the_config_is_no_parameter(tmp_path: Path) -> None:
    table = {"class_name": "__numpy__", "config": {"value": [[0.5] * 4] * 6, "dtype": "float32"}}
    add = _layer("Add", {"name": "add"}, _tensor("x", None, 4), table, module="keras.src.ops.numpy")
    graph = _read(_model(add, output="add"), tmp_path)
    assert ["Constant", "Add"] == [node.op for node in graph.nodes]
    assert 0 == Facts(graph, 1).params


@pytest.mark.parametrize(("returns", "count"), [(False, 1), (True, 4)])
def test_a_stack_of_cells_returns_the_states_of_all(returns: bool, count: int, tmp_path: Path) -> None:
    cells = [
        {"class_name": cls, "config": {"name": cls, "units": units}}
        for cls, units in (("LSTMCell", 3), ("GRUCell", 5))
    ]
    stack = {"class_name": "StackedRNNCells", "config": {"cells": cells}}
    config = {"name": "rnn", "trainable": True, "cell": stack, "return_state": returns}
    model = _model(_layer("RNN", config, _tensor("x", None, 7, 4)), output="rnn")
    model["config"]["layers"][0]["config"]["batch_shape"] = [None, 7, 4]
    model["config"]["output_layers"] = [["rnn", 0, at] for at in range(count)]
    graph = _read(model, tmp_path)
    shapes = [infer(graph)[value].shape for value in graph.outputs]
    assert [("N", 5), ("N", 3), ("N", 3), ("N", 5)][:count] == shapes


def test_a_learned_vocabulary_is_as_long_as_the_file_says(tmp_path: Path) -> None:
    config = {"name": "words", "trainable": True, "output_mode": "multi_hot", "vocabulary_size": 6}
    graph = _read(
        _model(_layer("TextVectorization", config, _tensor("x", None, 4)), output="words"), tmp_path
    )
    assert ("N", 6) == infer(graph)["words"].shape


def test_a_loss_of_a_package_is_called_without_it(tmp_path: Path) -> None:
    config = _model(_layer("Dense", {"name": "fc", "units": 2}, _tensor("x", None, 4)), output="fc")
    loss = {"class_name": "mine>Huber", "config": {}}
    training = _read({**config, "compile_config": {"loss": loss, "optimizer": "lamb"}}, tmp_path).training
    assert training is not None
    assert training.optimizer is not None
    assert [("Huber", True)] == [(found.name, found.custom) for found in training.losses]
    assert ("lamb", False) == (training.optimizer.name, training.optimizer.custom)


def _keras_2(*layers: dict[str, Any], output: str, shape: list[int | None]) -> dict[str, Any]:
    start = {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": shape}}
    rows = [{**layer, "name": layer["config"]["name"]} for layer in (start, *layers)]
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [[output, 0, 0]]}
    model = {"class_name": "Functional", "config": {"name": "m", "layers": rows, **ends}}
    return {**model, "keras_version": "2.12.0"}


def test_batch_renormalisation_keeps_three_more_statistics(tmp_path: Path) -> None:
    norm = {"name": "norm", "axis": -1, "renorm": True}
    layer = {"class_name": "BatchNormalization", "config": norm, "inbound_nodes": [[["x", 0, 0, {}]]]}
    (node,) = _read(_keras_2(layer, output="norm", shape=[None, 6]), tmp_path).nodes
    assert 7 * 6 == sum(param.size or 0 for param in node.params)
    assert 2 * 6 == sum(param.size or 0 for param in node.params if param.trainable)


def test_a_locally_connected_layer_has_a_kernel_per_position(tmp_path: Path) -> None:
    config = {"name": "local", "filters": 4, "kernel_size": [3, 3], "strides": [1, 1], "padding": "valid"}
    layer = {"class_name": "LocallyConnected2D", "config": config, "inbound_nodes": [[["x", 0, 0, {}]]]}
    graph = _read(_keras_2(layer, output="local", shape=[None, 12, 10, 3]), tmp_path)
    assert (None, 10, 8, 4) == (None, *(infer(graph)["local"].shape or ())[1:])
    assert 8960 == Facts(graph, 1).params  # by Keras 2.12


@pytest.mark.parametrize(
    ("function", "settings", "shape"),
    [
        ("compat.v1.pad", {"paddings": [[0, 0], [1, 2], [0, 0]], "mode": "CONSTANT"}, (9, 8)),
        ("math.top_k", {"k": 3}, (6, 3)),
        ("compat.v1.norm", {"ord": "euclidean", "axis": -1, "keepdims": None}, (6,)),
    ],
)
def test_functions_of_tensorflow_1_are_known(
    function: str, settings: dict[str, Any], shape: tuple[int, ...], tmp_path: Path
) -> None:
    config = {"name": "f", "trainable": True, "function": function}
    layer = {"class_name": "TFOpLambda", "config": config, "inbound_nodes": [["x", 0, 0, settings]]}
    graph = _read(_keras_2(layer, output="f", shape=[None, 6, 8]), tmp_path)
    assert ("N", *shape) == infer(graph)["f"].shape


def test_where_reads_a_number_by_its_name_in_tensorflow(tmp_path: Path) -> None:
    config = {"name": "f", "trainable": True, "function": "where"}
    reads = ["x", 0, 0, {"x": ["x", 0, 0], "y": 0.0}]
    layer = {"class_name": "TFOpLambda", "config": config, "inbound_nodes": [reads]}
    graph = _read(_keras_2(layer, output="f", shape=[None, 6, 8]), tmp_path)
    assert ["Constant", "Where"] == [node.op for node in graph.nodes]
