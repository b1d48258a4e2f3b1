"""Each op that a patch may add, in the form that the opset of the file has for it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from write_cases import IR_VERSIONS, OPSETS, read_at, saved

from archlint.errors import PatchError
from archlint.formats.onnx.write import write
from archlint.graph import Made, Splice, TensorType, parse

MAP = "N,4,6,6"
ROWS = [
    # node that takes the place of y = Identity(x), shape of x, first opset (0: any)
    ("Relu(x)", MAP, 0),
    ("Relu(x) max_value=6.0", MAP, 0),
    ("Clip(x) min=-1.0 max=1.0", MAP, 0),
    ("Clip(x) max=1.0", MAP, 0),
    ("LeakyRelu(x) alpha=0.1", MAP, 0),
    ("Elu(x)", MAP, 0),
    ("Selu(x)", MAP, 0),
    ("Celu(x) alpha=0.5", MAP, 13),
    ("ThresholdedRelu(x) alpha=0.5", MAP, 11),
    ("PRelu(x) | alpha float32[4,1,1]", MAP, 0),
    ("Sigmoid(x)", MAP, 0),
    ("HardSigmoid(x) alpha=0.2", MAP, 0),
    ("Tanh(x)", MAP, 0),
    ("Softplus(x)", MAP, 0),
    ("Softsign(x)", MAP, 0),
    ("Swish(x)", MAP, 0),
    ("HardSwish(x)", MAP, 0),
    ("Mish(x)", MAP, 0),
    ("Gelu(x)", MAP, 9),
    ("Gelu(x) approximate=true", MAP, 21),
    ("Softmax(x)", "N,10", 0),
    ("LogSoftmax(x)", "N,5,10", 0),
    ("Softmax(x) axis=1", MAP, 13),
    ("Softmax(x) flatten_from=1", MAP, -11),
    ("Identity(x)", MAP, 0),
    ("Neg(x)", MAP, 0),
    ("Add(x, x)", MAP, 0),
    ("Mul(x, x)", MAP, 0),
    ("Sub(x, x)", MAP, 0),
    ("Div(x, x)", MAP, 0),
    ("Max(x, x)", MAP, 0),
    ("MatMul(x, x)", MAP, 0),
    ("Concat(x, x) axis=1", MAP, 0),
    ("Flatten(x)", MAP, 0),
    ("Reshape(x) shape=(0,2,2,-1)", MAP, 0),
    ("Transpose(x) perm=(0,2,3,1)", MAP, 0),
    ("Squeeze(x) axes=(2,3)", "N,4,1,1", 0),
    ("Unsqueeze(x) axes=(1)", MAP, 0),
    ("Pad(x) pads=((0,0),(0,0),(1,2),(3,4))", MAP, 0),
    ("Pad(x) pads=((0,0),(0,0),(1,1),(1,1)) mode=reflect", MAP, 0),
    ("Pad(x) pads=((0,0),(0,0),(1,1),(1,1)) value=2.0", MAP, 0),
    ("Slice(x) starts=(1) ends=(3) axes=(2)", MAP, 0),
    ("Slice(x) starts=(0) ends=(6) axes=(2) steps=(2)", MAP, 11),
    ("Cast(x) to=float32", MAP, 0),
    ("Tile(x) repeats=(1,1,2,2)", MAP, 0),
    ("Expand(x) shape=(1,4,6,6)", "1,4,6,6", 9),
    ("DepthToSpace(x) blocksize=2", MAP, 0),
    ("ReduceMean(x) axes=(1)", MAP, 0),
    ("ReduceMean(x) axes=(1) keepdims=false", MAP, 0),
    ("ReduceSum(x) axes=(1,2)", MAP, 0),
    ("ReduceMax(x) axes=(1)", MAP, 0),
    ("Dropout(x) rate=0.25", MAP, 0),
    ("GlobalAveragePool(x) channel_axis=1", MAP, 0),
    ("GlobalAveragePool(x) channel_axis=1 keepdims=true", MAP, 0),
    ("GlobalMaxPool(x) channel_axis=1", MAP, 0),
    ("GlobalMaxPool(x) channel_axis=1", "N,4,6", 0),
    ("GlobalAveragePool(x) channel_axis=1", "N,4,6,6,6", 0),
    ("GlobalAveragePool(x)", MAP, 0),
    ("GlobalMaxPool(x)", "N,6,4", 0),
    ("GlobalAveragePool(x) keepdims=true", "N,4,6,6,3", 0),
    ("MaxPool(x) kernel=(2,2) strides=(2,2) channel_axis=1", MAP, 0),
    ("MaxPool(x) kernel=(2,2) strides=(2,2) ceil_mode=true channel_axis=1", MAP, 11),
    ("AveragePool(x) kernel=(3,3) padding=((1,1),(1,1)) count_include_pad=true channel_axis=1", MAP, 0),
    ("AveragePool(x) kernel=(2,2) padding=same channel_axis=1", MAP, 0),
    ("Conv(x) kernel=(3,3) channel_axis=1 filters=5 | kernel float32[5,4,3,3], bias float32[5]", MAP, 0),
    ("Conv(x) kernel=(1,1) channel_axis=1 filters=5 use_bias=false | kernel float32[5,4,1,1]", MAP, 0),
    (
        "Conv(x) kernel=(3,3) strides=(2,2) dilations=(2,1) padding=((1,2),(0,1)) channel_axis=1 filters=5"
        " | kernel float32[5,4,3,3], bias float32[5]",
        MAP,
        0,
    ),
    (
        "Conv(x) kernel=(3,3) channel_axis=1 groups=4 filters=8 | kernel float32[8,1,3,3], bias float32[8]",
        MAP,
        0,
    ),
    (
        "Conv(x) kernel=(3) channel_axis=1 padding=same filters=5 | kernel float32[5,4,3], bias float32[5]",
        "N,4,6",
        0,
    ),
    (
        "ConvTranspose(x) kernel=(2,2) strides=(2,2) channel_axis=1 padding=((0,0),(0,1)) filters=3"
        " | kernel float32[4,3,2,2], bias float32[3]",
        MAP,
        0,
    ),
    ("Dense(x) units=3 | kernel float32[10,3], bias float32[3]", "N,10", 0),
    ("Dense(x) units=3 kernel_transposed=true | kernel float32[3,10], bias float32[3]", "N,10", 0),
    ("Dense(x) units=3 use_bias=false | kernel float32[10,3]", "N,10", 0),
    ("Dense(x) units=3 alpha=0.5 beta=2.0 | kernel float32[10,3], bias float32[3]", "N,10", 0),
    ("Dense(x) units=3 use_bias=false kernel_transposed=true | kernel float32[3,10]", "N,10", 0),
    ("Dense(x) units=3 | kernel float32[10,3], bias float32[3]", "N,5,10", 0),
    ("Dense(x) units=3 kernel_transposed=true | kernel float32[3,10], bias float32[3]", "N,5,10", 0),
    (
        "BatchNormalization(x) channel_axis=1 epsilon=1e-05 momentum=0.9 | gamma float32[4], beta float32[4],"
        " moving_mean float32[4] frozen, moving_variance float32[4] frozen",
        MAP,
        0,
    ),
    ("LayerNormalization(x) epsilon=1e-05 | gamma float32[10], beta float32[10]", "N,5,10", 0),
    ("LayerNormalization(x) epsilon=1e-05 center=false | gamma float32[10]", "N,5,10", 0),
    (
        "LayerNormalization(x) axes=(-2,-1) epsilon=1e-05 | gamma float32[5,10], beta float32[5,10]",
        "N,5,10",
        0,
    ),
    (
        "LSTM(x) units=3 return_sequences=true merge_mode=stack time_axis=0"
        " | kernel float32[1,12,4], recurrent_kernel float32[1,12,3], bias float32[1,24]",
        "7,N,4",
        0,
    ),
    (
        "GRU(x) units=3 direction=bidirectional return_sequences=true merge_mode=stack time_axis=0"
        " | kernel float32[2,9,4], recurrent_kernel float32[2,9,3], bias float32[2,18]",
        "7,N,4",
        0,
    ),
]


def patched(text: str, dims: str, opset: int, folder):
    """Puts ``y = <text>`` in the place of ``y = Identity(x)``, and gives what was written."""
    shape = [int(dim) if dim.isdigit() else dim for dim in dims.split(",")]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["?"] * 0)]
    outputs[0].type.tensor_type.shape.Clear()
    nodes = [helper.make_node("Neg", ["x"], ["z"], "first"), helper.make_node("Identity", ["z"], ["y"], "it")]
    graph = helper.make_graph(nodes, "net", inputs, outputs)
    ids = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=ids, ir_version=IR_VERSIONS[opset])
    file = saved(model, folder)
    node = parse(f"input z ?\ny = {text.replace('(x', '(z').replace(', x', ', z')}\noutput y\n").nodes[0]
    tensors = {p.name: Made((), lambda p=p: np.full(p.shape, 0.5, p.dtype)) for p in node.params}
    write(
        file,
        read_at(file.path),
        [Splice(frozenset({"it"}), (node,), tensors=tensors)],
        str(folder / "out.onnx"),
    )
    return onnx.load(folder / "out.onnx")


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize(("text", "dims", "since"), ROWS, ids=lambda value: str(value)[:60])
def test_an_op_is_written_in_the_form_of_the_opset(text, dims, since, opset, tmp_path):
    if opset < since or (since < 0 and opset > -since):
        with pytest.raises(PatchError, match="cannot write"):
            patched(text, dims, opset, tmp_path)
        return
    model = patched(text, dims, opset, tmp_path)
    onnx.checker.check_model(model)
    rank = len(onnx.shape_inference.infer_shapes(model, strict_mode=True, check_type=False).graph.output)
    assert rank == 1


REFUSED = [
    ("Conv(x) kernel=(3,3) filters=5 | kernel float32[5,4,3,3], bias float32[5]", "channels at axis 1"),
    (
        "Conv(x) kernel=(3,3) channel_axis=1 filters=5 padding=causal | kernel float32[5,4,3,3]",
        "no padding 'causal'",
    ),
    ("Conv(x) kernel=(3,3) channel_axis=1 filters=5 | kernel float32[3,3,4,5]", "would read as another one"),
    ("Conv(x) kernel=(3,3) channel_axis=1 filters=5", "its kernel is stored as None"),
    ("Relu(x) negative_slope=0.1", "negative_slope=0.1 has no form"),
    ("Flatten(x) channels_first=true", "channels_first=True has no form"),
    ("MultiHeadAttention(x, x) num_heads=2 key_dim=4", "no form is known for a new MultiHeadAttention"),
    ("LSTM(x) units=3 | kernel float32[1,12,4], recurrent_kernel float32[1,12,3]", "all steps"),
]


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_what_onnx_cannot_say_is_refused_with_the_reason(text, why, tmp_path):
    with pytest.raises(PatchError, match=why):
        patched(text, MAP, 17, tmp_path)
    assert ["model.onnx"] == [path.name for path in tmp_path.iterdir()]


def test_a_constant_is_stored_as_an_initializer(tmp_path):
    new = parse("a = Constant() | value float32[] @a frozen =(2.5)\ny = Mul(z, a)\noutput y\n")
    nodes = [helper.make_node("Neg", ["x"], ["z"], "first"), helper.make_node("Identity", ["z"], ["y"], "it")]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", "y")]
    model = helper.make_model(helper.make_graph(nodes, "net", values[:1], values[1:]), ir_version=8)
    file = saved(model, tmp_path)
    edit = Splice(frozenset({"it"}), new.nodes)
    write(file, read_at(file.path), [edit], str(tmp_path / "out.onnx"))
    [tensor] = onnx.load(tmp_path / "out.onnx").graph.initializer
    assert ("a", 2.5) == (tensor.name, float(onnx.numpy_helper.to_array(tensor)))
    assert TensorType("float32", (2,)) == read_at(tmp_path / "out.onnx").inputs[0][1]
