"""Multiply-accumulates and parameters of well-known networks, against what was published.

The graphs are built here from the papers' tables, so neither a framework nor a file is needed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from archlint.facts import Facts
from archlint.formats.base import ModelFile
from archlint.formats.onnx import read
from archlint.graph import parse
from archlint.ops import build


def facts_of(lines: list[str]) -> Facts:
    return Facts(build(parse("\n".join(lines))))


def vgg16() -> list[str]:
    """Simonyan & Zisserman 2015, arXiv:1409.1556, table 1, column D."""
    lines, last = ["input x float32[N,224,224,3]"], "x"
    for stage, (filters, count) in enumerate([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]):
        for index in range(count):
            name = f"c{stage}_{index}"
            lines += [
                f"{name} = Conv({last}) filters={filters} kernel=(3,3) padding=same",
                f"r{name} = Relu({name})",
            ]
            last = f"r{name}"
        lines.append(f"p{stage} = MaxPool({last}) kernel=(2,2) strides=(2,2)")
        last = f"p{stage}"
    return [
        *lines,
        f"flat = Flatten({last})",
        "fc1 = Dense(flat) units=4096",
        "a1 = Relu(fc1)",
        "fc2 = Dense(a1) units=4096",
        "a2 = Relu(fc2)",
        "fc3 = Dense(a2) units=1000",
        "y = Softmax(fc3)",
        "output y",
    ]


def mobilenet() -> list[str]:
    """Howard et al. 2017, arXiv:1704.04861, table 1."""
    lines = ["input x float32[N,224,224,3]"]

    def block(name: str, source: str, line: str) -> str:
        lines.extend(
            [
                f"{name} = Conv({source}) {line} padding=same use_bias=false",
                f"b{name} = BatchNormalization({name})",
                f"r{name} = Relu(b{name})",
            ]
        )
        return f"r{name}"

    last, channels = block("c", "x", "filters=32 kernel=(3,3) strides=(2,2)"), 32
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for index, (filters, stride) in enumerate(plan):
        depthwise = f"filters={channels} groups={channels} kernel=(3,3) strides=({stride},{stride})"
        last = block(f"d{index}", last, depthwise)
        last = block(f"p{index}", last, f"filters={filters} kernel=(1,1)")
        channels = filters
    return [*lines, f"g = GlobalAveragePool({last})", "fc = Dense(g) units=1000", "output fc"]


def test_vgg16_has_15_47_billion() -> None:
    facts = facts_of(vgg16())
    assert facts.params == 138_357_544
    # 15.47 G with the dense layers, 15.35 G in the convolutions alone.
    assert facts.macs == 15_470_264_320
    dense = [node for node in facts.graph.nodes if node.op == "Dense"]
    assert sum(facts.macs_of(node) or 0 for node in dense) == 123_633_664
    assert facts.params_of(dense[0]) == 102_764_544


def test_mobilenet_has_569_million() -> None:
    facts = facts_of(mobilenet())
    # Table 8 of the paper: 569 million mult-adds and 4.2 million parameters, batch norm not counted as work.
    assert round((facts.macs or 0) / 1e6) == 569
    assert facts.params == 4_253_864
    assert facts.params - facts.trainable_params == 21_888


LIGHT = [
    # torchvision's resnet50: 4.09 · 10⁹, as this one strides in the 3×3 convolution (He et al. 2016,
    # arXiv:1512.03385, stride in the 1×1: 3.8 · 10⁹); 25,557,032 parameters and the moving statistics.
    ("light_resnet50", 4.09e9, 25_557_032 + 53_120),
    # Simonyan & Zisserman 2015, column E: 19.6 · 10⁹.
    ("light_vgg19", 19.63e9, 143_667_240),
    # Krizhevsky et al. 2012 with its two groups, 60 million parameters; 0.66 · 10⁹ without padding's share.
    ("light_bvlc_alexnet", 0.65e9, 60_965_224),
    # Huang et al. 2017, arXiv:1608.06993, table 1: DenseNet-121 has 2.8 to 2.9 · 10⁹.
    ("light_densenet121", 2.83e9, None),
    # Iandola et al. 2016, arXiv:1602.07360, table 1: 1.25 million parameters.
    ("light_squeezenet", None, 1_235_496),
]


@pytest.mark.parametrize(("name", "macs", "params"), LIGHT)
def test_light_models_of_the_onnx_package(name: str, macs: float | None, params: int | None) -> None:
    onnx = pytest.importorskip("onnx")
    path = Path(onnx.__file__).parent / "backend/test/data/light" / f"{name}.onnx"
    facts = Facts(read(ModelFile(str(path), "onnx", path.stat().st_size)))
    if macs is not None:
        # Papers round to two or three digits.
        assert facts.macs == pytest.approx(macs, rel=0.02)
    if params is not None:
        assert facts.params == params
