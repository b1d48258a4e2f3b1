"""Contents of Keras weights, in files written by hand: in place, never through links, silent when damaged."""

import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from archlint.formats import find, open_weights, read
from archlint.graph import Graph, Weights

KERNEL = np.arange(12, dtype="float32").reshape(4, 3)
BIAS = np.ones(3, "float32")


def config(units: int = 3, dtype: str = "float32") -> dict:
    layers = [
        {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, 4]}},
        {"class_name": "Dense", "config": {"name": "out", "units": units, "dtype": dtype}},
    ]
    return {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}


def weights_file(path: Path, kernel: np.ndarray = KERNEL, group: str = "layers/dense/vars") -> Path:
    with h5py.File(path, "w") as file:
        holder = file.create_group(group)
        holder["0"], holder["1"] = kernel, BIAS
    return path


def packed(path: Path, weights: Path, units: int = 3, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("config.json", json.dumps(config(units)))
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.write(weights, "model.weights.h5")
    return path


def opened(path: Path) -> tuple[Graph, Weights]:
    (file,) = find([str(path)])
    graph = read(file)
    weights = open_weights(file, graph)
    assert weights is not None
    return graph, weights


def contents(path: Path) -> list[np.ndarray | None]:
    graph, weights = opened(path)
    return [weights.read(param) for node in graph.nodes for param in node.params]


def same(expected: list[np.ndarray], found: list[np.ndarray | None]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(expected, found, strict=True))


def test_variables_are_read_inside_the_zip(tmp_path: Path) -> None:
    path = packed(tmp_path / "m.keras", weights_file(tmp_path / "w.h5"))
    assert same([KERNEL, BIAS], contents(path))


def test_the_group_of_older_versions_is_known(tmp_path: Path) -> None:
    weights = weights_file(tmp_path / "w.h5", group="_layer_checkpoint_dependencies/dense/vars")
    assert same([KERNEL, BIAS], contents(packed(tmp_path / "m.keras", weights)))


def test_an_unpacked_folder_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "m.keras"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config()))
    (folder / "metadata.json").write_text(json.dumps({"keras_version": "3.15.1"}))
    weights_file(folder / "model.weights.h5")
    assert same([KERNEL, BIAS], contents(folder))


def test_bfloat16_is_read_as_the_upper_half_of_float32(tmp_path: Path) -> None:
    path = weights_file(tmp_path / "w.h5")
    halves = (KERNEL.view("uint32") >> 16).astype("uint16")
    with h5py.File(path, "a") as file:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = halves.view("V2")
        file["layers/dense/vars/0"].attrs["dtype"] = "bfloat16"
    assert same([KERNEL, BIAS], contents(packed(tmp_path / "m.keras", path)))


@pytest.mark.parametrize("kind", ["soft", "external link", "external storage", "virtual"])
def test_nothing_outside_of_the_file_is_read(kind: str, tmp_path: Path) -> None:
    other = tmp_path / "secret.h5"
    with h5py.File(other, "w") as file:
        file["kernel"] = KERNEL
    path = weights_file(tmp_path / "w.h5")
    with h5py.File(path, "a") as file:
        holder = file["layers/dense/vars"]
        del holder["0"]
        if kind == "soft":
            holder["0"] = h5py.SoftLink("/layers/dense/vars/1")
        elif kind == "external link":
            holder["0"] = h5py.ExternalLink(str(other), "kernel")
        elif kind == "external storage":
            holder.create_dataset("0", (4, 3), "float32", external=[(str(other), 0, 48)])
        else:
            layout = h5py.VirtualLayout((4, 3), "float32")
            layout[...] = h5py.VirtualSource(str(other), "kernel", (4, 3))
            holder.create_virtual_dataset("0", layout)
    found = contents(packed(tmp_path / "m.keras", path))
    assert found[0] is None
    assert np.array_equal(BIAS, found[1])


def test_a_shape_that_the_architecture_does_not_ask_for_is_a_mismatch(tmp_path: Path) -> None:
    _, weights = opened(packed(tmp_path / "m.keras", weights_file(tmp_path / "w.h5"), units=5))
    assert [("out/kernel", (4, 5), (4, 3)), ("out/bias", (5,), (3,))] == [
        (row.param, row.expected, row.found) for row in weights.mismatches()
    ]


def test_a_missing_variable_is_a_mismatch_and_a_missing_layer_is_not(tmp_path: Path) -> None:
    path = weights_file(tmp_path / "w.h5")
    with h5py.File(path, "a") as file:
        del file["layers/dense/vars/1"]
    _, weights = opened(packed(tmp_path / "part.keras", path))
    assert [("out/bias", None)] == [(row.param, row.found) for row in weights.mismatches()]
    with h5py.File(path, "a") as file:
        del file["layers/dense"]
    _, weights = opened(packed(tmp_path / "none.keras", path))
    assert () == weights.mismatches()


@pytest.mark.parametrize("damage", ["cut", "packed", "not HDF5"])
def test_damaged_weights_are_unknown(damage: str, tmp_path: Path) -> None:
    path = weights_file(tmp_path / "w.h5")
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:300])
    elif damage == "not HDF5":
        path.write_bytes(b"text")
    method = zipfile.ZIP_DEFLATED if damage == "packed" else zipfile.ZIP_STORED
    target = packed(tmp_path / "m.keras", path, compression=method)
    assert [None, None] == contents(target)
    assert () == opened(target)[1].mismatches()
