"""What a model computes on the way, run by its own framework: ``python -m archlint.runtime.trunk``.

A request on stdin names a model, arrays for its inputs, and places inside it. The answers are ``.npy`` files
in the folder of the request; frameworks write to stdout what they like.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = list[NDArray[Any]]

Run = Callable[[Mapping[str, "NDArray[Any]"]], "Arrays"]
"""Input name → a batch, to the values at the places in order, then the outputs of the model."""


def keras_run(path: str, places: Sequence[Mapping[str, str]]) -> Run:
    """A Keras model that also gives what layers read ("input") or make ("output")."""
    import keras

    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    wanted = [getattr(model.get_layer(place["layer"]), place["side"]) for place in places]
    whole = keras.Model(model.inputs, [*wanted, *model.outputs])

    def run(batch: Mapping[str, NDArray[Any]]) -> Arrays:
        spare = iter(batch.values())
        fed = [batch[held.name] if held.name in batch else next(spare) for held in whole.inputs]
        return [keras.ops.convert_to_numpy(value) for value in keras.tree.flatten(whole(fed, training=False))]

    return run


def onnx_run(path: str, places: Sequence[Mapping[str, str]]) -> Run:
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


RUNS: Mapping[str, Callable[[str, Sequence[Mapping[str, str]]], Run]] = {
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
    folder = Path(request["folder"])
    inputs = {name: np.load(folder / file, mmap_mode="r") for name, file in request["inputs"].items()}
    run = RUNS[request["format"]](request["path"], request["places"])
    parts: list[Arrays] = []
    for batch, count in _batches(inputs, request["batch"]):
        parts.append([array[:count] for array in run(batch)])
    for at, arrays in enumerate(zip(*parts, strict=True)):
        np.save(folder / f"value-{at}.npy", np.concatenate(arrays))


def _batches(inputs: Mapping[str, NDArray[Any]], size: int) -> Any:
    """Batches of exactly ``size``, the last filled up with its last sample, and how many of each are real."""
    import numpy as np

    count = len(next(iter(inputs.values())))
    for first in range(0, count, size):
        batch = {name: np.array(array[first : first + size]) for name, array in inputs.items()}
        real = min(size, count - first)
        if real < size:
            batch = {
                name: np.concatenate([part, np.repeat(part[-1:], size - real, axis=0)])
                for name, part in batch.items()
            }
        yield batch, real


if __name__ == "__main__":
    main()
