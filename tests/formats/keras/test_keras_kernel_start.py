"""Initialisers, regularisers and wrappers of a Keras config are settings of the node."""

from __future__ import annotations

import json

import pytest

from archlint.formats.base import ModelFile
from archlint.formats.keras import read


def graph_of(layers, tmp_path):
    rows = [{"class_name": "InputLayer", "config": {"batch_shape": [None, 6, 4], "name": "x"}}, *layers]
    path = tmp_path / "m.json"
    path.write_text(json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": rows}}))
    return read(ModelFile(str(path), "keras-json", 1))


def dense(**config):
    return {"class_name": "Dense", "config": {"name": "d", "units": 3, **config}}


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ({"class_name": "GlorotUniform", "config": {"seed": None}}, None),
        ("glorot_uniform", None),
        ({"class_name": "HeNormal", "config": {}}, "he_normal"),
        ({"class_name": "Zeros", "config": {}}, "zeros"),
        ("zero", "zeros"),
        (
            {
                "class_name": "VarianceScaling",
                "config": {"scale": 2, "mode": "fan_in", "distribution": "normal"},
            },
            "he_normal",
        ),
        (
            {
                "class_name": "VarianceScaling",
                "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform"},
            },
            None,
        ),
        ({"class_name": "VarianceScaling", "config": {"scale": 0.1, "mode": "fan_in"}}, "variance_scaling"),
        ({"class_name": 3}, None),
        (None, None),
    ],
)
def test_an_initialiser_other_than_the_default_is_named(stated, name, tmp_path):
    (node,) = graph_of([dense(kernel_initializer=stated)], tmp_path).nodes
    assert name == node.attrs.get("kernel_init")


def test_a_penalty_is_read_with_its_weights(tmp_path):
    penalty = {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.5}}
    (node,) = graph_of([dense(kernel_regularizer=penalty)], tmp_path).nodes
    assert {"units": 3, "kernel_l2": 0.5} == node.attrs


def test_a_wrapper_that_changes_nothing_keeps_its_name(tmp_path):
    wrapped = {"class_name": "TimeDistributed", "config": {"name": "t", "layer": dense()}}
    (node,) = graph_of([wrapped], tmp_path).nodes
    assert ("Dense", "TimeDistributed") == (node.op, node.origin.native)


def test_a_refused_fast_kernel_is_read(tmp_path):
    lstm = {"class_name": "LSTM", "config": {"name": "l", "units": 3, "use_cudnn": False}}
    (node,) = graph_of([lstm], tmp_path).nodes
    assert node.attrs["use_cudnn"] is False
