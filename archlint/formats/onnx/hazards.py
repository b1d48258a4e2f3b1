"""What an ONNX file would do to whoever loads it, as data: seen in its records, never acted on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from archlint.formats.base import MAX_HAZARDS
from archlint.formats.onnx.external import MEMORY_MARK, external_metadata
from archlint.formats.onnx.records import RawAttr, RawGraph, RawModel, RawNode, Stored
from archlint.graph import Attr, Hazard

_PYTHON_OPS = frozenset({"PythonOp", "PythonOpGrad", "PyOp", "PyFunc", "PyFuncStateless", "EagerPyFunc"})
"""Ops of other domains that call Python functions by name: ONNX Runtime training (com.microsoft), its
extensions
(ai.onnx.contrib), and TensorFlow ops that a converter kept."""

_FILE_OPS = frozenset({"ReadFile", "WriteFile", "MatchingFiles", "LoadLibrary"})

EXTERNAL_KEYS = frozenset({"location", "offset", "length", "checksum", "basepath"})
"""Keys of external data; onnx took others as attributes of its own object (GHSA-538c-55jv-c5g9,
onnx/onnx#7751)."""

_KINDS: Mapping[str, tuple[str, str]] = {
    "external_data_escapes": ("external-escape", "which leads out of the model's folder"),
    "external_data_out_of_range": ("external-range", "a range that its file does not have"),
}
"""What the reader found of external data → kind of hazard and how it is meant."""


def hazards_of(path: str, model: RawModel) -> tuple[Hazard, ...]:
    """The hazards of a model whose file is at ``path``: functions and bodies included, called or not."""
    return tuple(hazard for _, hazard in zip(range(MAX_HAZARDS), _all(path, model), strict=False))


def _all(path: str, model: RawModel) -> Iterator[Hazard]:
    stored: list[Stored] = []
    own = {(item.domain, item.name) for item in model.functions}
    for node in _nodes(model, stored):
        if node.domain and (node.domain, node.op) not in own and node.op in _PYTHON_OPS | _FILE_OPS:
            how = "calls a Python function" if node.op in _PYTHON_OPS else "reaches files of the system"
            name = _short(node.name or node.op)
            attrs: dict[str, Attr] = {
                "subject": _short(f"{node.domain}.{node.op}"),
                "how": how,
                "layer": name,
            }
            yield Hazard("python-op", f"node '{name}'", attrs)
    yield from _of_tensors(path, stored)
    for number, size, kind in model.leftovers:
        how = kind or "bytes of no known kind"
        about: dict[str, Attr] = {"subject": f"field {number} of the model", "how": how, "stated": size}
        yield Hazard("foreign-payload", f"field {number}, which ONNX does not have", about)


def _of_tensors(path: str, stored: list[Stored]) -> Iterator[Hazard]:
    about = external_metadata(path, stored)
    for key, (kind, how) in _KINDS.items():
        locations = about.get(key, ())
        for location in locations if isinstance(locations, tuple) else ():
            meant = "an address in the loader's own memory" if MEMORY_MARK in str(location) else how
            yield Hazard(kind, "external data", {"subject": _short(str(location)), "how": meant})
    strange = {key for item in stored for key in item.external_keys if key not in EXTERNAL_KEYS}
    for key in sorted(strange):
        yield Hazard("external-key", "external data", {"subject": _short(key), "how": ""})
    for item in stored:
        if item.hollow is not None:
            name = _short(item.name)
            sizes = {"stated": item.hollow[0], "stored": item.hollow[1]}
            yield Hazard("size-bomb", f"tensor '{name}'", {"subject": name, "how": "states", **sizes})


def _nodes(model: RawModel, stored: list[Stored]) -> Iterator[RawNode]:
    """Every node of the model; tensors that are met on the way are added to ``stored``."""
    for function in model.functions:
        yield from _within(function.nodes, stored)
        stored.extend(_tensors(function.defaults))
    yield from _of_graph(model.graph, stored)


def _of_graph(graph: RawGraph, stored: list[Stored]) -> Iterator[RawNode]:
    stored.extend(graph.initializers)
    return _within(graph.nodes, stored)


def _within(nodes: Sequence[RawNode], stored: list[Stored]) -> Iterator[RawNode]:
    waiting = [nodes]
    while waiting:
        for node in waiting.pop():
            yield node
            for value in node.attrs.values():
                if isinstance(value, RawGraph):
                    stored.extend(value.initializers)
                    waiting.append(value.nodes)
                elif isinstance(value, Stored):
                    stored.append(value)


def _tensors(attrs: Mapping[str, RawAttr]) -> Iterator[Stored]:
    return (value for value in attrs.values() if isinstance(value, Stored))


def _short(text: str) -> str:
    clean = "".join(char if char.isprintable() else "?" for char in text)
    return clean if len(clean) <= 80 else clean[:79] + "…"
