"""Makes the models that ``run.py`` measures, each once: ``python benchmarks/models.py FOLDER``.

VGG16 as ``.keras`` comes from Keras itself (TensorFlow needed); the ONNX models are written node by node.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

EXAMPLES = Path(__file__).parents[1] / "examples"

_VGG16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Filters and convolutions of each block. Source: https://arxiv.org/abs/1409.1556, table 1, column D."""


def vgg16_keras(path: Path) -> None:
    """VGG16 with random weights, as Keras saves it: 553 MB."""
    code = "import sys, keras; keras.applications.VGG16(weights=None).save(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)


def vgg16_onnx(path: Path) -> None:
    """VGG16 with random weights inside the file, channels first: 553 MB."""
    random = numpy.random.default_rng(0)
    nodes, tensors = [], []

    def tensor(name: str, *shape: int) -> str:
        values = random.standard_normal(shape, dtype=numpy.float32) * 0.01
        tensors.append(numpy_helper.from_array(values, name))
        return name

    value, channels = "image", 3
    for block, (filters, count) in enumerate(_VGG16, 1):
        for number in range(1, count + 1):
            name = f"block{block}_conv{number}"
            inputs = [value, tensor(f"{name}.w", filters, channels, 3, 3), tensor(f"{name}.b", filters)]
            nodes.append(helper.make_node("Conv", inputs, [name], name, kernel_shape=[3, 3], pads=[1] * 4))
            nodes.append(helper.make_node("Relu", [name], [f"{name}_relu"], f"{name}_relu"))
            value, channels = f"{name}_relu", filters
        name = f"block{block}_pool"
        nodes.append(helper.make_node("MaxPool", [value], [name], name, kernel_shape=[2, 2], strides=[2, 2]))
        value = name
    nodes.append(helper.make_node("Flatten", [value], ["flatten"], "flatten"))
    value, units = "flatten", 25088
    for name, width, activation in (
        ("fc1", 4096, "Relu"),
        ("fc2", 4096, "Relu"),
        ("classes", 1000, "Softmax"),
    ):
        inputs = [value, tensor(f"{name}.w", width, units), tensor(f"{name}.b", width)]
        nodes.append(helper.make_node("Gemm", inputs, [name], name, transB=1))
        nodes.append(helper.make_node(activation, [name], [f"{name}_act"], f"{name}_act"))
        value, units = f"{name}_act", width
    _save(path, nodes, tensors, (1, 3, 224, 224), value, (1, 1000))


def vgg16_external(path: Path) -> None:
    """The same with its weights in a data file."""
    whole = path.with_name("unfinished-whole.onnx")
    vgg16_onnx(whole)
    onnx.save(onnx.load(whole), path, save_as_external_data=True, location="vgg16_external.bin")
    whole.unlink()


def transformer(width: int) -> Callable[[Path], None]:
    """24 feed-forward blocks whose weights are external data: 2 GB at width 1640, 48 kB at width 8."""

    def write(path: Path) -> None:
        nodes, tensors, offset, value = [], [], 0, "tokens"
        data = path.with_name(path.stem.removeprefix("unfinished-") + ".bin")
        for block in range(24):
            for name, shape in ((f"up{block}", (width, 4 * width)), (f"down{block}", (4 * width, width))):
                length = 4 * shape[0] * shape[1]
                tensors.append(_external(f"{name}.w", shape, data.name, offset, length))
                offset += length
                nodes.append(helper.make_node("MatMul", [value, f"{name}.w"], [name], name))
                value = name
                if name.startswith("up"):
                    nodes.append(helper.make_node("Relu", [value], [f"{name}_relu"], f"{name}_relu"))
                    value = f"{name}_relu"
        with data.open("wb") as file:
            file.truncate(offset)
        _save(path, nodes, tensors, (1, 128, width), value, (1, 128, width))

    return write


def encoder(path: Path) -> None:
    """A transformer encoder as an exporter spells it out: 102 blocks, 4,998 nodes, 81 MB of weights inside.

    Layer norms, attention and GELU are small operators, as in exports of opset 13 to 16.
    """
    width, heads, nodes, tensors = 128, 4, [], []

    def stored(name: str, array: numpy.ndarray) -> str:
        tensors.append(numpy_helper.from_array(array, name))
        return name

    def add(op: str, *inputs: str, **attributes: object) -> str:
        name = f"n{len(nodes)}"
        nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        return name

    half, one, two = (stored(f"c{value}", numpy.float32(value)) for value in (0.5, 1.0, 2.0))
    root, scale = (
        stored("root", numpy.float32(2**0.5)),
        stored("scale", numpy.float32((width / heads) ** 0.5)),
    )
    tiny = stored("tiny", numpy.float32(1e-5))
    split = stored("split", numpy.array([0, -1, heads, width // heads]))
    whole = stored("whole", numpy.array([0, -1, width]))

    def dense(value: str, rows: int, columns: int) -> str:
        kernel = stored(f"w{len(tensors)}", numpy.full((rows, columns), 0.01, numpy.float32))
        bias = stored(f"b{len(tensors)}", numpy.full(columns, 0.1, numpy.float32))
        return add("Add", add("MatMul", value, kernel), bias)

    def norm(value: str) -> str:
        gain = stored(f"g{len(tensors)}", numpy.full(width, 0.9, numpy.float32))
        shift = stored(f"s{len(tensors)}", numpy.full(width, 0.1, numpy.float32))
        centred = add("Sub", value, add("ReduceMean", value, axes=[-1]))
        spread = add("ReduceMean", add("Pow", centred, two), axes=[-1])
        scaled = add("Div", centred, add("Sqrt", add("Add", spread, tiny)))
        return add("Add", add("Mul", scaled, gain), shift)

    value = "tokens"
    for _ in range(102):
        x = norm(value)
        q, k, v = (add("Reshape", dense(x, width, width), split) for _ in "qkv")
        q, v = add("Transpose", q, perm=[0, 2, 1, 3]), add("Transpose", v, perm=[0, 2, 1, 3])
        k = add("Transpose", k, perm=[0, 2, 3, 1])
        scores = add("Softmax", add("Div", add("MatMul", q, k), scale), axis=-1)
        mixed = add("Transpose", add("MatMul", scores, v), perm=[0, 2, 1, 3])
        value = add("Add", value, dense(add("Reshape", mixed, whole), width, width))
        x = dense(norm(value), width, 4 * width)
        x = add("Mul", add("Mul", x, add("Add", add("Erf", add("Div", x, root)), one)), half)
        value = add("Add", value, dense(x, 4 * width, width))
    _save(path, nodes, tensors, ("N", 64, width), value, ("N", 64, width), "tokens")


def chain(length: int) -> Callable[[Path], None]:
    """``length`` nodes in a row: 1×1 convolutions and ReLUs that share one kernel."""

    def write(path: Path) -> None:
        kernel = numpy_helper.from_array(numpy.ones((4, 4, 1, 1), numpy.float32), "w")
        nodes = []
        for at in range(length):
            op, inputs = ("Relu", [f"v{at}"]) if at % 2 else ("Conv", [f"v{at}", "w"])
            nodes.append(helper.make_node(op, inputs, [f"v{at + 1}"], f"n{at}"))
        _save(path, nodes, [kernel], (1, 4, 8, 8), f"v{length}", (1, 4, 8, 8), "v0")

    return write


def hundred(path: Path) -> None:
    """A folder of 100 small models, half Keras, half ONNX."""
    path.mkdir()
    for number in range(50):
        for example in ("tutorial_cnn.keras", "digits.onnx"):
            (path / f"{number:02}_{example}").write_bytes((EXAMPLES / example).read_bytes())


MODELS: dict[str, Callable[[Path], None]] = {
    "vgg16.keras": vgg16_keras,
    "vgg16.onnx": vgg16_onnx,
    "vgg16_external.onnx": vgg16_external,
    "external_2gb.onnx": transformer(1640),
    "external_48kb.onnx": transformer(8),
    "encoder.onnx": encoder,
    "chain_10000.onnx": chain(10_000),
    "chain_100000.onnx": chain(100_000),
    "hundred": hundred,
}


def make_missing(folder: Path) -> None:
    """Makes every model that the folder does not hold yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, write in MODELS.items():
        if not (folder / name).exists():
            unfinished = folder / f"unfinished-{name}"
            write(unfinished)
            unfinished.rename(folder / name)


def _external(name: str, shape: Iterable[int], location: str, offset: int, length: int) -> onnx.TensorProto:
    tensor = TensorProto(name=name, dims=shape, data_type=TensorProto.FLOAT)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def _save(
    path: Path,
    nodes: list[onnx.NodeProto],
    tensors: list[onnx.TensorProto],
    shape: tuple[int, ...],
    output: str,
    output_shape: tuple[int, ...],
    name: str = "",
) -> None:
    first = helper.make_tensor_value_info(name or nodes[0].input[0], TensorProto.FLOAT, shape)
    last = helper.make_tensor_value_info(output, TensorProto.FLOAT, output_shape)
    graph = helper.make_graph(nodes, path.stem, [first], [last], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())


if __name__ == "__main__":
    make_missing(Path(sys.argv[1]))
