"""An HDF5 file that is called ordinary holds nothing that h5py would follow, whatever bytes were changed."""

import random
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from planted import keras, legacy, outside, virtual, weights

from archlint.formats.keras.hazards.links import link_hazards
from archlint.formats.keras.hazards.ordinary import Store, end_of, is_ordinary

ROOT = Path(__file__).parents[2]
FIXTURES = sorted(ROOT.glob("tests/fixtures/**/*.h5"))


def store(data: bytes) -> Store:
    return Store(lambda at, size: data[at : at + size] if at >= 0 and size > 0 else b"", len(data))


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_keras_writes_is_ordinary(path: Path) -> None:
    data = path.read_bytes()
    assert is_ordinary(store(data))
    assert len(data) == end_of(store(data))


@pytest.mark.parametrize("fill", [outside, virtual, lambda file: file.__setitem__("x", h5py.SoftLink("/y"))])
def test_what_leads_outside_is_not(tmp_path: Path, fill) -> None:
    weights(tmp_path / "w.h5", fill)
    assert not is_ordinary(store((tmp_path / "w.h5").read_bytes()))


def test_large_tensors_are_ordinary_only_when_they_are_there(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_dataset("w", (2**30 + 1,), "float32")
    assert not is_ordinary(store((tmp_path / "w.h5").read_bytes()))


def test_no_member_of_a_group_of_hundreds_is_missed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        for index in range(700):
            file[f"group/{index:03}"] = np.ones(1, "float32")
    data = (tmp_path / "w.h5").read_bytes()
    assert is_ordinary(store(data))
    with h5py.File(tmp_path / "w.h5", "a") as file:
        file["group/zzz"] = h5py.SoftLink("/elsewhere")
    assert not is_ordinary(store((tmp_path / "w.h5").read_bytes()))


def test_groups_that_hold_each_other_end(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["a/b"] = np.ones(1)
        file["a/again"] = file["a"]
    assert is_ordinary(store((tmp_path / "w.h5").read_bytes()))


def found(path: Path) -> list[str]:
    """Kinds of hazard that h5py finds; damage that it stumbles over is none."""
    kinds = [hazard.kind for hazard in link_hazards(str(path), 0, path.stat().st_size, "")]
    return [kind for kind in kinds if kind != "unsearched"]


@pytest.mark.parametrize("seed", range(4))
def test_changed_bytes_never_hide_what_h5py_sees(tmp_path: Path, seed: int) -> None:
    weights(tmp_path / "w.h5", libver="earliest")
    whole, choose = (tmp_path / "w.h5").read_bytes(), random.Random(seed)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(choose.randint(1, 3)):
            data[choose.randrange(96, len(data))] = choose.choice([0, 1, 2, 3, 7, 255, choose.randrange(256)])
        changed = tmp_path / "changed.h5"
        changed.write_bytes(bytes(data))
        if is_ordinary(store(bytes(data))):
            assert [] == found(changed)


@pytest.mark.parametrize("make", [keras, legacy])
def test_an_ordinary_archive_needs_no_h5py(tmp_path: Path, make) -> None:
    name = tmp_path / ("m.keras" if make is keras else "m.h5")
    make(name)
    code = (
        "import sys; from archlint.formats import find, read; (file,) = find([sys.argv[1]]); "
        "assert read(file).hazards == (); print('h5py' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(name)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(make is legacy)]
