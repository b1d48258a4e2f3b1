"""Layers in few bits and layers with LoRA hold the tensors that Keras keeps for them.

Expected shapes are those that Keras 3.12 to 3.15 (3.11 to 3.13 for plain int4) gave such layers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archlint.formats.base import ModelFile
from archlint.formats.keras import read
from archlint.graph import Dim, Graph

Rows = list[tuple[str, tuple[Dim, ...], str | None, bool]]


def _policy(mode: str, cls: str = "QuantizedDTypePolicy", source: str = "float32", **more: Any) -> Any:
    config = {"mode": mode, "source_name": source, **more}
    return {"module": "keras.dtype_policies", "class_name": cls, "config": config}


def _graph(cls: str, shape: list[int], folder: Path, **config: Any) -> Graph:
    layers = [
        {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, *shape]}},
        {"class_name": cls, "config": {"name": "layer", **config}},
    ]
    path = folder / "m.json"
    path.write_text(json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": layers}}))
    return read(ModelFile(str(path), "keras-json", 1))


def _params(*args: Any, **config: Any) -> Rows:
    graph = _graph(*args, **config)
    return [(p.role, p.shape or (), p.dtype, p.trainable) for p in graph.nodes[0].params]


HISTORY = 1024

DENSE: dict[str, Rows] = {
    "float32": [("kernel", (5, 7), "float32", True), ("bias", (7,), "float32", True)],
    "int8": [
        ("kernel", (5, 7), "int8", False),
        ("bias", (7,), "float32", True),
        ("kernel_scale", (7,), "float32", False),
    ],
    "int4": [
        ("kernel", (3, 7), "int8", False),
        ("bias", (7,), "float32", True),
        ("kernel_scale", (7,), "float32", False),
    ],
    "int4/-1": [
        ("kernel", (5, 4), "int8", False),
        ("bias", (7,), "float32", True),
        ("kernel_scale", (7,), "float32", False),
    ],
    "int4/3": [
        ("kernel", (5, 4), "int8", False),
        ("bias", (7,), "float32", True),
        ("kernel_scale", (2, 7), "float32", False),
        ("kernel_zero", (2, 7), "int8", False),
        ("g_idx", (5,), "float32", False),
    ],
    "gptq/4/3": [
        ("kernel", (4, 5), "uint8", False),
        ("bias", (7,), "float32", True),
        ("kernel_scale", (7, 2), "float32", False),
        ("kernel_zero", (7, 2), "uint8", False),
        ("g_idx", (5,), "float32", False),
    ],
    "gptq/8/-1": [
        ("kernel", (7, 5), "uint8", False),
        ("bias", (7,), "float32", True),
        ("kernel_scale", (7, 1), "float32", False),
        ("kernel_zero", (7, 1), "uint8", False),
        ("g_idx", (5,), "float32", False),
    ],
    "awq/4/3": [
        ("kernel", (4, 5), "uint8", False),
        ("bias", (7,), "float32", True),
        ("kernel_scale", (7, 2), "float32", False),
        ("kernel_zero", (7, 2), "uint8", False),
        ("awq_scales", (5,), "float32", False),
        ("g_idx", (5,), "float32", False),
    ],
    "float8": [
        ("kernel", (5, 7), "float32", True),
        ("bias", (7,), "float32", True),
        ("inputs_scale", (), "float32", True),
        ("inputs_amax_history", (HISTORY,), "float32", True),
        ("kernel_scale", (), "float32", True),
        ("kernel_amax_history", (HISTORY,), "float32", True),
        ("outputs_grad_scale", (), "float32", True),
        ("outputs_grad_amax_history", (HISTORY,), "float32", True),
    ],
}
"""Mode → the tensors of a Dense layer from 5 to 7."""


@pytest.mark.parametrize("mode", DENSE)
def test_a_dense_layer_holds_what_its_policy_keeps(mode: str, tmp_path: Path) -> None:
    assert DENSE[mode] == _params("Dense", [5], tmp_path, units=7, dtype=_policy(mode))


@pytest.mark.parametrize("mode", ["int8", "float8"])
def test_a_policy_may_be_written_as_its_name(mode: str, tmp_path: Path) -> None:
    assert DENSE[mode] == _params("Dense", [5], tmp_path, units=7, dtype=f"{mode}_from_float32")


def test_int4_by_hand_since_keras_3_14_has_an_unknown_layout(tmp_path: Path) -> None:
    settings = {"units": 7, "use_bias": False, "dtype": _policy("int4"), "quantization_config": None}
    params = _params("Dense", [5], tmp_path, **settings)
    assert [("kernel", (None, None)), ("kernel_scale", (None,))] == [
        (role, shape) for role, shape, *_ in params
    ]


def test_int4_of_keras_3_13_packs_the_inputs(tmp_path: Path) -> None:
    stated = {"class_name": "Int4QuantizationConfig", "config": {"weight_quantizer": None}}
    dtype = _policy("int4")
    assert DENSE["int4"] == _params("Dense", [5], tmp_path, units=7, dtype=dtype, quantization_config=stated)


def test_a_history_has_the_length_that_the_policy_states(tmp_path: Path) -> None:
    dtype = _policy("float8", "QuantizedFloat8DTypePolicy", amax_history_length=16)
    shapes = [shape for _, shape, *_ in _params("Dense", [5], tmp_path, units=7, dtype=dtype)]
    assert [(5, 7), (7,), (), (16,), (), (16,), (), (16,)] == shapes


def test_what_is_not_quantised_has_the_type_of_the_source(tmp_path: Path) -> None:
    dtype = _policy("int8", source="bfloat16")
    found = [dtype for _, _, dtype, _ in _params("Dense", [5], tmp_path, units=7, dtype=dtype)]
    assert ["int8", "bfloat16", "bfloat16"] == found


EINSUM = {
    "int8": [(5, 3, 4), (4,), (1, 1, 3, 4)],
    "int4": [(3, 3, 4), (4,), (1, 1, 3, 4)],
    "int4/3": [(5, 6), (4,), (2, 12), (2, 12), (5,)],
    "gptq/8/-1": [(12, 5), (4,), (12, 1), (12, 1), (5,)],
}
"""Mode → shapes of an EinsumDense "abc,cde->abde" from 5 to 3 heads of 4."""


@pytest.mark.parametrize("mode", EINSUM)
def test_an_einsum_dense_layer_is_a_matrix_of_summed_and_kept_axes(mode: str, tmp_path: Path) -> None:
    settings = {"equation": "abc,cde->abde", "output_shape": [None, 3, 4], "bias_axes": "e"}
    params = _params("EinsumDense", [6, 5], tmp_path, dtype=_policy(mode), **settings)
    assert EINSUM[mode] == [shape for _, shape, *_ in params]


EMBEDDING = {"int8": [(9, 5), (9,)], "int4/3": [(9, 3), (9, 2), (9, 2), (5,)], "int4": [(9, 3), (9,)]}


@pytest.mark.parametrize("mode", EMBEDDING)
def test_an_embedding_is_packed_row_by_row(mode: str, tmp_path: Path) -> None:
    params = _params("Embedding", [6], tmp_path, input_dim=9, output_dim=5, dtype=_policy(mode))
    assert EMBEDDING[mode] == [shape for _, shape, *_ in params]


def test_attention_quantises_each_of_its_projections(tmp_path: Path) -> None:
    layers = [
        {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, 4, 6]}},
        {
            "class_name": "MultiHeadAttention",
            "config": {"name": "a", "num_heads": 2, "key_dim": 5, "use_gate": True, "dtype": _policy("int8")},
        },
    ]
    path = tmp_path / "m.json"
    path.write_text(json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": layers}}))
    params = read(ModelFile(str(path), "keras-json", 1)).nodes[0].params
    assert ["query", "key", "gate", "value", "output"] == [
        param.role.partition("_")[0] for param in params if param.role.endswith("_kernel")
    ]
    shapes = {param.role: param.shape for param in params if param.role.endswith("_scale")}
    assert (1, 1, 2, 5) == shapes["gate_kernel_scale"]
    assert (1, 1, 6) == shapes["output_kernel_scale"]


LORA: dict[str, tuple[list[int], dict[str, Any], list[tuple[Any, ...]]]] = {
    "Dense": ([5], {"units": 7}, [(5, 7, False), (7, True), (5, 2, True), (2, 7, True)]),
    "Conv2D": (
        [8, 8, 3],
        {"filters": 4, "kernel_size": [3, 3]},
        [(3, 3, 3, 4, False), (4, True), (3, 3, 3, 2, True), (2, 4, True)],
    ),
    "Embedding": ([6], {"input_dim": 9, "output_dim": 5}, [(9, 5, False), (9, 2, True), (2, 5, True)]),
}
"""Layer → input, settings, (shape…, trained) of its tensors under rank 2."""


@pytest.mark.parametrize("cls", LORA)
def test_lora_freezes_the_kernel_and_trains_two_factors(cls: str, tmp_path: Path) -> None:
    shape, settings, expected = LORA[cls]
    params = _params(cls, shape, tmp_path, lora_rank=2, **settings)
    assert expected == [(*shape, trained) for _, shape, _, trained in params]


@pytest.mark.parametrize("name", ["int4/--1", "int4/٣", "int9", "gptq/4/", "", "int8/" + "9" * 40])
def test_a_policy_that_keras_does_not_have_changes_nothing(name: str, tmp_path: Path) -> None:
    params = _params("Dense", [5], tmp_path, units=7, dtype=_policy(name))
    assert [(5, 7), (7,)] == [shape for _, shape, *_ in params]


@pytest.mark.parametrize("mode", EINSUM)
@pytest.mark.parametrize("equation", ["ab,cd->ab", "a,->a", "ab,bc->", "abc,bc"])
def test_an_odd_equation_is_read_like_the_unquantised_one(equation: str, mode: str, tmp_path: Path) -> None:
    settings = {"equation": equation, "output_shape": [3], "lora_rank": 2}
    plain = _graph("EinsumDense", [5], tmp_path, **settings)
    assert len(plain.nodes) == len(
        _graph("EinsumDense", [5], tmp_path, dtype=_policy(mode), **settings).nodes
    )
