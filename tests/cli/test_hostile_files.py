"""Files as they come: one row with a sentence each, in bounded time and memory; the others are linted."""

import json
import os
import random
import resource
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "examples/digits.onnx"
CNN = ROOT / "examples/tutorial_cnn.keras"
SECONDS = 60
MEMORY_BYTES = 2**30
DEEP = 100_000


def varint(number: int) -> bytes:
    encoded = b""
    while number > 0x7F:
        encoded += bytes([number & 0x7F | 0x80])
        number >>= 7
    return encoded + bytes([number])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def onnx_model(*nodes: tuple[str, str, str], extra: bytes = b"") -> bytes:
    """A model of (op, input, output) nodes from x to y."""
    graph = b"".join(
        field(1, field(1, i.encode()) + field(2, o.encode()) + field(4, op.encode())) for op, i, o in nodes
    )
    graph += field(2, b"g") + extra + field(11, field(1, b"x")) + field(12, field(1, b"y"))
    return b"\x08\x08" + field(7, graph) + field(8, b"\x10\x11")


def keras_zip(path: Path, config: bytes, compress: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compress) as archive:
        archive.writestr("metadata.json", b'{"keras_version": "3.15.1"}')
        archive.writestr("config.json", config)


def zip_bomb(path: Path) -> None:
    keras_zip(path, b'{"class_name": "' + bytes(300 * 2**20), zipfile.ZIP_DEFLATED)


def deep_json(path: Path) -> None:
    keras_zip(path, b'{"class_name": "Sequential", "config": ' + b"[" * DEEP + b"]" * DEEP + b"}")


def deep_models(path: Path) -> None:
    inner = '{"class_name": "Sequential", "config": {"name": "s", "layers": ['
    keras_zip(path, (inner * 5000 + "]}}" * 5000).encode())


def huge_integer(path: Path) -> None:
    keras_zip(path, b'{"class_name": "Sequential", "config": ' + b"9" * 5000 + b"}")


def no_config(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing here")


def truncated_zip(path: Path) -> None:
    path.write_bytes(CNN.read_bytes()[:20_000])


def truncated_onnx(path: Path) -> None:
    path.write_bytes(DIGITS.read_bytes()[:9_000])


def truncated_h5(path: Path) -> None:
    path.write_bytes((ROOT / "tests/fixtures/parity/lenet.h5").read_bytes()[:3_000])


def random_bytes(path: Path) -> None:
    path.write_bytes(random.Random(0).randbytes(50_000))


def cyclic(path: Path) -> None:
    path.write_bytes(onnx_model(("Relu", "b", "a"), ("Relu", "a", "b"), ("Relu", "b", "y")))


def dangling(path: Path) -> None:
    path.write_bytes(onnx_model(("Relu", "nowhere", "y")))


def endless_length(path: Path) -> None:
    path.write_bytes(b"\x08\x08\x3a" + b"\xff" * 9 + b"\x01")


def escaping_weights(path: Path) -> None:
    entry = field(13, field(1, b"location") + field(2, b"../../etc/passwd"))
    tensor = b"\x08\x04\x10\x01" + field(8, b"w") + entry + b"\x70\x01"
    path.write_bytes(onnx_model(("Relu", "x", "y"), ("Neg", "w", "z"), extra=field(5, tensor)))


def weights_beyond_their_file(path: Path) -> None:
    entries = [(b"location", b"pointer.onnx"), (b"offset", b"0"), (b"length", b"4000000")]
    external = b"".join(field(13, field(1, key) + field(2, value)) for key, value in entries)
    tensor = b"\x08\x04\x10\x01" + field(8, b"w") + external + b"\x70\x01"
    path.write_bytes(onnx_model(("Relu", "x", "y"), ("Neg", "w", "z"), extra=field(5, tensor)))


def pointer(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")


def h5_without_model(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file["weights"] = [1.0]


FILES = {
    "zip_bomb.keras": zip_bomb,
    "deep_json.keras": deep_json,
    "deep_models.keras": deep_models,
    "huge_integer.keras": huge_integer,
    "no_config.keras": no_config,
    "truncated.keras": truncated_zip,
    "truncated.onnx": truncated_onnx,
    "truncated.h5": truncated_h5,
    "random.onnx": random_bytes,
    "random.keras": random_bytes,
    "random.h5": random_bytes,
    "cyclic.onnx": cyclic,
    "dangling.onnx": dangling,
    "endless_length.onnx": endless_length,
    "escaping_weights.onnx": escaping_weights,
    "pointer.onnx": pointer,
    "weights_beyond.onnx": weights_beyond_their_file,
    "h5_without_model.h5": h5_without_model,
    "empty.onnx": Path.touch,
    "fifo.onnx": os.mkfifo,
    "device.onnx": lambda path: path.symlink_to("/dev/zero"),
    "loop.onnx": lambda path: path.symlink_to(path.name),
}


def bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """One run over all of them and a healthy model, with a bound on time and memory."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, write in FILES.items():
        write(folder / name)
    shutil.copy(DIGITS, folder / "healthy.onnx")
    done = subprocess.run(
        [sys.executable, "-m", "archlint", "--format", "json", "."],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        preexec_fn=bounded,
    )
    assert done.returncode == 2
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", sorted(FILES))
def test_each_is_one_row_with_a_sentence(report: dict, name: str) -> None:
    (row,) = (file for file in report["files"] if file["path"] == name)
    assert row["error"] is not None
    assert " " in row["error"]["what"]
    assert "internal error" not in row["error"]["what"]
    assert {finding["family"] for finding in row["findings"]} <= {"security"}


def test_the_healthy_model_among_them_is_linted(report: dict) -> None:
    (row,) = (file for file in report["files"] if file["path"] == "healthy.onnx")
    assert (row["error"], row["params"]) == (None, 6152)


def test_nothing_else_is_in_the_report(report: dict) -> None:
    assert len(report["files"]) == len(FILES) + 1
