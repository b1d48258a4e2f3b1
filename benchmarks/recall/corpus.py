"""The planted faults of ``tests/recall``, and whether one of them is found."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

from archlint.api import check
from archlint.engine import load, run, selection
from archlint.facts import Facts
from archlint.findings import Finding
from archlint.graph import Attr, parse
from archlint.ops import build

FOLDER = Path(__file__).parents[2] / "tests" / "recall"
RULES = load()

KINDS = ("keras graph", "onnx graph", "file", "Keras .keras", "Keras .h5")
"""What a fault is planted in: a graph in text as the readers of either format give it, a file written byte
by byte, and a model that Keras builds and saves, in both of its formats."""


@dataclass(frozen=True)
class Fault:
    """A fault planted in one model: the graph as text, or a function that builds what can save itself.

    ``options`` are those that the rule needs to speak, ``missed`` says whether it is known not to be found.
    """

    family: str
    rule: str
    name: str
    model: str | Callable[[], Any]
    kind: str
    missed: bool = False
    options: Mapping[str, Attr] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.rule}: {self.name} ({self.kind})"


def corpus() -> tuple[Fault, ...]:
    """Every planted fault, by family; a model that Keras builds counts once per format it is saved in."""
    paths = (path for path in sorted(FOLDER.glob("*.py")) if not path.name.startswith("test_"))
    return tuple(fault for path in paths for fault in _faults(path))


def _faults(path: Path) -> Iterator[Fault]:
    module = _loaded(path)
    options = getattr(module, "OPTIONS", {})
    missed = {*module.MISSED, *getattr(module, "MISSED_IN_H5", ())}
    unknown = missed - {(rule, name) for rule, name, _ in module.FAULTS}
    assert not unknown, f"{path.name}: no such fault: {sorted(unknown)}"
    for rule, name, model in module.FAULTS:
        for kind in _kinds(model):
            known = (rule, name) in (missed if kind == "Keras .h5" else set(module.MISSED))
            yield Fault(path.stem, rule, name, model, kind, known, options.get(rule, {}))


def _loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"recall_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _kinds(model: object) -> tuple[str, ...]:
    if isinstance(model, str):
        return ("onnx graph" if parse(model).format == "onnx" else "keras graph",)
    return ("file",) if hasattr(model, "save") else ("Keras .keras", "Keras .h5")


def findings_on(fault: Fault) -> tuple[Finding, ...]:
    """What all rules that are on, and the planted one, say of a graph that is given as text."""
    assert isinstance(fault.model, str)
    graph = build(parse(fault.model))
    facts = Facts(graph, graph.metadata.get("size_bytes"))
    return run(selection(RULES, extend=[fault.rule]), facts, {fault.rule: fault.options}).findings


def pairs_at_one_node(fault: Fault) -> set[tuple[str, str]]:
    """Pairs of rules that speak of the same node of a graph, each in order of the alphabet."""
    at: dict[str, set[str]] = {}
    for finding in findings_on(fault):
        if finding.node is not None:
            at.setdefault(finding.node, set()).add(finding.rule)
    return {pair for rules in at.values() for pair in combinations(sorted(rules), 2)}


def said_of(fault: Fault, folder: Path) -> set[str]:
    """The rules that speak of the model with the fault."""
    if isinstance(fault.model, str):
        return {finding.rule for finding in findings_on(fault)}
    path = folder / ("model.h5" if fault.kind == "Keras .h5" else "model.keras")
    fault.model().save(path)
    (row,) = check([str(path)]).files
    return {finding.rule for finding in row.findings}
