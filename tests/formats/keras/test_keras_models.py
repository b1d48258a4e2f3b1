"""Models as Keras writes them become one graph: names, sharing, nesting, dialects, compile settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archlint.errors import ReadError
from archlint.formats.base import ModelFile
from archlint.formats.keras import builder, read
from archlint.graph import Graph, parse, render, validate
from archlint.ops import infer

FIXTURES = Path(__file__).parents[2] / "fixtures" / "keras"
FORMATS = {".keras": "keras", ".h5": "keras-h5", ".json": "keras-json"}
FILES = sorted(path for path in FIXTURES.rglob("*") if path.suffix in FORMATS)


def _load(path: Path) -> Graph:
    graph = read(ModelFile(str(path), FORMATS[path.suffix], path.stat().st_size))
    assert validate(graph) == []
    assert parse(render(graph)) == graph
    return graph


def _graph(config: Any, tmp_path: Path) -> Graph:
    path = tmp_path / "model.json"
    path.write_text(json.dumps(config))
    return _load(path)


def _size(graph: Graph) -> int:
    sizes = {param.name: param.size for node in graph.nodes for param in node.params if param.role != "value"}
    return sum(size or 0 for size in sizes.values())


PARAMS = {
    "sequential": 112 + 16 + 36 * 3 + 3,
    "branches": 112 + 25 + 11 + 44,
    "sequence": 80 + 2 * (4 * 12 + 3 * 12 + 12) + 28 + (4 * 9 + 3 * 9 + 18) + 8,
    "arithmetic": 40 + 16 + 112 * 2 + 2,
    "attention": 288 + 16 + 72,
    "strangers": 20 + 14 + 5,
    "frozen": 112 + 145,
    "tensorflow_ops": 222 + 38,
}
"""Model of make.py → its parameters, counted by hand."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FIXTURES)))
def test_every_dialect_has_the_same_parameters(path: Path) -> None:
    graph = _load(path)
    in_weights_file = 14 if path.stem == "strangers" and path.suffix != ".keras" else 0
    assert PARAMS[path.stem] - in_weights_file == _size(graph)
    assert [] == [node.name for node in graph.nodes if node.op == "Unknown" and path.stem != "strangers"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FIXTURES)))
def test_every_output_has_a_known_shape(path: Path) -> None:
    graph = _load(path)
    tensors = infer(graph)
    for value in graph.outputs:
        shape = tensors[value].shape
        assert shape is not None
        assert all(isinstance(dim, int) for dim in shape[1:])


def _one(stem: str, suffix: str = ".json") -> Graph:
    return _load(next(path for path in FILES if path.stem == stem and path.suffix == suffix))


def test_a_layer_that_is_called_twice_is_two_nodes_with_one_set_of_params() -> None:
    graph = _one("branches")
    first, second = graph.by_name["shared"], graph.by_name["shared:1"]
    assert [param.name for param in first.params] == [param.name for param in second.params]
    assert first.origin == second.origin
    assert first.inputs != second.inputs


def test_a_nested_model_is_inlined_with_its_path() -> None:
    graph = _one("branches")
    first, second = graph.by_name["base/conv"], graph.by_name["base/conv:1"]
    assert ("base", "conv") == first.origin.address == second.origin.address
    assert ("left",) == first.inputs
    assert ("right",) == second.inputs
    assert "base/conv/kernel" == first.params[0].name == second.params[0].name


def test_a_frozen_model_freezes_what_it_holds() -> None:
    graph = _one("frozen")
    assert [False, False] == [param.trainable for param in graph.by_name["base/conv"].params]
    assert [True, True] == [param.trainable for param in graph.by_name["head"].params]


def test_the_weights_of_an_unknown_layer_come_from_the_weights_file() -> None:
    graph = _one("strangers", ".keras")
    node = graph.by_name["scale"]
    assert ("Unknown", "Scale") == (node.op, node.origin.native)
    assert [(4, 2), (2,), (4,)] == [param.shape for param in node.params]
    assert ("Unknown", "Lambda") == (graph.by_name["code"].op, graph.by_name["code"].origin.native)


def _op(name: str, cls: str, args: list[Any], **config: Any) -> dict[str, Any]:
    calls = [{"args": args, "kwargs": {}}]
    return {"class_name": cls, "name": name, "config": {"name": name, **config}, "inbound_nodes": calls}


def _tensor(layer: str, shape: list[Any]) -> dict[str, Any]:
    config = {"shape": shape, "dtype": "float32", "keras_history": [layer, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": config}


def test_op_nodes_without_a_module_are_told_from_layers(tmp_path: Path) -> None:
    """As Keras 3 writes them to .h5, where no layer names its module."""
    x = _tensor("x", [None, 4])
    layers = [
        _op("add", "Add", [x, 2.0]),
        _op("sum", "Add", [[_tensor("add", [None, 4]), x]], trainable=True, dtype="float32"),
        _op("cast", "Cast", [_tensor("sum", [None, 4])], dtype="float16"),
        _op("bins", "Discretization", [_tensor("sum", [None, 4])], bin_boundaries=[1.0], dtype="float32"),
    ]
    graph = _graph(_functional(*layers, output="bins"), tmp_path)
    assert ["Constant", "Add", "Add", "Cast", "Discretization"] == [node.op for node in graph.nodes]


def test_an_input_that_is_only_a_mask_is_named_in_the_metadata(tmp_path: Path) -> None:
    """As the video classification example of keras.io gives its mask to a GRU."""
    rows = {"class_name": "InputLayer", "name": "rows", "inbound_nodes": []}
    rows["config"] = {"name": "rows", "batch_shape": [None, 5, 4], "dtype": "float32"}
    gru = _op("g", "GRU", [_tensor("rows", [None, 5, 4])], units=3)
    gru["inbound_nodes"][0]["kwargs"] = {"mask": _tensor("x", [None, 4])}
    model = _functional(rows, gru, output="g")
    model["config"]["input_layers"].append(["rows", 0, 0])
    assert ("x",) == _graph(model, tmp_path).metadata["mask_inputs"]


def test_a_lambda_has_the_shape_that_the_file_states() -> None:
    tensors = infer(_load(FIXTURES / "keras-2.12.0" / "strangers.json"))
    assert (None, 4) == tensors["code"].shape


def test_a_further_output_of_an_unknown_layer_may_feed_a_layer(tmp_path: Path) -> None:
    strange = {**_dense("s", "x"), "class_name": "mine>Strange"}
    last = _dense("d", "s")
    last["inbound_nodes"] = [[["s", 0, 1, {}]]]
    graph = _graph(_functional(strange, last, output="d"), tmp_path)
    assert ("s", "s.1") == graph.by_name["s"].outputs
    assert ("s.1",) == graph.by_name["d"].inputs


def test_the_same_bytes_give_the_same_graph() -> None:
    for path in FILES[:6]:
        assert render(_load(path)) == render(_load(path))


def test_losses_are_those_of_their_outputs() -> None:
    training = _one("branches", ".keras").training
    assert training is not None
    assert [("binary_crossentropy", 0), ("sparse_categorical_crossentropy", 1)] == [
        (loss.name, loss.output) for loss in training.losses
    ]
    assert [1.0, 0.5] == [loss.attrs["weight"] for loss in training.losses]
    assert training.losses[1].attrs["from_logits"] is True
    assert training.optimizer is not None
    assert "sgd" == training.optimizer.name


def _dense(name: str, reads: str, **more: Any) -> dict[str, Any]:
    return {
        "class_name": "Dense",
        "name": name,
        "config": {"name": name, "units": 3, **more},
        "inbound_nodes": [[[reads, 0, 0, {}]]],
    }


def _functional(*layers: dict[str, Any], output: str) -> dict[str, Any]:
    source = {
        "class_name": "InputLayer",
        "name": "x",
        "config": {"name": "x", "batch_input_shape": [None, 4]},
        "inbound_nodes": [],
    }
    config = {"name": "m", "layers": [source, *layers]}
    config |= {"input_layers": [["x", 0, 0]], "output_layers": [[output, 0, 0]]}
    return {"class_name": "Functional", "config": config}


def _error(config: Any, tmp_path: Path) -> str:
    with pytest.raises(ReadError) as caught:
        _graph(config, tmp_path)
    return str(caught.value)


def test_layers_that_feed_each_other_are_named(tmp_path: Path) -> None:
    error = _error(_functional(_dense("a", "b"), _dense("b", "a"), output="b"), tmp_path)
    assert "the layers 'a', 'b' feed each other in a circle" in error


def test_a_layer_that_is_not_there_is_named(tmp_path: Path) -> None:
    error = _error(_functional(_dense("a", "ghost"), output="a"), tmp_path)
    assert "'a' reads the layer 'ghost', which is not there" in error


def test_a_call_that_is_not_there_is_named(tmp_path: Path) -> None:
    config = _functional(_dense("a", "x"), _dense("b", "a"), output="b")
    config["config"]["layers"][2]["inbound_nodes"] = [[["a", 3, 0, {}]]]
    assert "'b' reads call 3 of the layer 'a'" in _error(config, tmp_path)


def test_a_setting_of_the_wrong_type_is_named_with_its_place(tmp_path: Path) -> None:
    error = _error(_functional(_dense("a", "x", units="many"), output="a"), tmp_path)
    assert "config.layers[1] 'a'.config.units: expected a whole number" in error
    assert "found 'many'" in error


def test_layers_may_stand_in_any_order(tmp_path: Path) -> None:
    graph = _graph(_functional(_dense("b", "a"), _dense("a", "x"), output="b"), tmp_path)
    assert ["a", "b"] == [node.name for node in graph.nodes]


def test_a_chain_of_thousands_of_layers_is_read(tmp_path: Path) -> None:
    layers = [_dense(f"d{i}", f"d{i - 1}" if i else "x") for i in range(5000)]
    assert 5000 == len(_graph(_functional(*reversed(layers), output="d4999"), tmp_path).nodes)


def test_a_subclassed_model_is_told_to_export(tmp_path: Path) -> None:
    config = {
        "class_name": "MyModel",
        "module": "mine",
        "config": {"width": 3},
        "registered_name": "mine>MyModel",
    }
    assert "the class 'MyModel'" in _error(config, tmp_path)
    assert "export it to ONNX" in _error(config, tmp_path)


def test_a_model_that_was_never_built_is_told_to_build(tmp_path: Path) -> None:
    config = {
        "class_name": "Sequential",
        "config": {"name": "m", "layers": [{"class_name": "Dense", "config": {"name": "a", "units": 3}}]},
    }
    assert "never built" in _error(config, tmp_path)


def test_models_nested_too_deep_or_too_often_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "MAX_CALLS", 1000)
    dense = {"class_name": "Dense", "config": {"name": "a", "units": 4, "batch_input_shape": [None, 4]}}
    for _ in range(80):
        dense = {"class_name": "Sequential", "config": {"name": "m", "layers": [dense]}}
    assert "deep" in _error(dense, tmp_path)
    many: Any = {"class_name": "Identity", "config": {"name": "a"}}
    for level in range(40):
        many = _doubled(many, level)
    many["config"]["layers"][0]["config"]["batch_input_shape"] = [None, 4]
    assert "too often" in _error(many, tmp_path)


def _doubled(inner: dict[str, Any], level: int) -> dict[str, Any]:
    inner = {**inner, "name": "inner", "inbound_nodes": [[["x", 0, 0, {}]], [["inner", 0, 0, {}]]]}
    inner["config"] = {**inner["config"], "name": "inner"}
    made = _functional(inner, output="inner")
    made["config"]["output_layers"] = [["inner", 1, 0]]
    if level:
        made["config"]["layers"][1]["inbound_nodes"] = [[["x", 0, 0, {}]], [["inner", 1, 0, {}]]]
        made["config"]["output_layers"] = [["inner", 2, 0]]
    return made


KERAS1 = {
    "class_name": "Sequential",
    "keras_version": "1.2.2",
    "config": [
        {
            "class_name": "Convolution2D",
            "config": {
                "name": "conv",
                "batch_input_shape": [None, 3, 12, 12],
                "nb_filter": 4,
                "nb_row": 3,
                "nb_col": 5,
                "subsample": [2, 1],
                "border_mode": "valid",
                "dim_ordering": "th",
                "activation": "relu",
                "bias": True,
                "trainable": True,
            },
        },
        {"class_name": "Dropout", "config": {"name": "drop", "p": 0.25, "trainable": True}},
        {"class_name": "Flatten", "config": {"name": "flat"}},
        {
            "class_name": "Dense",
            "config": {"name": "fc", "output_dim": 2, "bias": False, "activation": "linear"},
        },
    ],
}


def test_keras_1_is_read_in_todays_words(tmp_path: Path) -> None:
    graph = _graph(KERAS1, tmp_path)
    conv, drop, dense = (graph.by_name[name] for name in ("conv", "drop", "fc"))
    assert {"filters": 4, "kernel": (3, 5), "strides": (2, 1), "channel_axis": 1} == dict(conv.attrs)
    assert 0.25 == drop.attrs["rate"]
    assert [(160, 2)] == [param.shape for param in dense.params]


MERGED = {
    "sum": ("Add", ("N", 3)),
    "mul": ("Mul", ("N", 3)),
    "ave": ("Mean", ("N", 3)),
    "max": ("Max", ("N", 3)),
    "concat": ("Concat", ("N", 6)),
    "dot": ("Dot", ("N", 1)),
    "cos": ("Unknown", None),
    "merge_by_me": ("Unknown", None),
}
"""Mode of Keras 1's Merge → op and shape, for two vectors of 3."""


@pytest.mark.parametrize("mode", MERGED)
def test_merge_of_keras_1_is_the_op_of_its_mode(mode: str, tmp_path: Path) -> None:
    merge = _dense("m", "x", mode=mode, concat_axis=-1, dot_axes=-1)
    merge |= {"class_name": "Merge", "inbound_nodes": [[["a", 0, 0], ["b", 0, 0]]]}
    graph = _graph(_functional(_dense("a", "x"), _dense("b", "x"), merge, output="m"), tmp_path)
    assert MERGED[mode] == (graph.nodes[-1].op, infer(graph)["m"].shape)


def test_a_layer_that_is_called_on_nothing_is_named(tmp_path: Path) -> None:
    relu = {"class_name": "ReLU", "name": "relu", "config": {"name": "relu", "trainable": True}}
    relu["inbound_nodes"] = [{"args": [], "kwargs": {}}]  # type: ignore[assignment]  # a list among texts
    assert "'relu' is called without a value" in _error(_functional(relu, output="relu"), tmp_path)


def test_an_op_that_reads_nothing_is_unknown(tmp_path: Path) -> None:
    """As Keras 2.12 wrote tf.einsum: the equation alone."""
    graph = _graph(_functional(_op("sum", "Relu", []), output="sum"), tmp_path)
    assert ["Unknown"] == [node.op for node in graph.nodes]
