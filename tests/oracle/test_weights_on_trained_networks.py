"""Weights rules on networks that were trained to convergence: silent before, and found once planted.

Three networks on data that ships with scikit-learn, as .keras, .h5 and tf2onnx .onnx. A fault is planted in
the hidden layer "wide" (256 → 256) or in the batch normalization.
"""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archlint.api import check
from archlint.formats import find, read

pytestmark = [pytest.mark.oracle, pytest.mark.slow]

keras = pytest.importorskip("keras")
datasets = pytest.importorskip("sklearn.datasets")
np = pytest.importorskip("numpy")

Arrays = list[Any]
NETWORKS = ("digits", "cancer", "wine")


def scaled(x: Any) -> Any:
    return ((x - x.mean(axis=0)) / (x.std(axis=0) + 1e-6)).astype("float32")


def digits() -> tuple[Any, Any, Any]:
    x, y = datasets.load_digits(return_X_y=True)
    layers = keras.layers
    image = keras.Input((8, 8, 1))
    z = layers.ReLU()(layers.BatchNormalization(name="norm")(layers.Conv2D(16, 3, padding="same")(image)))
    z = layers.Dense(256, "relu", name="wide")(layers.Flatten()(layers.MaxPooling2D(2)(z)))
    model = keras.Model(image, layers.Dense(10, "softmax")(z))
    return model, (x / 16).reshape(-1, 8, 8, 1).astype("float32"), y


def cancer() -> tuple[Any, Any, Any]:
    x, y = datasets.load_breast_cancer(return_X_y=True)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((30,)),
            layers.Dense(256),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(),
            layers.Dropout(0.2),
            layers.Dense(256, "relu", name="wide"),
            layers.Dense(2, "softmax"),
        ]
    )
    return model, scaled(x), y


def wine() -> tuple[Any, Any, Any]:
    x, y = datasets.load_wine(return_X_y=True)
    layers = keras.layers
    row = keras.Input((13,))
    a = layers.Dense(256, "tanh")(row)
    b = layers.Add()([a, layers.Dense(256, "gelu", name="wide")(a)])
    b = layers.ReLU()(layers.BatchNormalization(name="norm")(layers.Dense(32)(b)))
    return keras.Model(row, layers.Dense(3, "softmax")(b)), scaled(x), y


BUILDERS = {"digits": digits, "cancer": cancer, "wine": wine}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained networks: ``NAME.keras``, ``NAME.h5`` and ``NAME.onnx``."""
    place = tmp_path_factory.mktemp("trained")
    for name, build in BUILDERS.items():
        keras.utils.set_random_seed(1)
        model, x, y = build()
        model.compile(keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(x, y, epochs=25, batch_size=64, verbose=0)
        assert model.evaluate(x, y, verbose=0)[1] > 0.97
        model.save(place / f"{name}.keras")
        model.save(place / f"{name}.h5")
        export(model, place / f"{name}.onnx")
    return place


def export(model: Any, path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    tf2onnx = pytest.importorskip("tf2onnx")
    spec = [tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)]
    function = tf.function(lambda x: model(x, training=False), input_signature=spec)
    tf2onnx.convert.from_function(function, spec, opset=17, output_path=str(path))


def said(path: Path) -> set[str]:
    """The rules of the family that speak of a file."""
    (row,) = check([str(path)], select=["weights"], weights=True).files
    assert (None, ()) == (row.problem, row.crashes)
    return {finding.rule for finding in row.findings}


@pytest.mark.parametrize("suffix", ["keras", "h5", "onnx"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_trained_network_is_passed(folder: Path, name: str, suffix: str) -> None:
    assert set() == said(folder / f"{name}.{suffix}")


def edge(kernel: Any) -> float:
    return float(np.sqrt(6 / sum(kernel.shape)))


def changed(kernel: Any, bias: Any, unit: slice | int, value: Any) -> Arrays:
    kernel[:, unit] = value
    return [kernel, bias]


def nan(kernel: Any, bias: Any) -> Arrays:
    return changed(kernel, bias, 3, np.nan)


def constant(kernel: Any, bias: Any) -> Arrays:
    return [np.full_like(kernel, 0.05), bias]


def same(kernel: Any, bias: Any) -> Arrays:
    return [np.repeat(kernel[:, :1], 256, axis=1), np.zeros_like(bias)]


def dead(kernel: Any, bias: Any) -> Arrays:
    return changed(kernel, bias, slice(30), 0)


def twins(kernel: Any, bias: Any) -> Arrays:
    bias[7] = bias[200]
    return changed(kernel, bias, 7, kernel[:, 200])


def tiny(kernel: Any, bias: Any) -> Arrays:
    return changed(kernel, bias, slice(20), kernel[:, :20] * np.float32(1e-39))


def huge(kernel: Any, bias: Any) -> Arrays:
    bias[0] = 1e5
    return [kernel, bias]


def drawn(kernel: Any, bias: Any) -> Arrays:
    limit = edge(kernel)
    draw = np.random.default_rng(5).uniform(-limit, limit, kernel.shape)
    return [draw.astype("float32"), np.zeros_like(bias)]


def thin(kernel: Any, bias: Any) -> Arrays:
    u, s, v = np.linalg.svd(kernel)
    return [((u[:, :20] * s[:20]) @ v[:20]).astype("float32"), bias]


def shut(kernel: Any, bias: Any) -> Arrays:
    bias[9] = -1
    return changed(kernel, bias, 9, -np.abs(kernel[:, 9]))


FAULTS: dict[str, Callable[[Any, Any], Arrays]] = {
    "non-finite-weights": nan,
    "constant-kernel": constant,
    "identical-units": same,
    "dead-units": dead,
    "duplicate-units": twins,
    "denormal-weights": tiny,
    "weights-beyond-float16": huge,
    "untrained-layer": drawn,
    "low-rank-kernel": thin,
}
"""Rule → what is done to the hidden layer, in every network and format."""


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("name", NETWORKS)
def test_faults_of_a_layer_are_found_in_keras_files(
    folder: Path, name: str, suffix: str, tmp_path: Path
) -> None:
    model = keras.models.load_model(folder / f"{name}.keras")
    wide = model.get_layer("wide")
    healthy = wide.get_weights()
    found = {}
    for rule, plant in FAULTS.items():
        wide.set_weights(plant(*(array.copy() for array in healthy)))
        path = tmp_path / f"{rule}.{suffix}"
        model.save(path)
        found[rule] = said(path)
    assert {rule: {rule} for rule in FAULTS} == found


@pytest.mark.parametrize("name", NETWORKS)
def test_faults_of_a_layer_are_found_in_onnx_files(folder: Path, name: str, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    (file,) = find([str(folder / f"{name}.onnx")])
    wide = next(node for node in read(file).nodes if node.op == "Dense" and "wide" in node.name)
    names = [wide.param("kernel").name, wide.param("bias").name]
    found = {}
    for rule, plant in FAULTS.items():
        model = onnx.load(file.path)
        held = {tensor.name: tensor for tensor in model.graph.initializer}
        arrays = [onnx.numpy_helper.to_array(held[one]) for one in names]
        flat = [arrays[0].copy(), arrays[1].reshape(-1).copy()]
        for one, before, after in zip(names, arrays, plant(*flat), strict=True):
            held[one].CopyFrom(onnx.numpy_helper.from_array(after.reshape(before.shape), one))
        path = tmp_path / f"{rule}.onnx"
        onnx.save(model, path)
        found[rule] = said(path)
    assert {rule: {rule} for rule in FAULTS} == found


NORM_FAULTS: dict[str, Callable[[Any, Any, Any, Any], Arrays]] = {
    "vanished-batch-variance": lambda g, b, m, v: [g, b, m, np.where(np.arange(len(v)) == 2, 0, v)],
    "untouched-batch-statistics": lambda g, b, m, v: [g, b, np.zeros_like(m), np.ones_like(v)],
    "dead-relu-channels": lambda g, b, m, v: [g, b - 100 * (np.arange(len(b)) == 1), m, v],
}


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("name", NETWORKS)
def test_faults_of_a_normalization_are_found(folder: Path, name: str, suffix: str, tmp_path: Path) -> None:
    model = keras.models.load_model(folder / f"{name}.keras")
    norm = model.get_layer("norm")
    healthy = norm.get_weights()
    for rule, plant in NORM_FAULTS.items():
        norm.set_weights(plant(*(array.copy() for array in healthy)))
        path = tmp_path / f"{rule}.{suffix}"
        model.save(path)
        assert (rule, {rule}) == (rule, said(path))


@pytest.mark.parametrize("name", ["digits", "cancer"])
def test_a_unit_that_cannot_open_is_found_behind_a_relu(folder: Path, name: str, tmp_path: Path) -> None:
    model = keras.models.load_model(folder / f"{name}.keras")
    wide = model.get_layer("wide")
    wide.set_weights(shut(*wide.get_weights()))
    model.save(tmp_path / "shut.keras")
    assert {"dead-relu-channels"} == said(tmp_path / "shut.keras")


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_never_learned_is_told(folder: Path, name: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(2)
    fresh, _, _ = BUILDERS[name]()
    for suffix in ("keras", "h5"):
        fresh.save(tmp_path / f"fresh.{suffix}")
        assert {"untrained-model"} == said(tmp_path / f"fresh.{suffix}")
    for layer in fresh.layers:
        weights = layer.get_weights()
        if len(weights) == 2:
            layer.set_weights([np.zeros_like(weights[0]), weights[1]])
    fresh.save(tmp_path / "zero.keras")
    assert {"weights-all-zero"} == said(tmp_path / "zero.keras")


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_of_another_architecture_are_told(folder: Path, name: str, tmp_path: Path) -> None:
    path = tmp_path / "other.keras"
    with zipfile.ZipFile(folder / f"{name}.keras") as source, zipfile.ZipFile(path, "w") as target:
        for member in source.namelist():
            data = source.read(member)
            if member == "config.json":
                config = json.loads(data)
                last = config["config"]["layers"][-1]["config"]
                last["units"] += 1
                data = json.dumps(config).encode()
            target.writestr(member, data)
    assert {"weight-shape-mismatch"} == said(path)
