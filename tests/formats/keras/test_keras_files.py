"""Files as they come: damaged, hostile or not what their name says. Each gives one clear sentence."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import pytest

from archlint.errors import ReadError
from archlint.formats.base import ModelFile
from archlint.formats.keras import files, read
from archlint.graph import Graph

FIXTURES = Path(__file__).parents[2] / "fixtures" / "keras"
SMALL = {
    "class_name": "Sequential",
    "config": {
        "name": "small",
        "layers": [
            {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, 4]}},
            {"class_name": "Dense", "config": {"name": "fc", "units": 2, "activation": "relu"}},
        ],
    },
}


def _read(path: Path, format_: str = "keras") -> Graph:
    return read(ModelFile(str(path), format_, path.stat().st_size))


def _error(path: Path, format_: str = "keras") -> str:
    with pytest.raises(ReadError) as caught:
        _read(path, format_)
    return str(caught.value)


def _zip(path: Path, members: dict[str, Any], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, text in members.items():
            archive.writestr(name, text if isinstance(text, bytes | str) else json.dumps(text))
    return path


def test_the_same_model_is_read_from_a_zip_a_folder_and_its_json(tmp_path: Path) -> None:
    packed = _zip(tmp_path / "m.keras", {"config.json": SMALL, "metadata.json": {"keras_version": "3.9.0"}})
    folder = tmp_path / "m"
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(folder)
    bare = tmp_path / "m.json"
    bare.write_text(json.dumps(SMALL))
    nodes = _read(packed).nodes
    assert ["fc", "fc/relu"] == [node.name for node in nodes]
    assert nodes == _read(folder, "keras-folder").nodes == _read(bare, "keras-json").nodes
    assert {"producer": "keras 3.9.0"} == _read(packed).metadata


def test_a_deflated_archive_is_read(tmp_path: Path) -> None:
    path = _zip(tmp_path / "m.keras", {"config.json": SMALL}, zipfile.ZIP_DEFLATED)
    assert 2 == len(_read(path).nodes)


def test_weights_alone_are_said_to_be_weights(tmp_path: Path) -> None:
    path = _zip(tmp_path / "m.keras", {"model.weights.h5": b""})
    assert "weights only" in _error(path)
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["dense/kernel"] = [1.0]
    assert "no architecture" in _error(tmp_path / "w.h5", "keras-h5")


def test_a_truncated_archive_is_damaged(tmp_path: Path) -> None:
    path = _zip(tmp_path / "m.keras", {"config.json": SMALL})
    path.write_bytes(path.read_bytes()[:-30])
    assert "damaged" in _error(path)


def test_a_damaged_member_is_named(tmp_path: Path) -> None:
    path = _zip(tmp_path / "m.keras", {"config.json": SMALL})
    path.write_bytes(path.read_bytes().replace(b"Sequential", b"Sequentiel"))
    assert "config.json: the member is damaged" in _error(path)


def test_a_member_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = _zip(tmp_path / "m.keras", {"config.json": SMALL})
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("config.json", "{}")
    assert "more than once" in _error(path)


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = _zip(tmp_path / "m.keras", {"config.json": SMALL})
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "encrypted" in _error(path)


def test_a_bomb_is_not_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_TEXT_BYTES", 10_000)
    path = _zip(tmp_path / "m.keras", {"config.json": " " * 20_000}, zipfile.ZIP_DEFLATED)
    assert "unpacks to 20000 bytes" in _error(path)


def test_a_bomb_that_lies_about_its_size_is_not_inflated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_TEXT_BYTES", 10_000)
    path = _zip(tmp_path / "m.keras", {"config.json": " " * 20_000}, zipfile.ZIP_DEFLATED)
    data = path.read_bytes().replace((20_000).to_bytes(4, "little"), (90).to_bytes(4, "little"))
    path.write_bytes(data)
    assert "config.json" in _error(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "nested deeper"),
        ('{"a":' * 100_000, "nested deeper"),
        ('{"a": ' + "9" * 5_000 + "}", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[]", "expected an object, found a list"),
        ("7", "expected an object"),
        ("{}", "class_name: expected text, found nothing"),
    ],
)
def test_json_that_is_no_model_is_one_sentence(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(text)
    assert words in _error(path, "keras-json")


def test_text_that_is_not_utf8_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(b'{"class_name": "\xff\xfe"}')
    assert "not UTF-8" in _error(path, "keras-json")


def test_an_hdf5_file_that_is_cut_short_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    path.write_bytes((FIXTURES / "keras-3.0.5" / "sequential.h5").read_bytes()[:600])
    assert "damaged" in _error(path, "keras-h5")


def test_attributes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["model_config"] = [1, 2, 3]
    assert "not a text" in _error(tmp_path / "m.h5", "keras-h5")


def test_a_config_of_any_length_is_read_from_hdf5(tmp_path: Path) -> None:
    config = {**SMALL, "padding": "x" * 200_000}
    for text in (json.dumps(config), json.dumps(config).encode()):
        with h5py.File(tmp_path / "m.h5", "w") as file:
            file.attrs["model_config"] = text
        assert 2 == len(_read(tmp_path / "m.h5", "keras-h5").nodes)


def test_links_in_an_hdf5_file_are_not_followed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(SMALL)
        file["model_weights"] = h5py.ExternalLink("/dev/zero", "/")
        file["loop"] = h5py.SoftLink("/loop")
    assert 2 == len(_read(tmp_path / "m.h5", "keras-h5").nodes)


def test_links_in_the_weights_of_an_unknown_layer_are_not_followed(tmp_path: Path) -> None:
    config = json.loads(json.dumps(SMALL))
    config["config"]["layers"][1]["class_name"] = "Mine"
    with h5py.File(tmp_path / "w.h5", "w") as file:
        group = file.create_group("layers/mine")
        group["real"] = [1.0, 2.0]
        group["outside"] = h5py.ExternalLink("/etc/passwd", "/")
        group["again"] = h5py.SoftLink("/layers")
    weights = (tmp_path / "w.h5").read_bytes()
    path = _zip(tmp_path / "m.keras", {"config.json": config, "model.weights.h5": weights})
    assert [("fc/real", (2,))] == [(param.name, param.shape) for param in _read(path).nodes[0].params]


def test_reading_a_keras_file_needs_neither_numpy_nor_h5py() -> None:
    path = FIXTURES / "keras-3.0.5" / "sequential.keras"
    code = (
        "import sys\n"
        "from archlint.formats.base import ModelFile\n"
        "from archlint.formats.keras import read\n"
        f"read(ModelFile({str(path)!r}, 'keras', 0))\n"
        "print(sorted({'numpy', 'h5py', 'onnx', 'tensorflow', 'keras'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.strip()


def test_a_heap_that_hdf5_would_walk_for_ever_is_refused(tmp_path: Path) -> None:
    data = bytearray((FIXTURES / "keras-3.15.1" / "sequential.h5").read_bytes())
    for found in re.finditer(b"GCOL", data):
        first = found.start() + 16
        data[first : first + 16] = bytes(16)
    path = tmp_path / "m.h5"
    path.write_bytes(data)
    assert "takes no room" in _error(path, "keras-h5")


def test_a_padding_that_keras_does_not_have_is_named(tmp_path: Path) -> None:
    conv = {"name": "conv", "filters": 2, "kernel_size": 3, "padding": "vax"}
    layers = [
        {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, 8, 8, 1]}},
        {"class_name": "Conv2D", "config": conv},
    ]
    path = tmp_path / "m.json"
    path.write_text(json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": layers}}))
    assert "one of valid, same, causal" in _error(path, "keras-json")


def test_a_member_without_a_name_stops_nothing(tmp_path: Path) -> None:
    path = _zip(tmp_path / "m.keras", {"config.json": SMALL, "zq": b""})
    path.write_bytes(path.read_bytes().replace(b"zq", b"\0q"))
    assert 2 == len(_read(path).nodes)
