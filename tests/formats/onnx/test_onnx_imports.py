"""Reading an ONNX file needs neither onnx nor numpy: importing them costs more than the reading."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FIXTURE = Path(__file__).parents[2] / "fixtures/onnx/torch_legacy_flatten.onnx"

SCRIPT = """
import sys
from archlint.formats.base import ModelFile
from archlint.formats.onnx import read
read(ModelFile(sys.argv[1], "onnx", 0))
print(sorted({"onnx", "numpy", "google", "h5py"} & sys.modules.keys()))
"""


def test_onnx_and_numpy_are_not_imported() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, FIXTURE], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.strip()
