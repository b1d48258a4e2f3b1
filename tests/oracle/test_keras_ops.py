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
from archlint.formats.keras.nodes.matrices import MATRICES
from archlint.formats.keras.nodes.signals import SIGNALS
from archlint.formats.keras.nodes.translation import SNAKE_ACTIVATIONS, TRANSLATORS

pytestmark = pytest.mark.oracle

MODULES = ("numpy", "nn", "core", "math", "linalg", "image")
MAP = (6, 8, 4)
SQUARE = (5, 5)

UNMAPPED: dict[str, str] = {
    "takes Python functions, which no file holds": """
        AssociativeScan Cond ForiLoop JVP Map Scan SegmentReduction Switch VectorizedMap WhileLoop
    """,
    "makes tensors from numbers, which a model would have to compute first": """
        Arange Full Geomspace Linspace Logspace
    """,
    "shape depends on values": "Bincount CTCDecode Histogram Nonzero Unique",
    "takes vectors or matrices without a batch axis, which models do not pass on": """
        Corrcoef Correlate Diag Diagflat UnravelIndex Vander
    """,
    "not a tensor": "Ndim",
    "may change the number of elements with the type": "View",
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
    "dot": (((5, 6),), lambda ops, x: ops.dot(x, _ones(6, 3))),
    "inner": (((5, 6),), lambda ops, x: ops.inner(x, _ones(3, 6))),
    "tensordot": ((MAP,), lambda ops, x: ops.tensordot(x, _ones(8, 4, 7), 2)),
    "tensordot over axes": ((MAP,), lambda ops, x: ops.tensordot(x, _ones(7, 6), [[1], [1]])),
    "separable_conv": (
        (MAP,),
        lambda ops, x: ops.separable_conv(x, _ones(3, 3, 4, 2), _ones(1, 1, 8, 5), strides=2),
    ),
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
    "isin": ((MAP,), lambda ops, x: ops.isin(x, [1.0, 2.0])),
    "searchsorted": ((MAP,), lambda ops, x: ops.searchsorted(np.arange(3.0), x)),
    "select": ((MAP,), lambda ops, x: ops.select([x > 1, x > 0], [x, x + 1])),
    "meshgrid": (((),), lambda ops, x: ops.meshgrid(x, np.arange(3.0))),
    "cross": (((5, 3), (1, 3)), lambda ops, x, y: ops.cross(x, y)),
    "diagonal": ((MAP,), lambda ops, x: ops.diagonal(x, 1, axis1=1, axis2=2)),
    "trace": ((MAP,), lambda ops, x: ops.trace(x, axis1=1, axis2=3)),
    "diff": ((MAP,), lambda ops, x: ops.diff(x, 2, axis=1)),
    "kron": ((SQUARE,), lambda ops, x: ops.kron(x, _ones(1, 2, 3))),
    "outer": ((SQUARE, (3,)), lambda ops, x, y: ops.outer(x, y)),
    "rot90": ((MAP,), lambda ops, x: ops.rot90(x, 3, axes=(1, 2))),
    "trapezoid": ((MAP,), lambda ops, x: ops.trapezoid(x, axis=1)),
    "vdot": ((SQUARE, SQUARE), lambda ops, x, y: ops.vdot(x, y)),
    "cdist": (((5, 3), (4, 3)), lambda ops, x, y: ops.cdist(x, y)),
    "allclose": ((MAP, MAP), lambda ops, x, y: ops.allclose(x, y)),
    "eigh": ((SQUARE,), lambda ops, x: ops.eigh(x)),
    "lu_factor": (((5, 3),), lambda ops, x: ops.lu_factor(x)),
    "qr": (((5, 3),), lambda ops, x: ops.qr(x)),
    "complete qr": (((5, 3),), lambda ops, x: ops.qr(x, mode="complete")),
    "svd": (((5, 3),), lambda ops, x: ops.svd(x)),
    "reduced svd": (((5, 3),), lambda ops, x: ops.svd(x, full_matrices=False)),
    "singular values": (((5, 3),), lambda ops, x: ops.svd(x, compute_uv=False)),
    "logdet": ((SQUARE,), lambda ops, x: ops.logdet(x)),
    "pinv": (((5, 3),), lambda ops, x: ops.linalg.pinv(x)),
    "matrix_rank": (((5, 3),), lambda ops, x: ops.linalg.matrix_rank(x)),
    "solve": ((SQUARE, (5, 2)), lambda ops, x, y: ops.solve(x, y)),
    "solve_triangular": ((SQUARE, (5, 2)), lambda ops, x, y: ops.solve_triangular(x, y)),
    "argpartition": ((MAP,), lambda ops, x: ops.argpartition(x, 1)),
    "digitize": ((MAP,), lambda ops, x: ops.digitize(x, np.arange(3.0))),
    "in_top_k": (((),), lambda ops, x: ops.in_top_k(ops.cast(x, "int32"), _ones(1, 5), 2)),
    "nanargmax": ((MAP,), lambda ops, x: ops.nanargmax(x, axis=1)),
    "nancumsum": ((MAP,), lambda ops, x: ops.nancumsum(x, axis=1)),
    "quantile": ((MAP,), lambda ops, x: ops.quantile(x, [0.1, 0.5], axis=1)),
    "median of a percentile": ((MAP,), lambda ops, x: ops.percentile(x, 50.0, axis=1, keepdims=True)),
    "binary_crossentropy": ((MAP, MAP), lambda ops, x, y: ops.binary_crossentropy(x, y)),
    "categorical_crossentropy": ((MAP, MAP), lambda ops, x, y: ops.categorical_crossentropy(x, y)),
    "sparse_categorical_crossentropy": (
        ((6, 8), MAP),
        lambda ops, x, y: ops.sparse_categorical_crossentropy(ops.cast(x, "int32"), y),
    ),
    "psnr": ((MAP, MAP), lambda ops, x, y: ops.psnr(x, y, 1.0)),
    "ssim": ((MAP, MAP), lambda ops, x, y: ops.image.ssim(x, y)),
    "multi_hot": (((7,),), lambda ops, x: ops.multi_hot(ops.cast(x, "int32"), 5)),
    "segment_sum": (((7,),), lambda ops, x: ops.segment_sum(x, ops.cast(x[:, 0], "int32"), 4)),
    "scatter": (((),), lambda ops, x: ops.scatter(ops.cast(x[:, None], "int32"), x, (9,))),
    "fft": ((SQUARE, SQUARE), lambda ops, x, y: ops.fft((x, y))),
    "rfft": (((9,),), lambda ops, x: ops.rfft(x)),
    "rfft of a stated length": (((9,),), lambda ops, x: ops.rfft(x, fft_length=12)),
    "irfft": (((5,), (5,)), lambda ops, x, y: ops.irfft((x, y))),
    "stft": (((40,),), lambda ops, x: ops.stft(x, 8, 4, 9)),
    "stft from the first sample": (((40,),), lambda ops, x: ops.stft(x, 8, 4, 8, center=False)),
    "istft": (((11, 5), (11, 5)), lambda ops, x, y: ops.istft((x, y), 8, 4, 8)),
    "istft of a stated length": (((11, 5), (11, 5)), lambda ops, x, y: ops.istft((x, y), 8, 4, 8, length=9)),
    "view_as_complex": (((5, 2),), lambda ops, x: ops.view_as_complex(x)),
    "extract_sequences": (((40,),), lambda ops, x: ops.extract_sequences(x, 8, 3)),
    "extract_patches": ((MAP,), lambda ops, x: ops.image.extract_patches(x, (2, 3), strides=(1, 2))),
    "padded patches": ((MAP,), lambda ops, x: ops.image.extract_patches(x, 3, padding="same")),
    "unfold": ((MAP,), lambda ops, x: ops.nn.unfold(x, (2, 3), padding=1, stride=2)),
    "fold": (((12, 15),), lambda ops, x: ops.nn.fold(x, (4, 6), (2, 2))),
    "map_coordinates": (((),), lambda ops, x: ops.image.map_coordinates(x, _ones(1, 5), 1)),
    "sobel_edges": ((MAP,), lambda ops, x: ops.image.sobel_edges(x)),
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
        assert set(unknown(graph)) <= {*KEPT, *MATRICES, *SIGNALS, "Triu"}


def test_a_convolution_may_read_a_kernel_that_is_computed(keras: Any, tmp_path: Path) -> None:
    image, kernel = keras.Input(MAP), keras.Input(batch_shape=(3, 3, 2, 5))
    model = keras.Model([image, kernel], keras.ops.conv(image[..., :2], kernel * 2.0))
    graph = read_json(model, tmp_path)
    assert [(None, 4, 6, 5)] == output_shapes(graph)
    assert () == graph.nodes[-1].params
