"""Model files as functions from arrays to arrays, in their own framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = list[NDArray[Any]]

Function = Callable[[Sequence[str], "Arrays"], "Arrays"]
"""Names and contents of the inputs → contents of the outputs."""


def keras_function(path: str) -> Function:
    """A Keras model in inference mode; nothing that the file holds as code is loaded."""
    import keras

    model = keras.saving.load_model(path, compile=False, safe_mode=True)

    # A Sequential model has one input and no nest of them; a functional one may take a dictionary.
    nest = model.inputs[0] if isinstance(model, keras.Sequential) else model.input

    def run(names: Sequence[str], arrays: Arrays) -> Arrays:
        by_name = dict(zip(names, arrays, strict=True))
        if {held.name for held in keras.tree.flatten(nest)} != by_name.keys():
            by_name = dict(zip((held.name for held in keras.tree.flatten(nest)), arrays, strict=True))
        fed = keras.tree.map_structure(lambda held: by_name[held.name], nest)
        return [keras.ops.convert_to_numpy(value) for value in call(fed)]

    call = runnable(lambda fed: keras.tree.flatten(model(fed, training=False)))
    return run


def runnable(plain: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function of tensors as it is, or compiled by XLA once TensorFlow turns out to have no kernels for it.

    So it is on a CPU with convolutions and pools whose channels come first.
    """
    import keras

    chosen = [plain]

    def run(fed: Any) -> Any:
        try:
            return chosen[0](fed)
        except Exception as error:  # TensorFlow's, which this module must not import to name
            if type(error).__name__ != "UnimplementedError" or chosen[0] is not plain:
                raise
            if keras.backend.backend() != "tensorflow":
                raise
            import tensorflow

            chosen[0] = tensorflow.function(plain, jit_compile=True)
            return chosen[0](fed)

    return run


def keras_name() -> str:
    """The version of Keras, and of what it runs on."""
    import keras

    return f"keras {keras.__version__} on {keras.backend.backend()}"


def onnx_function(path: str) -> Function:
    """An ONNX model in ONNX Runtime on the CPU, without custom operators."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(names: Sequence[str], arrays: Arrays) -> Arrays:
        found: Arrays = session.run(None, dict(zip(names, arrays, strict=True)))
        return found

    return run


def onnx_name() -> str:
    """The version of ONNX Runtime."""
    import onnxruntime

    return f"onnxruntime {onnxruntime.__version__}"


RUNTIMES: Mapping[str, tuple[Callable[[], str], Callable[[str], Function]]] = {
    "onnx": (onnx_name, onnx_function),
    "keras": (keras_name, keras_function),
    "keras-h5": (keras_name, keras_function),
    "keras-folder": (keras_name, keras_function),
}
"""Format → its runtime's name and version, and what loads a file."""
