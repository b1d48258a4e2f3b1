"""Faults that were planted are found. Each family's are in the file of its name, as data."""

import importlib.util
import sys
from collections import Counter
from pathlib import Path

import pytest

RECALL = Path(__file__).parents[2] / "benchmarks" / "recall"


def loaded(name):
    """A module of benchmarks/recall, under a name that no other ``run.py`` has."""
    spec = importlib.util.spec_from_file_location(f"recall_{name}", RECALL / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(RECALL))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(RECALL))
    return module


RUN = loaded("run")
FAULTS = RUN.corpus()
MADE = [fault for fault in FAULTS if fault.kind.startswith("Keras ")]
WRITTEN = [fault for fault in FAULTS if fault not in MADE]
LEAST_MODELS = 3
LEAST_RECALL = 0.95


@pytest.mark.parametrize("fault", WRITTEN, ids=str)
def test_a_planted_fault_is_found(fault, tmp_path):
    assert (fault.rule in RUN.said_of(fault, tmp_path)) is not fault.missed


@pytest.mark.oracle
@pytest.mark.parametrize("fault", MADE, ids=str)
def test_a_fault_planted_with_keras_is_found(fault, tmp_path):
    pytest.importorskip("keras")
    assert (fault.rule in RUN.said_of(fault, tmp_path)) is not fault.missed


def test_few_planted_faults_are_missed():
    missed = [str(fault) for fault in FAULTS if fault.missed]
    assert len(missed) <= (1 - LEAST_RECALL) * len(FAULTS), missed


def test_every_rule_is_planted_in_three_models():
    planted = Counter(rule for rule, _ in {(fault.rule, fault.name) for fault in FAULTS})
    assert {} == {rule.name: planted[rule.name] for rule in RUN.RULES if planted[rule.name] < LEAST_MODELS}


def test_no_fault_is_planted_twice_under_one_name():
    twice = Counter((fault.rule, fault.name, fault.kind) for fault in FAULTS)
    assert [] == [row for row, count in twice.items() if count > 1]


def test_the_page_says_what_is_planted_and_missed():
    stale = RUN.PAGE.read_text(encoding="utf-8") != RUN.document(FAULTS)
    assert not stale, "run: python benchmarks/recall/run.py"
