"""Which files are found, in which order, and what is said of paths that hold no model."""

import errno
import os
import socket
import sys
from pathlib import Path

import pytest

from archlint.errors import ReadError
from archlint.formats import ModelFile, find

HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(100)
ZIP = b"PK\x03\x04" + bytes(100)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(path: str, data: bytes = HDF5) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(data)
    return path


def found(*paths: str) -> list[str]:
    """Paths of the models, and paths with a sentence for the rest."""
    return [entry.path if isinstance(entry, ModelFile) else str(entry) for entry in find(paths)]


def only_error(*paths: str) -> ReadError:
    (entry,) = find(paths)
    assert isinstance(entry, ReadError)
    return entry


def test_a_file_is_one_entry_with_its_format_and_size() -> None:
    assert find([write("m.h5")]) == [ModelFile("m.h5", "keras-h5", 108)]


def test_named_files_keep_their_order() -> None:
    assert found(write("b.h5"), write("a.h5")) == ["b.h5", "a.h5"]


def test_a_folder_is_searched_to_the_bottom_and_sorted() -> None:
    for path in ("z.h5", "b/y.keras", "b/c/x.HDF5", "a.keras"):
        write(path, ZIP if path.endswith(".keras") else HDF5)
    assert found(".") == ["a.keras", "b/c/x.HDF5", "b/y.keras", "z.h5"]


def test_a_search_looks_only_at_names_of_models() -> None:
    write("weights.bin")
    write("model.json", b'{"class_name": "Sequential"}')
    assert found(".") == []


@pytest.mark.parametrize("folder", [".git", "node_modules", "a/__pycache__", ".venv", "x/site-packages"])
def test_a_search_stays_out_of_caches_and_environments(folder: str) -> None:
    write(f"{folder}/m.h5")
    assert found(".") == []


@pytest.mark.parametrize("mark", ["pyvenv.cfg", "CACHEDIR.TAG"])
def test_a_folder_that_marks_itself_as_environment_or_cache_is_not_searched(mark: str) -> None:
    write("env/m.h5")
    write(f"env/{mark}")
    assert found(".") == []
    assert found("env") == ["env/m.h5"]


def test_a_skipped_folder_that_is_named_is_searched() -> None:
    write(".cache/m.h5")
    assert found(".cache") == [".cache/m.h5"]


def test_the_same_file_is_one_entry_under_its_first_name() -> None:
    write("a/m.h5")
    os.symlink("a/m.h5", "link.h5")
    assert found("a/m.h5", "./a/../a/m.h5", "link.h5", "a") == ["a/m.h5"]


def test_two_hard_links_are_two_files() -> None:
    os.link(write("a.h5"), "b.h5")
    assert found(".") == ["a.h5", "b.h5"]


def test_an_unzipped_keras_file_is_one_model_and_not_searched() -> None:
    write("m/config.json", b"{}")
    write("m/metadata.json", b"{}")
    write("m/model.weights.h5")
    assert find(["."]) == [ModelFile("m", "keras-folder", 112)]
    assert find(["m"]) == [ModelFile("m", "keras-folder", 112)]


def test_a_folder_with_another_tools_config_is_not_a_keras_model() -> None:
    write("m/config.json", b"{}")
    write("m/model.safetensors")
    assert found("m") == []


@pytest.mark.parametrize("path", ["m", "."])
def test_a_saved_model_folder_is_named_as_not_read_yet(path: str) -> None:
    write("m/saved_model.pb")
    write("m/variables/variables.index")
    assert "SavedModel folder, which is not read yet" in only_error(path).what


def test_a_path_that_does_not_exist_is_an_entry() -> None:
    write("a.h5")
    assert found("no.h5", "a.h5") == ["no.h5: there is no such file or folder", "a.h5"]


def test_a_file_used_as_a_folder_does_not_exist() -> None:
    write("a.h5")
    assert only_error("a.h5/b.h5").what == "there is no such file or folder"


@pytest.mark.parametrize("path", ["pipe.onnx", "."])
def test_a_fifo_is_never_opened(path: str) -> None:
    os.mkfifo("pipe.onnx")
    assert only_error(path).what == "this is a FIFO, which is never opened"


def test_a_socket_is_never_opened() -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.onnx")
        assert only_error(".").what == "this is a socket, which is never opened"


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_never_opened(device: str) -> None:
    assert only_error(device).what == "this is a device, which is never opened"


@pytest.mark.parametrize("path", ["m.onnx", "."])
def test_a_link_to_a_device_is_never_opened(path: str) -> None:
    os.symlink("/dev/zero", "m.onnx")
    assert only_error(path).path == "m.onnx"


@pytest.mark.parametrize("path", ["a.onnx", "."])
def test_a_link_loop_is_an_entry(path: str) -> None:
    os.symlink("b.txt", "a.onnx")
    os.symlink("a.onnx", "b.txt")
    assert only_error(path).what == "this link leads back to itself"


@pytest.mark.parametrize("path", ["a.onnx", "."])
def test_a_link_to_nothing_is_an_entry(path: str) -> None:
    os.symlink("gone.onnx", "a.onnx")
    assert only_error(path).what == "this link leads to nothing"


def test_a_folder_that_links_to_its_parent_ends() -> None:
    write("a/m.h5")
    os.symlink("..", "a/up")
    assert found(".") == ["a/m.h5"]


def test_a_linked_folder_inside_is_not_searched_twice() -> None:
    write("a/m.h5")
    os.symlink("a", "b")
    assert found(".") == ["a/m.h5"]


def test_a_search_does_not_follow_a_link_out_of_its_folder() -> None:
    write("outside.h5")
    Path("repo").mkdir()
    os.symlink("../outside.h5", "repo/m.h5")
    assert "leads out of the folder" in only_error("repo").what
    assert found("repo/m.h5") == ["repo/m.h5"]


def test_a_search_follows_a_link_that_stays_inside() -> None:
    write("repo/blobs/0a1b")
    os.symlink("blobs/0a1b", "repo/m.h5")
    assert found("repo") == ["repo/m.h5"]


def test_a_folder_named_through_a_link_is_searched() -> None:
    write("real/m.h5")
    os.symlink("real", "link")
    assert found("link") == ["link/m.h5"]


def test_a_name_that_is_not_utf_8_is_found() -> None:
    name = os.fsdecode(b"caf\xe9.h5")
    write(name)
    assert found(".") == [name]


def test_a_name_that_is_too_long_is_an_entry() -> None:
    assert only_error("x" * 5000).what == "file name too long"


def test_a_file_that_may_not_be_opened_is_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str, size_bytes: int) -> ModelFile:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(sys.modules["archlint.formats.find"], "sniff", refused)
    assert only_error(write("a.h5")).what == "it may not be read (permission denied)"


def test_a_model_400_folders_down_is_found() -> None:
    path = "d/" * 400 + "m.h5"
    write(path)
    assert found(".") == [path]
