"""Which module and class names in a saved model belong to Keras, need code of the user, or must not be
there."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

from archlint.formats.keras.raw import Json

KERAS = frozenset({"keras", "tf_keras", "keras_hub", "keras_cv", "keras_nlp", "keras_core"})
"""Packages whose symbols a loader takes from Keras itself (serialization_lib.py allows the same, without
the old names)."""

LOADERS: Mapping[str, str] = {
    "TorchModuleWrapper": "torch.load",
    "TFSMLayer": "a SavedModel outside the file",
    "KerasLayer": "a TensorFlow Hub module outside the file",
}
"""Layer class → what it reads when it is made."""

_GADGETS = frozenset(
    {"clear_session", "enable_unsafe_deserialization", "load_model", "model_from_json", "save_model"}
    | {"image_dataset_from_directory", "load_img", "save_img", "text_dataset_from_directory", "load_weights"}
    | {"deserialize_keras_object", "register_keras_serializable", "save_weights", "serialize_keras_object"}
    | {"audio_dataset_from_directory", "get_file", "timeseries_dataset_from_array", "func_load", "func_dump"}
    | {
        "set_global_attribute",
        "model_from_config",
        "model_from_yaml",
        "extract_archive",
        "extract_open_archive",
    }
)
"""Functions of Keras that read, write, fetch or switch safety off.

The first 26 addresses are NON_MODELING_APIS of keras/src/saving/serialization_lib.py (3.15.1); the rest do
the same
from inside the package: func_load unmarshals, set_global_attribute was the way of CVE-2025-9906.
"""

_GADGET_MODULES = ("keras.config", "keras.saving", "keras.src.saving", "keras.src.backend.config")

_TF_GADGETS = frozenset(
    {"io.read_file", "io.write_file", "io.matching_files", "py_function", "numpy_function", "load_library"}
    | {"load_op_library", "saved_model.load", "raw_ops.ReadFile", "raw_ops.WriteFile", "raw_ops.PyFunc"}
    | {"raw_ops.MatchingFiles", "raw_ops.PyFuncStateless", "raw_ops.EagerPyFunc", "raw_ops.ImmutableConst"}
)
"""TensorFlow functions by which an op layer of Keras 2 would reach files or Python."""

_TF_KERAS_OWN = frozenset(
    f"Custom>{name}"
    for name in (
        *("Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lion", "Nadam", "RMSprop"),
        *("SGD", "LossScaleOptimizer", "LossScaleOptimizerV2", "LossScaleOptimizerV3"),
    )
)
"""What tf_keras calls its own optimizers in the training settings of an ``.h5`` (seen in files of 2.15 and
2.21)."""

_UNSAFE_BUILTINS = frozenset(
    {
        "__import__",
        "breakpoint",
        "compile",
        "delattr",
        "eval",
        "exec",
        "getattr",
        "globals",
        "input",
        "locals",
    }
    | {"memoryview", "open", "setattr", "vars"}
)

_NAMES_OF_USERS = frozenset({"__main__", "test", "this", "antigravity"})
"""Names in the standard library that are as likely a user's own module."""

_PACKAGES = frozenset(
    {"asyncio", "collections", "concurrent", "ctypes", "dbm", "distutils", "email", "encodings", "ensurepip"}
    | {
        "html",
        "http",
        "importlib",
        "json",
        "logging",
        "multiprocessing",
        "os",
        "sqlite3",
        "tkinter",
        "unittest",
    }
    | {"urllib", "venv", "wsgiref", "xml", "xmlrpc", "zipfile"}
)
"""Modules of the standard library that have modules inside: ``code.layers`` is a user's, ``os.path`` is
not."""

_LIBRARIES = frozenset({"numpy", "torch", "joblib", "dill", "cloudpickle", "requests", "pip", "setuptools"})
"""Libraries that no layer of Keras comes from, and whose functions load code or reach the network."""


def symbol_hazard(cls: str, value: Mapping[str, Json]) -> tuple[str, str, str] | None:
    """Kind, symbol and how it is meant, for an object that is not plainly Keras's own; None when it is."""
    short = cls.rpartition(">")[2]
    if short in LOADERS:
        return "nested-loader", short, LOADERS[short]
    name, module = _named(cls, value), value.get("module")
    if cls in ("TFOpLambda", "TensorFlowOpLayer"):
        function = _tensorflow_op(value.get("config"))
        return ("gadget", f"tf.{function}", "") if function in _TF_GADGETS else None
    if not isinstance(module, str) or not module:
        return _registered(cls, value)
    symbol = f"{module}.{name}"
    root = module.partition(".")[0]
    if _is_keras(module):
        unsafe = name in _GADGETS or module.startswith(_GADGET_MODULES)
        return ("gadget", symbol, "") if unsafe else None
    if root == "builtins":
        return ("foreign-symbol", symbol, "a builtin of Python") if name in _UNSAFE_BUILTINS else None
    if root == "tensorflow":
        return ("gadget", symbol, "") if f"io.{name}" in _TF_GADGETS or name in _TF_GADGETS else None
    if _is_standard(module, root):
        return "foreign-symbol", symbol, "Python's standard library"
    if root in _LIBRARIES:
        return "foreign-symbol", symbol, f"the library {root}"
    return "custom-object", symbol, ""


def _named(cls: str, value: Mapping[str, Json]) -> str:
    """The symbol that is looked up: functions keep theirs in ``config``, type specs in ``spec_name``."""
    if cls == "function" and isinstance(value.get("config"), str):
        return str(value["config"])
    spec = value.get("spec_name")
    return spec if cls == "__typespec__" and isinstance(spec, str) else cls


def _tensorflow_op(config: Json) -> str:
    """The function of a TFOpLambda, or the op of a TensorFlowOpLayer (an object, or its JSON as text)."""
    if not isinstance(config, dict):
        return ""
    node = config.get("node_def")
    if isinstance(node, str):
        found = re.search(r'"op"\s*:\s*"(\w+)"', node)
        return f"raw_ops.{found.group(1)}" if found else ""
    op = node.get("op") if isinstance(node, dict) else None
    function = config.get("function") if op is None else f"raw_ops.{op}"
    return function if isinstance(function, str) else ""


def _registered(cls: str, value: Mapping[str, Json]) -> tuple[str, str, str] | None:
    registered = value.get("registered_name")
    name = registered if isinstance(registered, str) and ">" in registered else cls
    package = name.partition(">")[0]
    if ">" not in name or package in KERAS or name in _TF_KERAS_OWN:
        return None
    return "custom-object", name, ""


def _is_keras(module: str) -> bool:
    for prefix in ("tensorflow.python.", "tensorflow."):
        if module.startswith(prefix + "keras"):
            module = module.removeprefix(prefix)
    return module.partition(".")[0] in KERAS


def _is_standard(module: str, root: str) -> bool:
    if root not in sys.stdlib_module_names or root in _NAMES_OF_USERS:
        return False
    return "." not in module or root in _PACKAGES
