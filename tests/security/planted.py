"""Files with a hazard in them, each made by a few lines: stand-ins that do nothing, whoever loads them.

``PLANTED`` is file name → (maker, rules that must speak, whether a graph can be built). Every rule of the
security
family is planted in three or more files of different kinds.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Json = dict[str, object]
NOTHING = "bm90aGluZyBydW5z"
"""base64 of "nothing runs": stands where marshalled code would."""

PICKLED = {"class_name": "__bytes__", "value": NOTHING}
"""Bytes as Keras 3 writes them: stand where a pickled torch module would."""


def layer(cls: str, name: str, module: str | None = "keras.layers", **config: object) -> Json:
    return {"module": module, "class_name": cls, "config": {"name": name, **config}, "registered_name": None}


def symbol(module: str | None, name: str, registered: str = "function") -> Json:
    """A function as Keras 3 writes it."""
    return {"module": module, "class_name": "function", "config": name, "registered_name": registered}


INPUT = layer("InputLayer", "image", batch_shape=[None, 8, 8, 3], dtype="float32")
CONV = layer("Conv2D", "conv", filters=4, kernel_size=[3, 3], activation="relu")
FLAT = layer("Flatten", "flat")
DENSE = layer("Dense", "d", units=4, activation=symbol("builtins", "softmax"))
LAMBDA = {"class_name": "__lambda__", "config": {"code": NOTHING, "defaults": None, "closure": None}}


def sequential(*layers: Json, name: str = "m") -> Json:
    return layer("Sequential", name, "keras", layers=list(layers))


def nested(*layers: Json) -> Json:
    """The layers inside a model, inside a model."""
    inner = sequential(*layers, name="inner")
    return sequential(INPUT, sequential(INPUT, CONV, inner, name="middle"), FLAT, DENSE)


def subclassed(**config: object) -> Json:
    """A model whose layers are Python code: no graph can be built."""
    return {"module": "mine", "class_name": "Net", "config": config, "registered_name": "mine>Net"}


PLAIN = sequential(INPUT, CONV, FLAT, DENSE)


def nothing(file: h5py.File) -> None:
    """Plants nothing."""


def weights(path: Path, fill: Callable[[h5py.File], object] = nothing, **options: object) -> None:
    """A weights file as Keras lays it out; ``fill`` adds what is planted."""
    with h5py.File(path, "w", **options) as file:
        for name in ("conv2d", "dense"):
            file[f"layers/{name}/vars/0"] = np.ones((4, 4), "float32")
        fill(file)


def keras(
    path: Path,
    model: Json = PLAIN,
    fill: Callable[[h5py.File], object] | None = None,
    members: dict[str, bytes] | None = None,
    compress: int = zipfile.ZIP_STORED,
    **options: object,
) -> None:
    """A ``.keras`` file."""
    store = path.with_suffix(".tmp")
    weights(store, fill or (nothing), **options)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", json.dumps(model))
        archive.write(store, "model.weights.h5", compress)
        for name, data in (members or {}).items():
            archive.writestr(name, data)
    store.unlink()


def legacy(
    path: Path,
    model: Json = PLAIN,
    fill: Callable[[h5py.File], object] = nothing,
    **training: object,
) -> None:
    """An ``.h5`` file of Keras 2."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(model)
        file.attrs["keras_version"] = "2.15.0"
        if training:
            file.attrs["training_config"] = json.dumps(training)
        file["model_weights/d/d/kernel:0"] = np.ones((4, 4), "float32")
        fill(file)


def architecture(path: Path, model: Json) -> None:
    path.write_text(json.dumps(model))


def relu(**options: object) -> onnx.ModelProto:
    """A small ONNX model: y = Relu(x · w)."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])
    w = numpy_helper.from_array(np.ones((4, 4), "float32"), "w")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["y"])]
    return helper.make_model(helper.make_graph(nodes, "g", [x], [y], [w]), **options)


def external(path: Path, body: bool = False, **entries: str) -> None:
    """An ONNX model whose weights are said to lie elsewhere; in a Constant node with ``body``."""
    model = relu()
    w = model.graph.initializer[0]
    w.ClearField("raw_data")
    w.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        w.external_data.add(key=key, value=value)
    if body:
        model.graph.node.insert(0, helper.make_node("Constant", [], ["w"], value=w))
        del model.graph.initializer[:]
    path.write_bytes(model.SerializeToString())


def calls(path: Path, op: str, domain: str, where: str) -> None:
    """An ONNX model with a node of a domain: in the graph, in a body, or in a function that nothing calls."""
    model = relu(opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid(domain, 1)])
    node = helper.make_node(op, ["x"], ["side"], name="planted", domain=domain)
    if where == "graph":
        model.graph.node.append(node)
    elif where == "body":
        side = helper.make_tensor_value_info("side", TensorProto.FLOAT, None)
        branch = helper.make_graph([node], "branch", [], [side])
        model.graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
        both = {"then_branch": branch, "else_branch": branch}
        model.graph.node.append(helper.make_node("If", ["c"], ["z"], **both))
    else:
        function = helper.make_function("mine", "F", ["x"], ["side"], [node], list(model.opset_import))
        model.functions.append(function)
    path.write_bytes(model.SerializeToString())


def hollow(path: Path, dims: list[int], typed: bool = False) -> None:
    """An ONNX tensor that claims far more than it holds."""
    model = relu()
    w = model.graph.initializer[0]
    del w.dims[:]
    w.dims.extend(dims)
    if typed:
        w.ClearField("raw_data")
        w.float_data.append(1.0)
    path.write_bytes(model.SerializeToString())


def with_field(path: Path, number: int, data: bytes) -> None:
    """An ONNX model with a field that ONNX does not have."""
    head = b""
    for value in (number << 3 | 2, len(data)):
        while value > 0x7F:
            head += bytes([value & 0x7F | 0x80])
            value >>= 7
        head += bytes([value])
    path.write_bytes(relu().SerializeToString() + head + data)


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(shape=(4,), dtype="float32")
    layout[:] = h5py.VirtualSource("other.h5", "w", shape=(4,))
    file.create_virtual_dataset("layers/dense/vars/1", layout)


def outside(file: h5py.File) -> None:
    file.create_dataset("layers/dense/vars/1", (4,), "float32", external=[("other.bin", 0, 16)])


def link(target: object, at: str = "layers/dense_1") -> Callable[[h5py.File], object]:
    return lambda file: file.__setitem__(at, target)


def many_then(target: object) -> Callable[[h5py.File], object]:
    """A link in a group of many members, which HDF5 keeps in a heap of its own."""

    def fill(file: h5py.File) -> None:
        for index in range(40):
            file[f"layers/dense_{index}/vars/0"] = np.ones(2, "float32")
        file["layers/planted"] = target

    return fill


def claims(shape: tuple[int, ...], **options: object) -> Callable[[h5py.File], object]:
    return lambda file: file.create_dataset("layers/dense/vars/1", shape, "float32", **options)


def linked_member(path: Path) -> None:
    keras(path)
    info = zipfile.ZipInfo("assets/there")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, "elsewhere")


def twice(path: Path) -> None:
    keras(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("config.json", json.dumps(PLAIN))


def encrypted(path: Path) -> None:
    """Marks the weights as encrypted, in both places where a zip archive says so."""
    keras(path)
    data = bytearray(path.read_bytes())
    for start in (data.rfind(b"PK\x03\x04", 0, data.find(b"model.weights.h5")), data.rfind(b"PK\x01\x02")):
        at = start + (6 if data[start + 2] == 3 else 8)
        data[at] |= 1
    path.write_bytes(bytes(data))


def bomb_member(path: Path) -> None:
    keras(path)
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("assets/zeros.txt", "w", force_zip64=True) as member,
    ):
        for _ in range(270):
            member.write(bytes(2**20))


def followed_by(make: Callable[[Path], object], data: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        make(path)
        with path.open("ab") as file:
            file.write(data)

    return write


def damaged_weights(path: Path) -> None:
    keras(path)
    data = path.read_bytes()
    at = data.find(b"TREE")
    path.write_bytes(data[:at] + b"EERT" + data[at + 4 :])


def folder(path: Path, model: Json, fill: Callable[[h5py.File], object] = nothing) -> None:
    """An unpacked ``.keras`` file."""
    path.mkdir()
    (path / "config.json").write_text(json.dumps(model))
    (path / "metadata.json").write_text("{}")
    weights(path / "model.weights.h5", fill)


ELF = b"\x7fELF stand-in" + bytes(64)
OLD_LAMBDA = layer("Lambda", "code", None, function=[NOTHING, None, None], function_type="lambda")
NAMED_LAMBDA = {
    "class_name": "Lambda",
    "config": {"name": "l", "function": "abort", "function_type": "function", "module": "os"},
}
EXTERNAL, SOFT = h5py.ExternalLink("other.h5", "/w"), h5py.SoftLink("/layers/dense")
FOREIGN, GADGET, CUSTOM = {"foreign-symbol"}, {"gadget-api"}, {"custom-object"}
OUTSIDE, BOMB, MEMBER = {"weights-outside-file"}, {"size-bomb"}, {"unsafe-archive-member"}
PAYLOAD, ESCAPE, RANGE = {"foreign-payload"}, {"external-data-escape"}, {"external-data-past-end"}


def lambda_layer(function: Json) -> Json:
    return layer("Lambda", "planted", function=function)


def lookup(vocabulary: object, cls: str = "StringLookup") -> Json:
    return sequential(
        layer("InputLayer", "i", batch_shape=[None], dtype="string"), layer(cls, "l", vocabulary=vocabulary)
    )


PLANTED: dict[str, tuple[Callable[[Path], object], set[str], bool]] = {
    # SEC001
    "lambda_sequential.keras": (
        lambda p: keras(p, sequential(INPUT, lambda_layer(LAMBDA), FLAT)),
        {"lambda-code"},
        True,
    ),
    "lambda_nested.keras": (lambda p: keras(p, nested(lambda_layer(LAMBDA))), {"lambda-code"}, True),
    "lambda_legacy.h5": (lambda p: legacy(p, sequential(INPUT, OLD_LAMBDA, FLAT)), {"lambda-code"}, True),
    "lambda_loss.h5": (lambda p: legacy(p, PLAIN, loss=LAMBDA, metrics=[]), {"lambda-code"}, True),
    "lambda_subclassed.keras": (
        lambda p: keras(p, subclassed(block=lambda_layer(LAMBDA))),
        {"lambda-code", "custom-object"},
        False,
    ),
    "lambda_in_wrapper.json": (
        lambda p: architecture(
            p, sequential(INPUT, layer("TimeDistributed", "t", layer=lambda_layer(LAMBDA)))
        ),
        {"lambda-code"},
        True,
    ),
    # SEC002
    "os_function.keras": (
        lambda p: keras(p, sequential(INPUT, lambda_layer(symbol("os.path", "join")), FLAT)),
        FOREIGN,
        True,
    ),
    "subprocess_class.keras": (
        lambda p: keras(p, nested(layer("CompletedProcess", "c", "subprocess"))),
        FOREIGN,
        True,
    ),
    "eval_loss.keras": (
        lambda p: keras(
            p, {**PLAIN, "compile_config": {"loss": symbol("builtins", "eval"), "optimizer": "adam"}}
        ),
        FOREIGN,
        True,
    ),
    "torch_load.json": (
        lambda p: architecture(p, subclassed(a=[symbol("torch", "load")])),
        FOREIGN | CUSTOM,
        False,
    ),
    "os_function_by_name.h5": (
        lambda p: legacy(
            p,
            sequential(
                INPUT,
                NAMED_LAMBDA,
                FLAT,
            ),
        ),
        FOREIGN,
        True,
    ),
    "custom_layer.keras": (
        lambda p: keras(p, sequential(INPUT, layer("Scale", "s", "mine.layers"), FLAT)),
        CUSTOM,
        True,
    ),
    "registered_nested.h5": (
        lambda p: legacy(p, nested({"class_name": "Mine>Scale", "config": {"name": "s"}})),
        CUSTOM,
        True,
    ),
    "registered_loss.keras": (
        lambda p: keras(
            p,
            {
                **PLAIN,
                "compile_config": {
                    "loss": {
                        "module": None,
                        "class_name": "Focal",
                        "config": {},
                        "registered_name": "Mine>Focal",
                    }
                },
            },
        ),
        CUSTOM,
        True,
    ),
    # SEC003
    "get_file.keras": (
        lambda p: keras(p, sequential(INPUT, lambda_layer(symbol("keras.utils", "get_file")), FLAT)),
        GADGET,
        True,
    ),
    "unsafe_switch.keras": (
        lambda p: keras(p, nested(lambda_layer(symbol("keras.config", "enable_unsafe_deserialization")))),
        GADGET,
        True,
    ),
    "load_model_inside.json": (
        lambda p: architecture(p, subclassed(f=symbol("keras.src.saving.saving_api", "load_model"))),
        GADGET | CUSTOM,
        False,
    ),
    "read_file.h5": (
        lambda p: legacy(
            p,
            sequential(
                INPUT, {"class_name": "TFOpLambda", "config": {"name": "r", "function": "io.read_file"}}
            ),
        ),
        GADGET,
        True,
    ),
    "read_op.json": (
        lambda p: architecture(
            p,
            sequential(
                INPUT,
                {
                    "class_name": "TensorFlowOpLayer",
                    "config": {"name": "o", "node_def": '{"op": "ReadFile"}'},
                },
            ),
        ),
        GADGET,
        True,
    ),
    # SEC004
    "torch_wrapper.keras": (
        lambda p: keras(
            p,
            sequential(
                INPUT, {**layer("TorchModuleWrapper", "t"), "config": {"name": "t", "module": PICKLED}}
            ),
        ),
        {"nested-loader"},
        True,
    ),
    "saved_model_layer.keras": (
        lambda p: keras(p, nested(layer("TFSMLayer", "t", filepath="/models/inner"))),
        {"nested-loader"},
        True,
    ),
    "hub_layer.h5": (
        lambda p: legacy(
            p, sequential(INPUT, layer("KerasLayer", "h", "tensorflow_hub.keras_layer", handle="x"))
        ),
        {"nested-loader"},
        True,
    ),
    # SEC005
    "vocabulary_absolute.keras": (lambda p: keras(p, lookup("/etc/hosts")), {"outside-resource"}, True),
    "vocabulary_url.h5": (
        lambda p: legacy(p, lookup("https://example.com/v", "TextVectorization")),
        {"outside-resource"},
        True,
    ),
    "vocabulary_up.json": (
        lambda p: architecture(p, subclassed(inner=lookup("..\\up.txt", "IntegerLookup"))),
        {"outside-resource", "custom-object"},
        False,
    ),
    # SEC006
    "external_link.keras": (lambda p: keras(p, fill=link(EXTERNAL)), OUTSIDE, True),
    "external_link_among_many.keras": (lambda p: keras(p, fill=many_then(EXTERNAL)), OUTSIDE, True),
    "external_storage.keras": (lambda p: keras(p, nested(CONV), fill=outside), OUTSIDE, True),
    "virtual.keras": (lambda p: keras(p, fill=virtual), OUTSIDE, True),
    "newest_layout.keras": (lambda p: keras(p, fill=link(EXTERNAL), libver="latest"), OUTSIDE, True),
    "soft_link.h5": (lambda p: legacy(p, fill=link(SOFT, "model_weights/e")), OUTSIDE, True),
    "folder_link": (lambda p: folder(p, PLAIN, link(SOFT)), OUTSIDE, True),
    "link_and_no_graph.keras": (
        lambda p: keras(p, subclassed(), fill=link(EXTERNAL)),
        OUTSIDE | CUSTOM,
        False,
    ),
    # SEC007
    "bomb_member.keras": (bomb_member, BOMB, True),
    "bomb_tensor.keras": (lambda p: keras(p, fill=claims((10**6, 10**6))), BOMB, True),
    "bomb_chunked.h5": (lambda p: legacy(p, fill=claims((10**6, 10**5), chunks=(100, 100))), BOMB, True),
    "bomb_raw.onnx": (lambda p: hollow(p, [10**6, 10**6]), BOMB, True),
    "bomb_typed.onnx": (lambda p: hollow(p, [2**40], typed=True), BOMB, True),
    # SEC008
    "member_up.keras": (lambda p: keras(p, members={"../note.txt": b"x"}), MEMBER, True),
    "member_absolute.keras": (lambda p: keras(p, nested(CONV), members={"/note.txt": b"x"}), MEMBER, True),
    "member_drive.keras": (lambda p: keras(p, members={"C:\\note.txt": b"x"}), MEMBER, True),
    "member_link.keras": (linked_member, MEMBER, True),
    "member_case.keras": (lambda p: keras(p, members={"Config.json": b"{}"}), MEMBER, True),
    "member_twice.keras": (twice, MEMBER, False),
    "member_encrypted.keras": (encrypted, MEMBER | {"unsearched-weights"}, True),
    "name_up.keras": (
        lambda p: keras(p, sequential(INPUT, layer("Flatten", "../../flat"))),
        {"layer-name-outside"},
        True,
    ),
    "name_absolute.keras": (
        lambda p: keras(p, nested(layer("Dropout", "/tmp/drop", rate=0.5))),
        {"layer-name-outside"},
        True,
    ),
    "name_folder": (
        lambda p: folder(p, sequential(INPUT, layer("Flatten", "a\\..\\..\\b"))),
        {"layer-name-outside"},
        True,
    ),
    # SEC009
    "escape_up.onnx": (lambda p: external(p, location="../w.bin"), ESCAPE, False),
    "escape_absolute.onnx": (
        lambda p: external(p, location="/etc/hosts", offset="0", length="64"),
        ESCAPE,
        False,
    ),
    "escape_inside_out.onnx": (lambda p: external(p, body=True, location="a/../../w.bin"), ESCAPE, False),
    "escape_backslash.onnx": (lambda p: external(p, location="..\\w.bin"), ESCAPE, False),
    "escape_url.onnx": (lambda p: external(p, location="https://example.com/w.bin"), ESCAPE, False),
    "escape_memory.onnx": (
        lambda p: external(p, location="*/_ORT_MEM_ADDR_/*", offset="4096", length="64"),
        ESCAPE,
        False,
    ),
    "range_long.onnx": (lambda p: external(p, location="range_long.onnx", length="400000"), RANGE, False),
    "range_negative.onnx": (lambda p: external(p, location="range_negative.onnx", offset="-8"), RANGE, False),
    "range_word.onnx": (
        lambda p: external(p, body=True, location="range_word.onnx", length="all"),
        RANGE,
        False,
    ),
    "key_class.onnx": (
        lambda p: external(p, location="w.bin", __class__="x"),
        {"unknown-external-data-key"},
        True,
    ),
    "key_note.onnx": (
        lambda p: external(p, body=True, location="w.bin", note="x"),
        {"unknown-external-data-key"},
        True,
    ),
    "key_method.onnx": (
        lambda p: external(p, location="w.bin", offset="0", length="64", load="x"),
        {"unknown-external-data-key"},
        True,
    ),
    # SEC010
    "python_op.onnx": (lambda p: calls(p, "PythonOp", "com.microsoft", "graph"), {"python-op"}, True),
    "python_in_body.onnx": (lambda p: calls(p, "PyOp", "ai.onnx.contrib", "body"), {"python-op"}, True),
    "python_in_function.onnx": (
        lambda p: calls(p, "WriteFile", "ai.onnx.contrib", "function"),
        {"python-op"},
        True,
    ),
    # SEC012
    "payload_script.keras": (lambda p: keras(p, members={"assets/run.sh": b"echo nothing\n"}), PAYLOAD, True),
    "payload_elf.keras": (
        lambda p: keras(p, nested(CONV), members={"assets/vocabulary.txt": ELF}),
        PAYLOAD,
        True,
    ),
    "payload_pickle.keras": (
        lambda p: keras(p, members={"assets/data": b"\x80\x04\x95" + bytes(9)}),
        PAYLOAD,
        True,
    ),
    "payload_after.keras": (followed_by(keras, ELF), PAYLOAD, True),
    "payload_after.h5": (followed_by(legacy, b"MZ stand-in"), PAYLOAD, True),
    "payload_field.onnx": (lambda p: with_field(p, 99, ELF), PAYLOAD, True),
    # what could not be looked at
    "compressed_weights.keras": (
        lambda p: keras(p, compress=zipfile.ZIP_DEFLATED),
        {"unsearched-weights"},
        True,
    ),
    "damaged_weights.keras": (damaged_weights, {"unsearched-weights"}, True),
}


def healthy(path: Path) -> None:
    """Everything that comes near a hazard and is none, in one folder."""
    keras(path / "plain.keras")
    keras(path / "nested.keras", nested(layer("Dropout", "block/drop", rate=0.5)))
    keras(path / "vocabulary.keras", lookup(["a", "b"]), members={"assets/l/vocabulary.txt": b"a\nb\n"})
    keras(path / "beside.keras", lookup("vocabulary.txt"))
    keras(path / "many.keras", fill=many_then(np.ones(3, "float32")))
    keras(path / "newest.keras", libver="latest")
    keras(path / "chunked.keras", fill=claims((64, 64), chunks=(8, 8), compression="gzip"))
    keras(path / "hub.keras", sequential(INPUT, layer("Flatten", "f", "keras.src.layers.reshaping.flatten")))
    legacy(path / "plain.h5", PLAIN, loss="mse", metrics=["accuracy"])
    legacy(
        path / "optimizer.h5",
        PLAIN,
        optimizer_config={"class_name": "Custom>Adam", "config": {"name": "Adam"}},
    )
    (path / "plain.onnx").write_bytes(relu().SerializeToString())
    with_field(path / "newer.onnx", 99, b"a setting of an ONNX to come")
    external(path / "beside.onnx", location="w.bin", offset="0", length="64", checksum="0" * 40)
    (path / "w.bin").write_bytes(struct.pack("<16f", *[1.0] * 16))
    calls(path / "contrib.onnx", "Thing", "my.domain", "graph")
