"""What the targets say of ONNX Runtime, against the package itself."""

import re
from pathlib import Path

import pytest

from archlint.targets import target

pytestmark = pytest.mark.oracle


def operators_in(*files: str) -> set[str]:
    """The operators that the provider tables inside the package name, in lower case (one says Argmax)."""
    import onnxruntime.tools.mobile_helpers as helpers

    folder = Path(helpers.__file__).parent
    text = "".join((folder / file).read_text() for file in files)
    return {name.lower() for name in re.findall(r"^\|ai\.onnx[:.](\w+)\|", text, re.MULTILINE)}


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("coreml", ("coreml_supported_mlprogram_ops.md", "coreml_supported_neuralnetwork_ops.md")),
        ("ort-mobile", ("nnapi_supported_ops.md",)),
    ],
)
def test_no_operator_that_a_provider_supports_is_said_not_to_be(name, files):
    supported = operators_in(*files)
    assert len(supported) > 40
    said = {op.lower() for op in target(name).unsupported["onnx"]}
    assert set() == said & supported


@pytest.mark.parametrize("name", ["coreml", "ort-mobile", "ort-web"])
def test_the_highest_versions_of_a_target_are_loaded(name):
    import onnxruntime
    from onnx import TensorProto, helper

    found = target(name)
    opset, ir_version = found.opset[1], found.ir_version[1]
    x, y = (helper.make_tensor_value_info(value, TensorProto.FLOAT, [1, 4]) for value in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert ["y"] == [output.name for output in session.get_outputs()]
