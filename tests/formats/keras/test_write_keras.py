"""What a patched Keras file keeps, what is renamed in it, and what is refused; without a framework."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from patch_models import (
    VERSIONS,
    bypass,
    changed,
    doubled,
    functional,
    input_layer,
    insert,
    layer,
    reads,
    saved,
    sequential,
    without_bias,
)

from archlint.errors import PatchError
from archlint.formats import find, open_weights, read
from archlint.formats.base import ModelFile
from archlint.formats.keras.write import dropped_state, write
from archlint.graph import Graph, Node, Origin, SetTraining, Splice
from archlint.graph.edits import Edit

FIXTURES = Path(__file__).parents[2] / "fixtures" / "keras"
FORMATS = ("keras", "keras-h5", "keras-folder", "keras-json")
NEW = VERSIONS[0]


def chain(version: str = NEW, **first: object) -> dict:
    layers = [
        input_layer("x", [None, 6, 6, 3], version),
        layer("Conv2D", "a", version, filters=4, kernel_size=[3, 3], **first),
        layer("Conv2D", "b", version, filters=4, kernel_size=[1, 1]),
        layer("Dropout", "drop", version, rate=0.5),
        layer("Conv2D", "c", version, filters=5, kernel_size=[1, 1]),
        layer("Flatten", "flatten", version),
        layer("Dense", "hidden", version, units=5, activation="relu"),
        layer("Dense", "out", version, units=3, activation="softmax"),
    ]
    return sequential("m", layers, version)


def patched(file: ModelFile, *edits: Edit) -> tuple[ModelFile, Graph]:
    graph = read(file)
    out = Path(file.path).with_name("new" + Path(file.path).suffix)
    write(file, graph, edits, str(out))
    (new,) = find([str(out)])
    return new, read(new)


def refused(file: ModelFile, *edits: Edit) -> str:
    """Why edits are refused; nothing may be left behind."""
    folder = Path(file.path).parent
    before = sorted(folder.iterdir())
    with pytest.raises(PatchError) as caught:
        write(file, read(file), edits, str(folder / f"new{Path(file.path).suffix}"))
    assert before == sorted(folder.iterdir())
    return str(caught.value)


def of(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def opened(path: Path) -> h5py.File:
    with zipfile.ZipFile(path) as archive:
        (path.parent / "seen.h5").write_bytes(archive.read("model.weights.h5"))
    return h5py.File(path.parent / "seen.h5")


@pytest.mark.parametrize(
    "name",
    [str(path.relative_to(FIXTURES)) for path in sorted(FIXTURES.glob("*/*.*")) if path.suffix != ".py"],
)
def test_without_edits_the_config_stays_as_it_is(name: str, tmp_path: Path) -> None:
    (file,) = find([str(FIXTURES / name)])
    graph = read(file)
    out = tmp_path / Path(name).name
    write(file, graph, (), str(out))
    assert texts(Path(file.path)) == texts(out)
    (new,) = find([str(out)])
    before, after = open_weights(file, graph), open_weights(new, graph)
    for param in (param for node in graph.nodes for param in node.params if before is not None):
        assert np.array_equal(before.read(param), after.read(param))


def texts(path: Path) -> object:
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("config.json"))
    if path.suffix == ".h5":
        with h5py.File(path) as file:
            return json.loads(file.attrs["model_config"])
    return json.loads(path.read_text())


def test_everything_beside_the_layers_survives(tmp_path: Path) -> None:
    file = saved(tmp_path, chain(), "keras", NEW)
    patched(file, bypass(read(file), "drop"))
    with zipfile.ZipFile(file.path) as old, zipfile.ZipFile(tmp_path / "new.keras") as new:
        assert old.namelist() == new.namelist()
        assert {zipfile.ZIP_STORED} == {info.compress_type for info in new.infolist()}
        assert old.read("metadata.json") == new.read("metadata.json")
        assert old.read("assets/words.txt") == new.read("assets/words.txt")
        assert new.testzip() is None
    with opened(tmp_path / "new.keras") as weights:
        assert [0, 1, 2] == list(weights["unknown"])
        assert 7 == weights["optimizer/vars/0"][()]
        assert 1 == weights["metrics/mean/vars/0"][()]


@pytest.mark.parametrize("kind", FORMATS)
def test_the_original_is_not_touched(kind: str, tmp_path: Path) -> None:
    file = saved(tmp_path, chain(), kind, NEW)
    paths = [Path(file.path)] if kind != "keras-folder" else list(Path(file.path).glob("*.*"))
    before = [of(str(path)) for path in paths]
    patched(file, bypass(read(file), "drop"))
    assert before == [of(str(path)) for path in paths]


def test_a_file_is_replaced_only_by_its_own_path(tmp_path: Path) -> None:
    file = saved(tmp_path, chain(), "keras", NEW)
    graph = read(file)
    write(file, graph, [doubled(graph, "b")], file.path)
    assert ["a", "b", "drop", "c", "flatten", "hidden", "hidden/relu", "out", "out/softmax"] == [
        node.name for node in read(find([file.path])[0]).nodes
    ]


def test_groups_of_later_layers_are_renamed(tmp_path: Path) -> None:
    file = saved(tmp_path, chain(), "keras", NEW)
    with opened(Path(file.path)) as weights:
        wanted = weights["layers/conv2d_2/vars/0"][()]
    patched(file, bypass(read(file), "b"))
    with opened(tmp_path / "new.keras") as weights:
        assert ["conv2d", "conv2d_1"] == [name for name in weights["layers"] if name.startswith("conv")]
        assert np.array_equal(wanted, weights["layers/conv2d_1/vars/0"][()])


def test_bfloat16_is_copied_and_computed(tmp_path: Path) -> None:
    model = chain()
    for entry in model["config"]["layers"][1:]:
        entry["config"]["dtype"] = "bfloat16"
    weights = tmp_path / "w.h5"
    kernel = np.arange(108, dtype="float32").reshape(3, 3, 3, 4)
    with h5py.File(weights, "w") as file:
        for name in ("conv2d", "conv2d_1"):
            shape = (3, 3, 3, 4) if name == "conv2d" else (1, 1, 4, 4)
            values = (np.resize(kernel, shape).view("u4") >> 16).astype("u2").view("V2")
            for index, one in enumerate((values, np.zeros(4, "u2").view("V2"))):
                file[f"layers/{name}/vars/{index}"] = one
                file[f"layers/{name}/vars/{index}"].attrs["dtype"] = "bfloat16"
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(model))
        archive.writestr("metadata.json", json.dumps({"keras_version": NEW}))
        archive.write(weights, "model.weights.h5")
    (file_,) = find([str(tmp_path / "m.keras")])
    graph = read(file_)
    new, after = patched(file_, doubled(graph, "b"))
    found = open_weights(new, after)
    assert found is not None
    params = {param.name: param for node in after.nodes for param in node.params}
    assert np.array_equal(kernel, found.read(params["a/kernel"]))
    assert np.array_equal(2 * np.resize(kernel, (1, 1, 4, 4)), found.read(params["b/kernel"]))
    with opened(tmp_path / "new.keras") as made:
        assert "bfloat16" == made["layers/conv2d_1/vars/0"].attrs["dtype"]


@pytest.mark.parametrize("kind", ["keras", "keras-h5"])
def test_the_optimizers_state_goes_when_the_trained_tensors_change(kind: str, tmp_path: Path) -> None:
    file = saved(tmp_path, chain(), kind, NEW)
    graph = read(file)
    assert "" == dropped_state(file, graph, [bypass(graph, "drop")])
    assert "a/bias" in dropped_state(file, graph, [without_bias(graph, "a")])
    patched(file, without_bias(graph, "a"))
    path = tmp_path / f"new{Path(file.path).suffix}"
    with opened(path) if kind == "keras" else h5py.File(path) as weights:
        assert not {"optimizer", "optimizer_weights"} & set(weights)


def test_long_lists_of_names_are_split_as_keras_splits_them(tmp_path: Path) -> None:
    """HDF5 has no room for an attribute above 64 kB; Keras then writes layer_names0, layer_names1, …"""
    names = [f"dropout_{index:04}_{'x' * 100}" for index in range(700)]
    layers = [input_layer("x", [None, 4], NEW)]
    layers += [layer("Dropout", name, NEW, rate=0.5) for name in names]
    layers.append(layer("Dense", "out", NEW, units=2))
    file = saved(tmp_path, sequential("m", layers, NEW), "keras-h5", NEW)
    with h5py.File(file.path, "a") as held:
        top = held["model_weights"]
        every = [name.encode() for name in ["x", *names, "out"]]
        del top.attrs["layer_names"]
        top.attrs["layer_names0"], top.attrs["layer_names1"] = every[:400], every[400:]
    _, after = patched(file, bypass(read(file), names[0]))
    with h5py.File(tmp_path / "new.h5") as new:
        found = [*new["model_weights"].attrs["layer_names0"], *new["model_weights"].attrs["layer_names1"]]
    assert [name.encode() for name in ["x", *names[1:], "out"]] == [bytes(name) for name in found]
    assert 700 == len(after.nodes)


def test_a_first_layer_that_states_the_input_hands_it_on(tmp_path: Path) -> None:
    layers = chain("2.15.0")["config"]["layers"][1:]
    layers.insert(0, layer("Dropout", "first", "2.15.0", rate=0.5, batch_input_shape=[None, 6, 6, 3]))
    file = saved(tmp_path, sequential("m", layers, "2.15.0"), "keras-h5", "2.15.0")
    _, after = patched(file, bypass(read(file), "first"))
    assert ["first_input"] == [name for name, _ in after.inputs]


def two_branches(version: str = NEW) -> dict:
    layers = [
        reads(input_layer("x", [None, 6, 6, 3], version), version=version),
        reads(layer("Conv2D", "a", version, filters=3, kernel_size=[1, 1]), "x", version=version),
        reads(layer("Conv2D", "b", version, filters=3, kernel_size=[1, 1]), "x", version=version),
        reads(layer("Add", "sum", version), "a", "b", version=version, many=True),
        reads(layer("Dropout", "drop", version, rate=0.5), "sum", version=version),
        reads(layer("GlobalAveragePooling2D", "gap", version), "drop", version=version),
    ]
    return functional("m", layers, version)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_shapes_that_references_state_follow(version: str, tmp_path: Path) -> None:
    file = saved(tmp_path, two_branches(version), "keras-json", version)
    graph = read(file)
    pad = Node("pad", "Pad", (), (), {"pads": ((0, 0), (1, 1), (2, 2), (0, 0))})
    _, after = patched(file, insert(graph, "x", pad))
    assert ("pad",) == after.by_name["a"].inputs == after.by_name["b"].inputs
    found = json.loads((tmp_path / "new.json").read_text())["config"]["layers"]
    made = next(entry for entry in found if entry["config"]["name"] == "pad")
    assert "ZeroPadding2D" == made["class_name"]
    if version == NEW:
        tensor = next(one for one in found if one["config"]["name"] == "a")["inbound_nodes"][0]["args"][0]
        assert [None, 8, 10, 3] == tensor["config"]["shape"]


def fresh(op: str, reader: str, *inputs: str, **attrs: object) -> Splice:
    node = Node("fresh", op, inputs, ("fresh",), attrs, (), (), Origin("", ("fresh",)))
    return Splice(added=(node,), moved={reader: "fresh"})


def test_what_keras_cannot_say_is_refused_with_the_node(tmp_path: Path) -> None:
    file = saved(tmp_path, chain(), "keras", NEW)
    graph = read(file)
    assert "'fresh' (Erf)" in refused(file, fresh("Erf", "b", "b"))
    assert "would need a branch" in refused(file, fresh("Add", "b", "b", "a"))
    lower = changed(graph, "b", padding="same_lower")
    assert "no padding 'same_lower'" in refused(file, unlike(lower, "fresh_conv"))
    assert "'fresh_conv'" in refused(
        file, unlike(changed(graph, "b", padding=((1, 1), (1, 1))), "fresh_conv")
    )
    assert graph.training is not None
    fewer = SetTraining(replace(graph.training, losses=()))
    assert "the number of loss settings" in refused(file, fewer)


def unlike(splice: Splice, name: str) -> Splice:
    """The same node in a layer of another name."""
    (node,) = splice.added
    made = replace(node, name=name, outputs=(name,), origin=Origin("", (name,)))
    return Splice(splice.removed, (made,), {node.name: name})


def test_constraints_shared_layers_and_packed_weights_are_refused(tmp_path: Path) -> None:
    held = {"kernel_constraint": {"class_name": "NonNeg", "config": {}}}
    file = saved(tmp_path, chain(**held), "keras", NEW)
    assert "kernel_constraint" in refused(file, without_bias(read(file), "a"))
    layers = two_branches()["config"]["layers"]
    layers[2] = reads(layer("Dropout", "b", NEW, rate=0.5), "x", version=NEW)
    layers[2]["inbound_nodes"] += layers[4]["inbound_nodes"]
    layers[4] = reads(layer("Dropout", "drop", NEW, rate=0.5), "b", version=NEW)
    layers[4]["inbound_nodes"][0]["args"][0]["config"]["keras_history"][1] = 1
    shared = saved(tmp_path, functional("m", layers, NEW), "keras-json", NEW)
    assert "called several times" in refused(shared, bypass(read(shared), "b"))
    with (
        zipfile.ZipFile(file.path) as old,
        zipfile.ZipFile(tmp_path / "p.keras", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    (packed,) = find([str(tmp_path / "p.keras")])
    assert "not in a plain model.weights.h5" in refused(packed, bypass(read(packed), "b"))


def test_a_folder_never_takes_the_place_of_another(tmp_path: Path) -> None:
    file = saved(tmp_path, chain(), "keras-folder", NEW)
    (tmp_path / "new").mkdir()
    assert "it exists" in refused(file, bypass(read(file), "drop"))


KILLED = """
import sys, time
from archlint.formats import find, read
from archlint.formats.keras.write import write
from archlint.graph import Made, Splice
(file,) = find([sys.argv[1]])
graph = read(file)
node = graph.by_name["b"]
def slow(values):
    print("computing", flush=True)
    time.sleep(60)
made = {"b/kernel": Made(("b/kernel",), slow)}
write(file, graph, [Splice(frozenset({"b"}), (node,), {}, made)], sys.argv[1])
"""


@pytest.mark.parametrize("kind", ["keras", "keras-h5"])
def test_a_kill_in_the_middle_leaves_the_old_file(kind: str, tmp_path: Path) -> None:
    file = saved(tmp_path, chain(), kind, NEW)
    before = of(file.path)
    process = subprocess.Popen([sys.executable, "-c", KILLED, file.path], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert b"computing\n" == process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert before == of(file.path)
    left = [path for path in tmp_path.iterdir() if path.name.startswith(".m.")]
    assert len(left) == 1
    os.utime(left[0], (time.time() - 3600,) * 2)
    graph = read(file)
    write(file, graph, [doubled(graph, "b")], file.path)
    assert [] == [path for path in tmp_path.iterdir() if path.name.startswith(".m.")]


MEASURED = """
import sys
from archlint.formats import find, read
from archlint.formats.keras.write import write
sys.path.insert(0, sys.argv[3])
from patch_models import unlocked
(file,) = find([sys.argv[1]])
graph = read(file)
write(file, graph, unlocked(graph, "flatten", "hidden"), sys.argv[2])
with open("/proc/self/status") as status:
    print(next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process's memory is read from /proc")
@pytest.mark.parametrize("kind", ["keras", "keras-h5"])
def test_memory_does_not_grow_with_the_weights(kind: str, tmp_path: Path) -> None:
    """A head of 411 MB, as VGG16's; 60 MB were measured."""
    layers = [
        input_layer("x", [None, 7, 7, 512], NEW),
        layer("Flatten", "flatten", NEW),
        layer("Dense", "hidden", NEW, units=4096, activation="relu"),
        layer("Dense", "out", NEW, units=3, activation="softmax"),
    ]
    file = saved(tmp_path, sequential("m", layers, NEW), kind, NEW)
    assert file.size_bytes > 411 * 10**6
    out = str(tmp_path / f"new{Path(file.path).suffix}")
    found = subprocess.run(
        [sys.executable, "-c", MEASURED, file.path, out, str(Path(__file__).parent)],
        capture_output=True,
        check=True,
    )
    assert int(found.stdout) < 150
