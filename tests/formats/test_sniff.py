"""Formats are told by content, and what is no model is named in a sentence."""

import zipfile
from pathlib import Path

import pytest

from archlint.errors import ReadError
from archlint.formats.sniff import SUFFIXES, sniff

FIXTURES = Path(__file__).parents[1] / "fixtures" / "parity"
HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(100)
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 553467096\n"
GRAPH = b"\x3a\x04\x12\x02gg"
ONNX = b"\x08\x08" + b"\x12\x07pytorch" + GRAPH + b"\x42\x02\x10\x11"


def format_of(folder: Path, name: str, data: bytes) -> str:
    path = folder / name
    path.write_bytes(data)
    return sniff(str(path), len(data)).format


def problem_with(folder: Path, name: str, data: bytes) -> str:
    with pytest.raises(ReadError) as caught:
        format_of(folder, name, data)
    return caught.value.what


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("m.keras", b"PK\x03\x04....", "keras"),
        ("m.zip", b"PK\x03\x04....", "keras"),
        ("m.keras", HDF5, "keras-h5"),
        ("m.h5", b"PK\x03\x04....", "keras"),
        ("m", HDF5, "keras-h5"),
        ("m.h5", bytes(512) + HDF5, "keras-h5"),
        ("m.h5", bytes(2048) + HDF5, "keras-h5"),
        ("m.json", b'{"class_name": "Sequential", "config": []}', "keras-json"),
        ("m.txt", b'\xef\xbb\xbf \n{"backend": "tensorflow", "class_name": "Model"}', "keras-json"),
        ("m.onnx", ONNX, "onnx"),
        ("m.pb", ONNX, "onnx"),
        ("m", ONNX, "onnx"),
        ("m.onnx", b"\x00\x01\x02", "onnx"),
        ("m.onnx", HDF5, "keras-h5"),
    ],
)
def test_a_format_is_told_by_content(tmp_path: Path, name: str, data: bytes, expected: str) -> None:
    assert format_of(tmp_path, name, data) == expected


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("m.onnx", b"", "the file is empty"),
        ("m.keras", LFS, "run `git lfs pull`"),
        ("m.onnx", LFS, "run `git lfs pull`"),
        ("m.h5", b"\x1f\x8b\x08\x00", "compressed with gzip"),
        ("m.h5", b"\x80\x04\x95\x00", "Python pickle"),
        ("m.npy", b"\x93NUMPY\x01\x00", "NumPy array"),
        ("m.tflite", b"\x1c\x00\x00\x00TFL3", "TensorFlow Lite"),
        ("m.keras", b"<!DOCTYPE html><html>", "web page"),
        ("m.onnx", b'ir_version: 8\ngraph { name: "g" }', "text file"),
        ("m.json", b'{"lr": 0.1}', 'no "class_name"'),
        ("saved_model.pb", b"\x08\x01\x12\x80\x04" + bytes(512), "part of a SavedModel"),
        ("m.h5", b"\x00\xff\x12\x34", "not a .h5 file: its first bytes are 00 ff 12 34"),
        ("m.bin", b"\x00\xff\x12\x34", "not a Keras or ONNX model"),
    ],
)
def test_what_is_no_model_is_named(tmp_path: Path, name: str, data: bytes, expected: str) -> None:
    assert expected in problem_with(tmp_path, name, data)


@pytest.mark.parametrize(
    "data",
    [
        ONNX[:-1],
        ONNX + b"\x00",
        ONNX + GRAPH,
        b"\x08\x08" + b"\x12\x07pytorch",
        b"\x08\x08" + b"\x3a" + b"\xff" * 10,
        b"\x08",
    ],
    ids=["cut", "rest", "two graphs", "no graph", "endless length", "no number"],
)
def test_without_the_suffix_only_a_whole_onnx_model_is_one(tmp_path: Path, data: bytes) -> None:
    assert "not a Keras or ONNX model" in problem_with(tmp_path, "m.bin", data)


def test_a_long_run_of_tiny_fields_is_given_up(tmp_path: Path) -> None:
    assert "not a Keras" in problem_with(tmp_path, "m.bin", b"\x08\x08" * 100_000 + GRAPH)


def test_a_text_cut_inside_a_character_is_still_a_text(tmp_path: Path) -> None:
    data = ("a" + "é" * 4096).encode()
    assert "text file" in problem_with(tmp_path, "m.keras", data)


@pytest.mark.parametrize(
    "path", sorted(path for path in FIXTURES.iterdir() if path.suffix in SUFFIXES), ids=lambda path: path.name
)
def test_real_files_are_told_without_their_suffix(tmp_path: Path, path: Path) -> None:
    expected = {".keras": "keras", ".h5": "keras-h5", ".onnx": "onnx"}[path.suffix]
    assert format_of(tmp_path, "model", path.read_bytes()) == expected


def test_a_zip_is_a_zip_whatever_stands_in_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    assert sniff(str(tmp_path / "m.keras"), 1).format == "keras"


def test_a_model_of_5_gb_is_told_by_its_lengths_alone(tmp_path: Path) -> None:
    path = tmp_path / "m.bin"
    head = b"\x08\x08\x3a\x80\x80\x80\x80\x14"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + 5 * 2**30)
    assert sniff(str(path), path.stat().st_size).format == "onnx"
