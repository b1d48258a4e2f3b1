"""What a model computes on the way, run by its own framework: ``python -m archlint.runtime.trunk``.

A request on stdin names a model, arrays for its inputs, and places inside it. The answers are ``.npy`` files
in the folder of the request; frameworks write to stdout what they like.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archlint.runtime.sessions import runnable
from archlint.runtime.verify import bound_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = list[NDArray[Any]]

Run = Callable[[Mapping[str, "NDArray[Any]"]], "Arrays"]
"""Input name → a batch, to the values at the places in order, then the outputs of the model."""


def keras_run(path: str, places: Sequence[Mapping[str, Any]]) -> Run:
    """A Keras model that also gives what layers read ("input") or make ("output"), nested models' as well."""
    import keras

    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    nest = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    held = keras.tree.flatten(nest)
    seen: dict[tuple[str, ...], tuple[Any, Any]] = {}
    for address in {tuple(place["layer"]) for place in places}:
        layer = model
        for name in address:
            layer = layer.get_layer(name)
        _watch(layer, address, seen)

    def values(fed: Any) -> list[Any]:
        outputs = keras.tree.flatten(model(fed, training=False))
        return [*(seen[tuple(place["layer"])][place["side"] == "output"] for place in places), *outputs]

    def run(batch: Mapping[str, NDArray[Any]]) -> Arrays:
        spare = iter(batch.values())
        fed = [batch[value.name] if value.name in batch else next(spare) for value in held]
        return [keras.ops.convert_to_numpy(value) for value in call(keras.tree.pack_sequence_as(nest, fed))]

    call = runnable(values)
    return run


def _watch(layer: Any, address: tuple[str, ...], seen: dict[tuple[str, ...], tuple[Any, Any]]) -> None:
    """Has a layer note what it reads and what it makes, each time it is called."""
    plain = layer.call

    def call(value: Any, *args: Any, **kwargs: Any) -> Any:
        made = plain(value, *args, **kwargs)
        seen[address] = (value, made)
        return made

    layer.call = call


def onnx_run(path: str, places: Sequence[Mapping[str, Any]]) -> Run:
    """An ONNX model that also gives named values of its graph."""
    import onnx
    import onnxruntime

    model = onnx.load(path, load_external_data=False)
    outputs = [output.name for output in model.graph.output]
    wanted = [place["value"] for place in places]
    for name in dict.fromkeys(wanted):
        if name not in outputs:
            model.graph.output.append(onnx.ValueInfoProto(name=name))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    folder = str(Path(path).resolve().parent)
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )

    def run(batch: Mapping[str, NDArray[Any]]) -> Arrays:
        found: Arrays = session.run([*wanted, *outputs], dict(batch))
        return found

    return run


RUNS: Mapping[str, Callable[[str, Sequence[Mapping[str, Any]]], Run]] = {
    "onnx": onnx_run,
    "keras": keras_run,
    "keras-h5": keras_run,
    "keras-folder": keras_run,
}
"""Format → what loads a file."""


def main() -> None:
    """Reads the request, runs the model over all samples, writes an array per place and per output."""
    import numpy as np

    request = json.load(sys.stdin)
    bound_memory(request["memory_bytes"])
    folder = Path(request["folder"])
    inputs = {name: np.load(file, mmap_mode="r") for name, file in request["inputs"].items()}
    run = RUNS[request["format"]](request["path"], request["places"])
    total = len(next(iter(inputs.values())))
    with ExitStack() as stack:
        files: list[Any] = []
        for batch, count in _batches(inputs, request["dtypes"], request["batch"]):
            found = [np.ascontiguousarray(array[:count]) for array in run(batch)]
            if not files:
                files = [
                    stack.enter_context(open(folder / f"value-{at}.npy", "xb")) for at in range(len(found))
                ]
                for file, array in zip(files, found, strict=True):
                    _begin(file, array, total)
            for file, array in zip(files, found, strict=True):
                file.write(array.tobytes())


def _begin(file: Any, first: NDArray[Any], total: int) -> None:
    """Writes what stands at the head of an ``.npy`` for so many samples like the first ones."""
    import numpy as np

    shape = (total, *first.shape[1:])
    head = {"descr": np.lib.format.dtype_to_descr(first.dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, head)


def _batches(inputs: Mapping[str, NDArray[Any]], dtypes: Mapping[str, str], size: int) -> Any:
    """Batches of exactly ``size``, the last filled up with its last sample, and how many of each are real."""
    import numpy as np

    count = len(next(iter(inputs.values())))
    for first in range(0, count, size):
        batch = {name: np.array(array[first : first + size], dtypes[name]) for name, array in inputs.items()}
        real = min(size, count - first)
        if real < size:
            batch = {
                name: np.concatenate([part, np.repeat(part[-1:], size - real, axis=0)])
                for name, part in batch.items()
            }
        yield batch, real


if __name__ == "__main__":
    main()
