"""What real exporters write, by op: the committed exports of torch (both exporters) and of tf2onnx."""

from __future__ import annotations

from pathlib import Path

import pytest

from archlint.formats.base import ModelFile
from archlint.formats.onnx import read
from archlint.graph import Graph, parse, render, validate

FOLDER = Path(__file__).parents[2] / "fixtures/onnx"

OPS = {
    "torch_legacy_flatten": "Conv Relu BatchNormalization Relu Flatten Dense",
    "torch_legacy_view": "Conv Relu BatchNormalization Relu Flatten Dense",
    "torch_legacy_mean": "Conv Relu BatchNormalization Relu GlobalAveragePool Dense",
    "torch_legacy_amax": "Conv Relu BatchNormalization Relu GlobalMaxPool Dense",
    "torch_legacy_adaptive": "Conv Relu BatchNormalization Relu GlobalAveragePool Dense",
    "torch_legacy_mobilenet_block": "Conv HardSwish Conv Relu GlobalAveragePool Conv Relu Conv HardSigmoid"
    " Mul Conv Add",
    "torch_legacy_unet": "Conv Swish MaxPool Conv Mish ConvTranspose Concat Conv Resize",
    "tf2onnx_cnn": "Transpose Conv Relu MaxPool BatchNormalization Conv Relu Transpose Flatten Dense Relu"
    " Dense Softmax",
    "tf2onnx_pool": "Transpose Conv Relu GlobalMaxPool GlobalAveragePool Dense",
    "tf2onnx_convnext_block": "Transpose Conv Conv LayerNormalization Transpose Dense Gelu Dense Swish",
    "tf2onnx_norm": "Mul Add Transpose Conv Gelu LayerNormalization Transpose Dense BatchNormalization",
}


def fixture(name: str) -> Graph:
    path = FOLDER / f"{name}.onnx"
    return read(ModelFile(str(path), "onnx", path.stat().st_size))


def ops(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes if node.op != "Constant"]


@pytest.mark.parametrize("name", OPS)
def test_an_export_is_seen_as_its_layers(name: str) -> None:
    assert OPS[name].split() == ops(fixture(name))


@pytest.mark.parametrize("name", ["flatten", "view", "mean", "amax", "adaptive", "mobilenet_block", "unet"])
def test_both_torch_exporters_give_the_same_ops(name: str) -> None:
    assert ops(fixture(f"torch_legacy_{name}")) == ops(fixture(f"torch_dynamo_{name}"))


@pytest.mark.parametrize("kind", ["legacy", "dynamo"])
def test_a_transformer_has_its_parts(kind: str) -> None:
    found = ops(fixture(f"torch_{kind}_transformer"))
    parts = ("Embedding", "Attention", "LayerNormalization", "Gelu", "Dense", "Softmax")
    assert [1, 1, 2, 2, 4, 0] == [found.count(op) for op in parts]


@pytest.mark.parametrize("kind", ["legacy", "dynamo"])
def test_recurrent_layers_hold_their_weights(kind: str) -> None:
    graph = fixture(f"torch_{kind}_recurrent")
    held = {node.op: sum(param.size or 0 for param in node.params) for node in graph.nodes if node.params}
    # torch keeps two biases a gate: 4·4·(3 + 4 + 2), and 2·3·3·(4 + 3 + 2) for both directions
    assert (144, 162, 14) == (held["LSTM"], held["GRU"], held["Dense"])


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.onnx")), ids=lambda path: path.stem)
def test_every_fixture_holds_together_and_is_small(path: Path) -> None:
    graph = fixture(path.stem)
    assert [] == validate(graph)
    assert graph == parse(render(graph))
    assert "Unknown" not in ops(graph)
    assert path.stat().st_size < 60_000


def test_the_attention_of_tf2onnx_over_an_unknown_batch_is_one_node() -> None:
    path = FOLDER / "tf2onnx_attention.onnx"
    graph = read(ModelFile(str(path), "onnx", path.stat().st_size))
    assert 1 == sum(node.op == "Attention" for node in graph.nodes)
    assert [] == [node.name for node in graph.nodes if node.op in ("Softmax", "ReduceProd", "Shape")]
