"""Checks of portability where the examples of their rules do not go."""

import pytest

from archlint.checks import portability
from archlint.facts import Facts
from archlint.graph import parse
from archlint.ops import build


def matches(check, text, **settings):
    return list(check(Facts(build(parse(text))), **settings))


ONNX = (
    "model m format=onnx opset={opset} ir_version=8\ninput x float32[N,4]\nd = Dense(x) units=2\noutput d\n"
)


def test_several_targets_are_named_with_the_range_that_suits_all():
    (match,) = matches(
        portability.version_outside,
        ONNX.format(opset=30),
        names=("tensorrt", "ort-web"),
        what="opset",
    )
    assert (9, 24) == (match.values["low"], match.values["high"])
    assert ("TensorRT 10.15", "ONNX Runtime 1.31 for the web") == match.values["where"]


def test_a_file_without_a_version_is_not_judged():
    assert [] == matches(portability.version_outside, ONNX.format(opset=0), names=("tensorrt",), what="opset")


def test_an_operator_inside_a_body_counts_for_the_node_around_it():
    text = """\
model m format=onnx
input c bool[]
input x float32[4]
y = If<If branch>(c)
  body then_branch
    a = Unique<Unique u>(x)
    output a
  body else_branch
    b = Unique<Unique v>(x)
    output b
output y
"""
    (match,) = matches(portability.unsupported, text, names=("tensorrt",))
    assert ("y", "Unique", 2) == (match.nodes["node"].name, match.values["native"], match.values["count"])


def test_the_activation_of_a_layer_does_not_count_as_another_layer():
    text = """\
model m format=keras
input x float32[N,8,8,8,1]
p = MaxPool<MaxPooling3D p>(x) kernel=(2,2,2) strides=(2,2,2)
r = Relu<MaxPooling3D p>(p)
output r
"""
    (match,) = matches(portability.unsupported, text, names=("tflite",))
    assert 1 == match.values["count"]


@pytest.mark.parametrize(
    ("input_", "shape"),
    [
        ("float32[N,4,?,8]", "(1,256)"),
        ("float32[N,4,8,8]", "(0,256)"),
        ("float32[N,4,8,8]", "(3,100)"),
        ("float32[?,4,8,8]", "(1,256)"),
        ("float32[2,4,8,8]", "(2,256)"),
    ],
)
def test_a_reshape_that_may_take_any_batch_is_passed(input_, shape):
    text = f"input x {input_}\nr = Reshape(x) shape={shape}\noutput r\n"
    assert [] == matches(portability.batch_in_reshape, text)


def test_an_axis_that_is_not_the_batch_of_an_input_is_passed():
    text = """\
input x float32[4,8]
t = Unknown(x) -> float32[boxes,8]
r = Reshape(t) shape=(2,8)
output r
"""
    assert [] == matches(portability.batch_in_reshape, text)


@pytest.mark.parametrize(
    ("epsilon", "lost"), [("1e-12", True), ("2.9e-8", True), ("3e-8", False), ("0.0", False)]
)
def test_an_epsilon_is_lost_when_half_precision_rounds_it_to_zero(epsilon, lost):
    import numpy

    assert lost is bool(float(epsilon) > 0 == numpy.float16(float(epsilon)))
    text = f"input x float32[N,8]\nn = LayerNormalization(x) epsilon={epsilon}\noutput n\n"
    assert lost is bool(matches(portability.epsilon_lost, text))


def test_inputs_with_different_batches_have_no_fixed_batch():
    text = "input x float32[8,4]\ninput y float32[2,4]\nc = Concat(x, y) axis=0\noutput c\n"
    assert [] == matches(portability.fixed_batches, text)


def test_an_image_that_something_else_reads_as_well_is_passed():
    text = """\
input x float32[N,32,32,3]
c = Conv(x) filters=4 kernel=(3,3)
m = ReduceMean(x) axes=(1,2)
output c m
"""
    assert [] == matches(portability.raw_image, text)


@pytest.mark.parametrize(
    "name", ["123", "onnx::Conv_5", "input.1", "args_0", "keras_tensor_3", "Identity:0", "output"]
)
def test_names_that_a_converter_gives(name):
    text = f'model m format=onnx\ninput "{name}" float32[N,4]\nd = Dense("{name}") units=2\noutput d\n'
    assert [(name,)] == [match.values["names"] for match in matches(portability.opaque_names, text)]


@pytest.mark.parametrize("name", ["image", "input_ids", "logits", "tokens.1"])
def test_names_that_a_person_gave(name):
    text = f'model m format=onnx\ninput "{name}" float32[N,4]\nd = Dense("{name}") units=2\noutput d\n'
    assert [] == matches(portability.opaque_names, text)
