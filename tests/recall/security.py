"""Files that would do something to whoever loads them: those of tests/security, each of a few lines.

What is planted is in the file, not in a graph, so each row writes its file. Left out are files that need a
name of their own: sniffing goes by content, and these are all called ``model.keras`` here.
"""

import importlib.util
from pathlib import Path


def _planted():
    path = Path(__file__).parents[1] / "security/planted.py"
    spec = importlib.util.spec_from_file_location("recall_security_planted", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Writer:
    """What writes one planted file, as a model saves itself."""

    def __init__(self, make) -> None:
        self.make = make

    def __call__(self):
        return self

    def save(self, path: Path) -> None:
        self.make(path)


PLANTED = _planted()
NAMED = {"range_long.onnx", "range_negative.onnx", "range_word.onnx", "payload_field.onnx"}
FAULTS = [
    (rule, name, Writer(make))
    for name, (make, rules, _) in PLANTED.PLANTED.items()
    if name not in NAMED
    for rule in sorted(rules)
]
FAULTS += [
    ("external-data-past-end", f"{what} {value!r}", Writer(make))
    for what, value in (("length", "400000"), ("offset", "-8"), ("length", "all"))
    for make in [
        lambda path, what=what, value=value: PLANTED.external(path, location="model.keras", **{what: value})
    ]
]
MISSED = []
