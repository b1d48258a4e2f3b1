"""Faults that were planted are found. Each family's are in the file of its name, as data."""

import importlib.util
from collections import Counter
from pathlib import Path

import pytest

from archlint.api import check
from archlint.engine import load, run, selection
from archlint.facts import Facts
from archlint.graph import parse
from archlint.ops import build

RULES = load()
LEAST_MODELS = 3
LEAST_RECALL = 0.95


def planted():
    """(rule, name, model, whether it is known to be missed) of all families."""
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.name.startswith("test_"):
            continue
        spec = importlib.util.spec_from_file_location(f"recall_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        known = set(module.MISSED)
        assert known <= {(rule, name) for rule, name, _ in module.FAULTS}, path.name
        OPTIONS.update(getattr(module, "OPTIONS", {}))
        for rule, name, model in module.FAULTS:
            yield rule, name, model, (rule, name) in known


OPTIONS = {}
"""Rule → options that its faults need: budgets and targets, which are silent until set."""

PLANTED = list(planted())
WRITTEN = [row for row in PLANTED if isinstance(row[2], str) and not row[3]]
MADE = [row for row in PLANTED if not isinstance(row[2], str) and not row[3]]


def named(rows):
    return [pytest.param(*row[:3], id=f"{row[0]}: {row[1]}") for row in rows]


@pytest.mark.parametrize(("rule", "name", "model"), named(WRITTEN))
def test_a_planted_fault_is_found(rule, name, model):
    graph = build(parse(model))
    facts = Facts(graph, graph.metadata.get("size_bytes"))
    outcome = run(selection(RULES, [rule]), facts, {rule: OPTIONS.get(rule, {})})
    assert rule in {finding.rule for finding in outcome.findings}, outcome.silences


@pytest.mark.oracle
@pytest.mark.parametrize(("rule", "name", "make"), named(MADE))
def test_a_fault_planted_with_keras_is_found(rule, name, make, tmp_path):
    pytest.importorskip("keras")
    path = tmp_path / "model.keras"
    make().save(path)
    (row,) = check([str(path)]).files
    assert rule in {finding.rule for finding in row.findings}, row.problem


def test_few_planted_faults_are_missed():
    missed = [f"{rule}: {name}" for rule, name, _, known in PLANTED if known]
    assert len(missed) <= (1 - LEAST_RECALL) * len(PLANTED), missed


def test_every_fault_is_planted_in_three_models():
    models = Counter(rule for rule, *_ in PLANTED)
    assert {} == {rule: count for rule, count in models.items() if count < LEAST_MODELS}


def test_no_fault_is_planted_twice_under_one_name():
    twice = Counter((rule, name) for rule, name, *_ in PLANTED)
    assert [] == [row for row, count in twice.items() if count > 1]
