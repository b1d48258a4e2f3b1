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


CORPUS = loaded("corpus")
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


TWO_CAUSES = {
    ("attention-without-order", "next-word-without-causal-mask"),
    ("attention-without-order", "odd-head-size"),
    ("bias-before-norm", "misaligned-channels"),
    ("bias-before-norm", "no-activation-between-layers"),
    ("bias-before-norm", "no-nonlinearity"),
    ("dead-kernel-taps", "no-activation-between-layers"),
    ("epsilon-lost-in-half-precision", "norm-over-wrong-axis"),
    ("flatten-into-large-dense", "mergeable-linear-pair"),
    ("large-activation-peak", "layer-dominates-model"),
    ("large-activation-peak", "no-activation-between-layers"),
    ("layer-share-over-budget", "no-activation-between-layers"),
    ("mergeable-linear-pair", "strong-weight-penalty"),
    ("no-activation-between-layers", "sight-beyond-image"),
    ("no-activation-between-layers", "stride-skips-input"),
    ("no-nonlinearity", "raw-image-input"),
    ("slow-recurrent-kernel", "unrolled-long-sequence"),
}
"""Pairs of rules that speak of different faults of one node, each with a fix of its own."""

ONE_CAUSE = {("map-of-one-pixel", "sight-beyond-image"), ("pool-larger-than-map", "pooled-raw-input")}
"""Pairs that still say one cause twice."""


def test_two_rules_at_one_node_speak_of_two_causes():
    graphs = [fault for fault in WRITTEN if isinstance(fault.model, str)]
    pairs = {pair for fault in graphs for pair in CORPUS.pairs_at_one_node(fault)}
    assert set() == pairs - TWO_CAUSES - ONE_CAUSE


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
