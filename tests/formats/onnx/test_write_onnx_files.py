"""Files around a patch: the original, its data files, what is left after a refusal or a kill."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx_files import model, stored, value
from write_cases import read_at

from archlint.errors import PatchError
from archlint.formats.base import ModelFile
from archlint.formats.onnx.write import assemble, write
from archlint.graph import (
    Made,
    Node,
    Param,
    Seal,
    SetInput,
    SetTraining,
    Splice,
    TensorType,
    Training,
    skeleton,
)

TANH = Splice(frozenset({"r"}), (Node("r", "Tanh", ("c",), ("r",)),))


def small_model() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "c"),
        helper.make_node("Relu", ["c"], ["r"], "r"),
        helper.make_node("Neg", ["r"], ["y"], "y"),
    ]
    weight = numpy_helper.from_array(np.arange(2 * 3 * 3 * 64, dtype="float32").reshape(2, 3, 3, 64), "w")
    proto = model(nodes, [value("x", "N", 3, 8, 64)], ["y"], [weight])
    proto.graph.output[0].CopyFrom(value("y", "N", 2, 6, 1))
    return proto


def file_at(path: Path) -> ModelFile:
    return ModelFile(str(path), "onnx", path.stat().st_size)


def inline(folder: Path) -> ModelFile:
    folder.mkdir(exist_ok=True)
    (folder / "model.onnx").write_bytes(small_model().SerializeToString())
    return file_at(folder / "model.onnx")


def external(folder: Path, location: str = "weights.bin") -> ModelFile:
    (folder / location).parent.mkdir(parents=True, exist_ok=True)
    onnx.save(
        small_model(), folder / "model.onnx", save_as_external_data=True, location=location, size_threshold=0
    )
    return file_at(folder / "model.onnx")


def doubled(graph):
    """The convolution with twice its kernel."""
    conv = graph.by_name["c"]
    kernel = conv.params[0]
    new = Node(
        "c",
        "Conv",
        conv.inputs,
        conv.outputs,
        conv.attrs,
        (type(kernel)("c/kernel", "kernel", kernel.shape),),
    )
    return Splice(frozenset({"c"}), (new,), tensors={"c/kernel": Made(("w",), lambda w: w * np.float32(2))})


def weights_of(path: Path) -> dict[str, np.ndarray]:
    loaded = onnx.load(path)
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in loaded.graph.initializer}


def names_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_original_is_left_as_it_is(tmp_path):
    file = inline(tmp_path)
    before = (tmp_path / "model.onnx").read_bytes()
    write(file, read_at(file.path), [TANH], str(tmp_path / "out.onnx"))
    assert before == (tmp_path / "model.onnx").read_bytes()
    assert ["model.onnx", "out.onnx"] == names_in(tmp_path)


def test_the_original_is_replaced_when_its_path_is_given(tmp_path):
    file = inline(tmp_path)
    os.chmod(file.path, 0o640)
    write(file, read_at(file.path), [TANH], file.path)
    assert "Tanh" == read_at(file.path).by_name["r"].op
    assert ["model.onnx"] == names_in(tmp_path)
    assert 0o640 == os.stat(file.path).st_mode & 0o777


def test_a_link_is_not_written_through(tmp_path):
    file = inline(tmp_path)
    (tmp_path / "link.onnx").symlink_to(tmp_path / "model.onnx")
    with pytest.raises(PatchError, match="not a regular file"):
        write(file, read_at(file.path), [TANH], str(tmp_path / "link.onnx"))


def test_data_files_next_to_the_output_stay_and_new_tensors_go_to_one_of_their_own(tmp_path):
    file = external(tmp_path)
    before = (tmp_path / "weights.bin").read_bytes()
    graph = read_at(file.path)
    write(file, graph, [doubled(graph)], str(tmp_path / "out.onnx"))
    assert before == (tmp_path / "weights.bin").read_bytes()
    [data] = set(names_in(tmp_path)) - {"model.onnx", "out.onnx", "weights.bin"}
    assert re.fullmatch(r"out\.\w{8}\.data", data)
    expected = 2 * weights_of(tmp_path / "model.onnx")["w"]
    np.testing.assert_array_equal(expected, weights_of(tmp_path / "out.onnx")["c/kernel"])
    onnx.checker.check_model(str(tmp_path / "out.onnx"))


def test_data_files_come_along_to_another_folder(tmp_path):
    file = external(tmp_path / "here", "data/weights.bin")
    (tmp_path / "there").mkdir()
    write(file, read_at(file.path), [TANH], str(tmp_path / "there" / "out.onnx"))
    assert ["data/weights.bin", "out.onnx"] == names_in(tmp_path / "there")
    expected = weights_of(tmp_path / "here" / "model.onnx")["w"]
    np.testing.assert_array_equal(expected, weights_of(tmp_path / "there" / "out.onnx")["w"])


def test_a_data_file_of_the_same_name_is_not_overwritten(tmp_path):
    file = external(tmp_path / "here")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "weights.bin").write_bytes(b"of another model")
    with pytest.raises(PatchError, match="another data file has this name"):
        write(file, read_at(file.path), [TANH], str(tmp_path / "there" / "out.onnx"))
    assert ["weights.bin"] == names_in(tmp_path / "there")
    assert b"of another model" == (tmp_path / "there" / "weights.bin").read_bytes()


def test_data_files_outside_the_folder_are_not_followed(tmp_path):
    file = external(tmp_path / "here")
    (tmp_path / "here" / "weights.bin").rename(tmp_path / "secret")
    (tmp_path / "here" / "weights.bin").symlink_to(tmp_path / "secret")
    (tmp_path / "there").mkdir()
    graph = read_at(file.path)
    with pytest.raises(PatchError, match="external_data_escapes"):
        write(file, graph, [TANH], str(tmp_path / "there" / "out.onnx"))
    with pytest.raises(PatchError, match="not to be had"):
        write(file, graph, [doubled(graph)], str(tmp_path / "here" / "out.onnx"))
    assert [] == names_in(tmp_path / "there")
    assert ["model.onnx", "weights.bin"] == names_in(tmp_path / "here")


def test_a_failure_leaves_neither_model_nor_data_behind(tmp_path):
    file = external(tmp_path / "here")
    (tmp_path / "there").mkdir()
    graph = read_at(file.path)
    edit = doubled(graph)
    broken = Splice(edit.removed, edit.added, tensors={"c/kernel": Made(("w",), lambda w: w[:1])})
    with pytest.raises(PatchError, match=r"came out as float32\[1, 3, 3, 64\], not float32\[2, 3, 3, 64\]"):
        write(file, graph, [broken], str(tmp_path / "there" / "out.onnx"))
    assert [] == names_in(tmp_path / "there")


def test_a_file_that_reads_back_otherwise_is_not_kept(tmp_path):
    file = inline(tmp_path)
    # Two activations in a row that the reader takes for one.
    edit = Splice(frozenset({"y"}), (Node("y", "Clip", ("r",), ("y",), {"min": 0.0, "max": 1.0}),))
    with pytest.raises(PatchError, match="reads as another model than was asked for: node"):
        write(file, read_at(file.path), [edit], str(tmp_path / "out.onnx"))
    assert ["model.onnx"] == names_in(tmp_path)


def listed(folder: Path, ir_version: int = 8) -> ModelFile:
    """The small model with its weight among the inputs, in front of the map."""
    proto = small_model()
    proto.ir_version = ir_version
    proto.graph.input.insert(0, value("w", 2, 3, 3, 64))
    (folder / "model.onnx").write_bytes(proto.SerializeToString())
    return file_at(folder / "model.onnx")


def test_sealed_weights_are_no_inputs_and_stay_as_they_are(tmp_path):
    file = listed(tmp_path)
    before = onnx.load(file.path)
    write(file, read_at(file.path), [Seal()], str(tmp_path / "out.onnx"))
    after = onnx.load(tmp_path / "out.onnx")
    assert ["x"] == [one.name for one in after.graph.input]
    del before.graph.input[0]
    assert before == after


def test_what_is_sealed_may_be_replaced_as_well(tmp_path):
    file = listed(tmp_path)
    graph = read_at(file.path)
    write(file, graph, [Seal(), doubled(graph)], str(tmp_path / "out.onnx"))
    assert ["x"] == [one.name for one in onnx.load(tmp_path / "out.onnx").graph.input]


def test_before_version_4_of_the_format_weights_have_to_be_inputs(tmp_path):
    file = listed(tmp_path, ir_version=3)
    with pytest.raises(PatchError, match="no stored weight is an input"):
        write(file, read_at(file.path), [Seal()], str(tmp_path / "out.onnx"))


def test_more_than_protobuf_holds_goes_to_a_data_file_or_is_refused(tmp_path, monkeypatch):
    file = inline(tmp_path)
    graph = read_at(file.path)
    monkeypatch.setattr(assemble, "LARGEST_FILE_BYTES", 4000)
    with pytest.raises(PatchError, match="larger than 2 GB"):
        write(file, graph, [TANH], str(tmp_path / "out.onnx"))
    write(file, graph, [doubled(graph)], str(tmp_path / "out.onnx"))
    assert 1 == len(list(tmp_path.glob("out.*.data")))


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (SetTraining(Training()), "no compile settings"),
        (Splice(frozenset({"z"})), "there is no node 'z'"),
        (SetInput("z", TensorType()), "there is no input 'z'"),
    ],
)
def test_what_an_onnx_file_does_not_have_cannot_be_changed(edit, why, tmp_path):
    file = inline(tmp_path)
    with pytest.raises(PatchError, match=why):
        write(file, read_at(file.path), [edit], str(tmp_path / "out.onnx"))


def test_a_value_that_only_the_reader_knows_cannot_be_read(tmp_path):
    path = Path(__file__).parents[2] / "fixtures" / "onnx" / "tf2onnx_attention.onnx"
    graph = read_at(path)
    stated = {name for node in onnx.load(path).graph.node for name in node.output}
    odd = [
        value for value in graph.producers if value not in stated and graph.producers[value].op != "Constant"
    ]
    assert odd
    edit = Splice(added=(Node("new", "Relu", (odd[0],), ("new/out",)),))
    with pytest.raises(PatchError, match="which the file itself does not have"):
        write(file_at(path), graph, [edit], str(tmp_path / "out.onnx"))


@pytest.mark.parametrize("out", ["no/such/folder/out.onnx", "."])
def test_a_place_that_cannot_be_written_is_told(out, tmp_path):
    file = inline(tmp_path)
    with pytest.raises(PatchError, match=re.escape(str(tmp_path / out))):
        write(file, read_at(file.path), [TANH], str(tmp_path / out))


def test_new_data_may_be_read_by_whom_the_model_may(tmp_path):
    file = external(tmp_path)
    os.chmod(file.path, 0o644)
    graph = read_at(file.path)
    write(file, graph, [doubled(graph)], str(tmp_path / "out.onnx"))
    [data] = tmp_path.glob("out.*.data")
    assert 0o644 == os.stat(data).st_mode & 0o777


def test_a_node_inside_a_function_is_refused(tmp_path):
    inner = [helper.make_node("Relu", ["a"], ["t"], "relu"), helper.make_node("Neg", ["t"], ["b"], "neg")]
    function = helper.make_function("my", "Block", ["a"], ["b"], inner, [helper.make_opsetid("", 17)])
    proto = model(
        [helper.make_node("Block", ["x"], ["y"], "call", domain="my")],
        [value("x", 2)],
        ["y"],
        functions=[function],
    )
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    file = file_at(tmp_path / "model.onnx")
    graph = read_at(file.path)
    for node in graph.nodes:
        edit = Splice(frozenset({node.name}), (Node(node.name, "Tanh", node.inputs, node.outputs),))
        with pytest.raises(PatchError, match="inside a function"):
            write(file, graph, [edit], str(tmp_path / "out.onnx"))


def test_a_tensor_that_others_read_is_not_overwritten(tmp_path):
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "c"),
        helper.make_node("Conv", ["c", "w"], ["y"], "y"),
    ]
    proto = model(nodes, [value("x", "N", 3, 8, 8)], ["y"], [stored("w", 3, 3, 1, 1)])
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    file = file_at(tmp_path / "model.onnx")
    graph = read_at(file.path)
    edit = Splice(frozenset({"c"}), (graph.by_name["c"],), tensors={"w": Made(("w",), lambda w: w)})
    with pytest.raises(PatchError, match="holds a tensor 'w' already"):
        write(file, graph, [edit], str(tmp_path / "out.onnx"))


def test_lengths_that_become_free_are_freed_in_outputs_and_forgotten_elsewhere(tmp_path):
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], "a"),
        helper.make_node("Neg", ["a"], ["y"], "y"),
        helper.make_node("Neg", ["u"], ["b"], "b"),
        helper.make_node("Relu", ["b"], ["v"], "v"),
    ]
    shaped = {name: value(name, 1, 3, 8, 8) for name in "xayubv"}
    graph = helper.make_graph(
        nodes,
        "g",
        [shaped["x"], shaped["u"]],
        [shaped["y"], shaped["v"]],
        value_info=[shaped["a"], shaped["b"]],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    file = file_at(tmp_path / "model.onnx")
    free = TensorType("float32", (1, 3, None, "width"))
    write(file, read_at(file.path), [SetInput("x", free)], str(tmp_path / "out.onnx"))
    after = onnx.load(tmp_path / "out.onnx").graph
    shapes = {
        info.name: [dim.dim_value or dim.dim_param for dim in info.type.tensor_type.shape.dim]
        for info in (*after.input, *after.output, *after.value_info)
    }
    same = [1, 3, 8, 8]
    assert {"x": [1, 3, "", "width"], "u": same, "y": [1, 3, "", ""], "v": same, "b": same} == shapes


CHILD = """
import sys
from archlint.formats.base import ModelFile
from archlint.formats.onnx import read
from archlint.formats.onnx.write import write
from archlint.graph import Node, Splice
path = sys.argv[1]
file = ModelFile(path, "onnx", 0)
graph = read(file)
old = graph.by_name["r"]
print("ready", flush=True)
while True:
    op = "Tanh" if old.op == "Relu" else "Relu"
    write(file, graph, [Splice(frozenset({"r"}), (Node("r", op, ("c",), ("r",)),))], path)
    graph = read(file)
    old = graph.by_name["r"]
"""


def test_a_kill_at_a_random_moment_leaves_the_old_file_or_the_new_one(tmp_path):
    weight = numpy_helper.from_array(np.ones((2, 3, 1000, 400), "float32"), "w")
    proto = small_model()
    proto.graph.initializer[0].CopyFrom(weight)
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    random = np.random.default_rng(0)
    for _ in range(4):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(float(random.uniform(0, 0.4)))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        graph = read_at(path)
        assert graph.by_name["r"].op in ("Relu", "Tanh")
        np.testing.assert_array_equal(1.0, weights_of(path)["w"])
    for left in tmp_path.glob(".*"):
        os.utime(left, (0, 0))
    write(file_at(path), read_at(path), [], str(path))
    assert ["model.onnx"] == names_in(tmp_path)


def killed_at(step: int, file: ModelFile, graph, edit: Splice) -> bool:
    """Patches a file in place in another process, which is killed when it opens, renames … for the n-th time.

    False when it ended before.
    """
    child = os.fork()
    if child == 0:
        steps = iter(range(step))

        def watch(event: str, args: tuple[object, ...]) -> None:
            told = event == "open" or event.startswith("os.")
            if told and str(Path(file.path).parent) in str(args) and next(steps, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        try:
            write(file, graph, [edit], file.path)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_a_kill_at_any_step_leaves_the_old_file_or_the_new_one(tmp_path):
    before = Path(inline(tmp_path).path).read_bytes()
    seen = set()
    for step in range(100):
        file = inline(tmp_path)
        graph = read_at(file.path)
        was_killed = killed_at(step, file, graph, TANH)
        after = Path(file.path).read_bytes()
        assert len(before) == len(after)
        seen.add(read_at(file.path).by_name["r"].op)
        if not was_killed:
            break
    assert step > 5
    assert {"Relu", "Tanh"} == seen


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_a_kill_at_any_step_keeps_the_old_data_or_the_new_and_leaves_nothing_for_good(tmp_path):
    seen = set()
    for step in range(200):
        folder = tmp_path / str(step)
        file = external(folder)
        graph = read_at(file.path)
        wanted = weights_of(Path(file.path))["w"]
        was_killed = killed_at(step, file, graph, doubled(graph))
        found = weights_of(Path(file.path))
        name = "c/kernel" if "c/kernel" in found else "w"
        np.testing.assert_array_equal(wanted * (2 if name == "c/kernel" else 1), found[name])
        left = {one.name for one in folder.glob("*.data")}
        data = {left_ for left_ in left if left_ in Path(file.path).read_bytes().decode("latin1")}
        seen.add((name, len(left), len(data)))
        for one in folder.glob(".*"):
            os.utime(one, (0, 0))
        write(file_at(Path(file.path)), read_at(file.path), [], file.path)
        assert sorted({"model.onnx", "weights.bin"} | data) == names_in(folder)
        if not was_killed:
            break
    # The old model; the old one beside complete new data, a step before the new one; the new one.
    assert {("w", 0, 0), ("w", 1, 0), ("c/kernel", 1, 1)} == seen
    assert step > 10


def test_a_stretch_of_a_stored_tensor_is_copied_from_where_it_lies(tmp_path):
    file = inline(tmp_path)
    graph = read_at(file.path)
    edit = doubled(graph)
    [conv] = edit.added
    half = replace(
        conv, attrs={**conv.attrs, "filters": 1}, params=(replace(conv.params[0], shape=(1, 3, 3, 64)),)
    )
    cut = Splice(edit.removed, (half,), tensors={"c/kernel": Made(("w",), lambda w: w[1:])})
    write(file, graph, [cut], str(tmp_path / "out.onnx"))
    np.testing.assert_array_equal(
        weights_of(Path(file.path))["w"][1:], weights_of(tmp_path / "out.onnx")["c/kernel"]
    )


@pytest.mark.parametrize("most", [0, 1000])
def test_a_system_that_copies_only_in_part_gets_the_whole_file(most, tmp_path, monkeypatch):
    real = getattr(os, "copy_file_range", None)
    if real is None:
        pytest.skip("the system has no such call")
    monkeypatch.setattr(
        os, "copy_file_range", lambda a, b, n, at, to: real(a, b, min(n, most), at, to) if most else 0
    )
    file = inline(tmp_path)
    write(file, read_at(file.path), [], str(tmp_path / "out.onnx"))
    assert (tmp_path / "model.onnx").read_bytes() == (tmp_path / "out.onnx").read_bytes()


def test_nodes_of_one_name_keep_what_the_reader_calls_them(tmp_path):
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], "same"),
        helper.make_node("Neg", ["a"], ["b"], "same"),
        helper.make_node("Abs", ["b"], ["y"], "same"),
    ]
    proto = model(nodes, [value("x", 2)], ["y"])
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    file = file_at(tmp_path / "model.onnx")
    write(
        file, read_at(file.path), [Splice(frozenset({"same"}), moved={"a": "x"})], str(tmp_path / "out.onnx")
    )
    assert ["same:1", "same:2"] == [node.name for node in read_at(tmp_path / "out.onnx").nodes]


def test_a_later_edit_may_take_out_what_an_earlier_one_put_in(tmp_path):
    file = inline(tmp_path)
    graph = read_at(file.path)
    held = Param("two", "value", (), "float32", False, (2.0,))
    constant = Node("two", "Constant", (), ("two",), {}, (held,))
    product = Node("m", "Mul", ("r", "two"), ("m",))
    first = Splice(added=(constant, product), moved={"r": "m"})
    second = Splice(frozenset({"m", "two"}), moved={"m": "r"})
    write(file, graph, [first], str(tmp_path / "one.onnx"))
    assert "Mul" == read_at(tmp_path / "one.onnx").by_name["m"].op
    write(file, graph, [first, second], str(tmp_path / "both.onnx"))
    assert skeleton(graph) == skeleton(read_at(tmp_path / "both.onnx"))
    assert ["w"] == [tensor.name for tensor in onnx.load(tmp_path / "both.onnx").graph.initializer]


def test_a_weight_that_is_stored_as_another_type_is_not_taken_as_it_lies(tmp_path):
    nodes = [
        helper.make_node("Cast", ["half"], ["w"], "cast", to=1),
        helper.make_node("Conv", ["x", "w"], ["y"], "c"),
    ]
    proto = model(nodes, [value("x", "N", 3, 8, 8)], ["y"], [stored("half", 3, 3, 1, 1, dtype="float16")])
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    file = file_at(tmp_path / "model.onnx")
    graph = read_at(file.path)
    edit = Splice(frozenset({"c"}), (graph.by_name["c"],))
    with pytest.raises(PatchError, match="stored in another type"):
        write(file, graph, [edit], str(tmp_path / "out.onnx"))


def test_a_tensor_that_is_only_reshaped_stays_in_the_data_file_where_it_lies(tmp_path):
    file = external(tmp_path)
    graph = read_at(file.path)
    edit = doubled(graph)
    as_it_is = Splice(edit.removed, edit.added, tensors={"c/kernel": Made(("w",), lambda w: w)})
    write(file, graph, [as_it_is], str(tmp_path / "out.onnx"))
    assert ["model.onnx", "out.onnx", "weights.bin"] == names_in(tmp_path)
    np.testing.assert_array_equal(
        weights_of(tmp_path / "model.onnx")["w"], weights_of(tmp_path / "out.onnx")["c/kernel"]
    )
    onnx.checker.check_model(str(tmp_path / "out.onnx"))
