"""How much of a file is read: its structure, whatever its weights weigh."""

import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
MEGABYTE = 2**20

COUNT = """
import sys
from archlint.formats import find, read

def bytes_read():
    return int(open("/proc/self/io").readline().split()[1])

read(find([sys.argv[1]])[0])
before = bytes_read()
read(find([sys.argv[2]])[0])
print(bytes_read() - before)
"""

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/io").exists(), reason="needs Linux's count of bytes read"
)


def bytes_read(small: Path, large: Path) -> int:
    """Bytes that one process reads for a large file, after a small one has loaded the modules."""
    done = subprocess.run(
        [sys.executable, "-c", COUNT, str(small), str(large)], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def varint(number: int) -> bytes:
    encoded = b""
    while number > 0x7F:
        encoded += bytes([number & 0x7F | 0x80])
        number >>= 7
    return encoded + bytes([number])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def test_a_keras_file_of_100_mb_costs_less_than_a_megabyte(tmp_path: Path) -> None:
    large = tmp_path / "large.keras"
    with zipfile.ZipFile(EXAMPLES / "tutorial_cnn.keras") as small, zipfile.ZipFile(large, "w") as archive:
        for name in small.namelist():
            archive.writestr(name, small.read(name))
        with archive.open("assets/weights.bin", "w", force_zip64=True) as member:
            for _ in range(100):
                member.write(bytes(MEGABYTE))
    assert large.stat().st_size > 100 * MEGABYTE
    assert bytes_read(EXAMPLES / "tutorial_cnn.keras", large) < MEGABYTE


def test_an_onnx_file_of_100_mb_costs_less_than_a_megabyte(tmp_path: Path) -> None:
    large = tmp_path / "large.onnx"
    floats = 125 * MEGABYTE
    dims = b"".join(b"\x08" + varint(size) for size in (floats // 1000, 1000))
    head = dims + b"\x10\x01" + field(8, b"w")
    raw = varint(9 << 3 | 2) + varint(4 * floats)
    tensor_size = len(head) + len(raw) + 4 * floats
    node = field(1, b"x") + field(1, b"w") + field(2, b"y") + field(4, b"MatMul")
    ports = field(11, field(1, b"x")) + field(12, field(1, b"y"))
    graph = field(1, node) + field(2, b"g") + ports + varint(5 << 3 | 2) + varint(tensor_size) + head + raw
    graph_size = len(graph) + 4 * floats
    model = b"\x08\x08" + field(8, b"\x10\x11") + varint(7 << 3 | 2) + varint(graph_size) + graph
    with large.open("wb") as file:
        file.write(model)
        file.truncate(len(model) + 4 * floats)
    assert struct.calcsize("f") * floats > 499 * MEGABYTE
    assert bytes_read(EXAMPLES / "digits.onnx", large) < MEGABYTE
