"""Nodes of keras.ops: every class is mapped or left out for a reason, and shapes are Keras's own."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_compare import output_shapes, read_json, unknown

from archlint.formats.keras.nodes.kept import KEPT
from archlint.formats.keras.nodes.translation import SNAKE_ACTIVATIONS, TRANSLATORS

pytestmark = pytest.mark.oracle

MODULES = ("numpy", "nn", "core", "math", "linalg", "image")
MAP = (6, 8, 4)
SQUARE = (5, 5)

UNMAPPED: dict[str, str] = {
    "takes Python functions, which no file holds": """
        AssociativeScan Cond ForiLoop JVP Map Scan Switch VectorizedMap WhileLoop
    """,
    "makes tensors without reading one": "Arange Full Geomspace Linspace Logspace",
    "shape depends on values or on options that no model here has used": """
        Bincount Corrcoef Correlate Histogram IsIn Meshgrid Nonzero SearchSorted Select Unique
        UnravelIndex Vander View
    """,
    "products and rearrangements that no file here has used": """
        CDist Cross Diag Diagflat Diagonal Diff Dot Inner Kron Outer Rot90 Tensordot Trace
        Trapezoid Vdot
    """,
    "one number of all, or not a tensor": "AllClose Ndim",
    "complex numbers and spectra": """
        FFT FFT2 IFFT2 IRFFT ISTFT Polar RFFT STFT ViewAsComplex ViewAsReal
    """,
    "decompositions with several results": """
        Eig Eigh Logdet Lstsq LuFactor MatrixRank Pinv Qr SVD Slogdet Solve SolveTriangular
    """,
    "order statistics and scans that are no op of the catalogue": """
        Argpartition Digitize InTopK Nanargmax Nanargmin Nancumprod Nancumsum Nanpercentile
        Nanquantile Percentile Quantile
    """,
    "losses and metrics, which stand in compile settings": """
        BinaryCrossentropy CTCDecode CTCLoss CategoricalCrossentropy PSNR SSIM
        SparseCategoricalCrossentropy
    """,
    "windows and segments that no file here has used": """
        ExtractPatches ExtractSequences Fold MapCoordinates MultiHot ScaleAndTranslate Scatter
        SegmentMax SegmentMin SegmentProd SegmentReduction SegmentSum SobelEdges Unfold
    """,
    "two kernels in one node": "SeparableConv",
}
"""Why → classes that stay Unknown nodes of unknown shape."""


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras")


def test_every_op_is_mapped_or_left_out_for_a_reason(keras: Any) -> None:
    found = set()
    for name in MODULES:
        module = importlib.import_module(f"keras.src.ops.{name}")
        found |= {
            cls.__name__
            for cls in vars(module).values()
            if inspect.isclass(cls) and issubclass(cls, keras.Operation) and cls.__module__ == module.__name__
        }
    left_out = {name for names in UNMAPPED.values() for name in names.split()}
    mapped = {*TRANSLATORS, *SNAKE_ACTIVATIONS}
    assert [] == sorted(found - mapped - left_out)
    assert [] == sorted(left_out & mapped)


def _ones(*shape: int) -> Any:
    return np.ones(shape, "float32")


Build = Callable[..., Any]
ROWS: dict[str, tuple[tuple[tuple[int, ...], ...], Build]] = {
    "conv": ((MAP,), lambda ops, x: ops.conv(x, _ones(3, 3, 4, 5), strides=2, padding="same")),
    "depthwise_conv": ((MAP,), lambda ops, x: ops.depthwise_conv(x, _ones(3, 3, 4, 2))),
    "conv_transpose": (
        (MAP,),
        lambda ops, x: ops.conv_transpose(x, _ones(3, 3, 5, 4), strides=2, padding="same"),
    ),
    "max_pool": ((MAP,), lambda ops, x: ops.max_pool(x, 2, strides=1)),
    "moments": ((MAP,), lambda ops, x: ops.moments(x, (1, 2), keepdims=True)),
    "normalize": ((MAP,), lambda ops, x: ops.normalize(x)),
    "norm": ((MAP,), lambda ops, x: ops.norm(x, axis=-1)),
    "crop_images": (
        (MAP,),
        lambda ops, x: ops.image.crop_images(
            x, top_cropping=1, left_cropping=2, target_height=3, target_width=4
        ),
    ),
    "pad_images": (
        (MAP,),
        lambda ops, x: ops.image.pad_images(
            x, top_padding=1, left_padding=2, target_height=9, target_width=12
        ),
    ),
    "repeat": ((MAP,), lambda ops, x: ops.repeat(x, 3, axis=1)),
    "roll": ((MAP,), lambda ops, x: ops.roll(x, 1, axis=1)),
    "tril": ((SQUARE,), lambda ops, x: ops.tril(x)),
    "hsplit": ((MAP,), lambda ops, x: ops.hsplit(x, 2)),
    "array_split": ((MAP,), lambda ops, x: ops.array_split(x, 4, axis=1)),
    "hstack": ((MAP, MAP), lambda ops, x, y: ops.hstack([x, y])),
    "dstack": ((MAP, MAP), lambda ops, x, y: ops.dstack([x, y])),
    "append": ((MAP, MAP), lambda ops, x, y: ops.append(x, y, axis=1)),
    "fliplr": ((MAP,), lambda ops, x: ops.fliplr(x)),
    "take_along_axis": ((MAP,), lambda ops, x: ops.take_along_axis(x, ops.argsort(x, axis=1), axis=1)),
    "all": ((MAP,), lambda ops, x: ops.all(x > 0, axis=1)),
    "any": ((MAP,), lambda ops, x: ops.any(x > 0)),
    "average": ((MAP,), lambda ops, x: ops.average(x, axis=1)),
    "left_shift": ((MAP,), lambda ops, x: ops.left_shift(ops.cast(x, "int32"), 2)),
    "matmul": (((5, 6), (6, 3)), lambda ops, x, y: ops.matmul(x, y)),
    "divide_no_nan": ((MAP, MAP), lambda ops, x, y: ops.divide_no_nan(x, y)),
}
"""Function → inputs without the batch axis, and the call."""

SHAPE_ONLY: dict[str, tuple[tuple[tuple[int, ...], ...], Build]] = {
    "batch_normalization": ((MAP,), lambda ops, x: ops.batch_normalization(x, _ones(4), _ones(4), -1)),
    "layer_normalization": ((MAP,), lambda ops, x: ops.layer_normalization(x)),
    "rms_normalization": ((MAP,), lambda ops, x: ops.rms_normalization(x)),
    "rgb_to_grayscale": (((6, 8, 3),), lambda ops, x: ops.image.rgb_to_grayscale(x)),
    "rgb_to_hsv": (((6, 8, 3),), lambda ops, x: ops.image.rgb_to_hsv(x)),
    "triu": ((SQUARE,), lambda ops, x: ops.triu(x, 1)),
    "median": ((MAP,), lambda ops, x: ops.median(x, axis=1, keepdims=True)),
    "nanmean": ((MAP,), lambda ops, x: ops.nanmean(x, axis=(1, 2))),
    "logaddexp": ((MAP, (1, 4)), lambda ops, x, y: ops.logaddexp(x, y)),
    "zeros_like": ((MAP,), lambda ops, x: ops.zeros_like(x)),
    "cholesky": ((SQUARE,), lambda ops, x: ops.cholesky(x)),
    "log2": ((MAP,), lambda ops, x: ops.log2(x)),
    "ptp": ((MAP,), lambda ops, x: ops.ptp(x, axis=1)),
}
"""Functions that are no op of the catalogue: Unknown nodes with the shape that Keras gives."""


@pytest.mark.parametrize("name", [*ROWS, *SHAPE_ONLY])
def test_an_op_node_has_the_shape_that_keras_gives_it(name: str, keras: Any, tmp_path: Path) -> None:
    shapes, build = {**ROWS, **SHAPE_ONLY}[name]
    inputs = [keras.Input(shape) for shape in shapes]
    model = keras.Model(inputs, build(keras.ops, *inputs))
    graph = read_json(model, tmp_path)
    assert [tuple(output.shape) for output in model.outputs] == output_shapes(graph)
    if name in ROWS:
        assert [] == unknown(graph)
    else:
        assert set(unknown(graph)) <= {*KEPT, "Triu"}


def test_a_convolution_may_read_a_kernel_that_is_computed(keras: Any, tmp_path: Path) -> None:
    image, kernel = keras.Input(MAP), keras.Input(batch_shape=(3, 3, 2, 5))
    model = keras.Model([image, kernel], keras.ops.conv(image[..., :2], kernel * 2.0))
    graph = read_json(model, tmp_path)
    assert [(None, 4, 6, 5)] == output_shapes(graph)
    assert () == graph.nodes[-1].params
