"""One architecture, one judgement: the same findings whichever program wrote the file.

A place is "the k-th node of its op", since names differ between programs. The fixtures hold the
structure of 15 architectures as Keras (.keras, .h5), tf2onnx and PyTorch wrote them.
"""

from collections import Counter
from pathlib import Path

import pytest

from archlint.api import check, facts_of

FIXTURES = Path(__file__).parent.parent / "fixtures" / "parity"
ARCHITECTURES = sorted(path.stem for path in FIXTURES.glob("*.keras"))
TWINS = ["h5", "tf2onnx.onnx", "torch.onnx"]


def judged(path):
    """Each finding as (rule, severity, op, how many nodes of this op stand before it)."""
    row = check([str(path)]).files[0]
    assert row.problem is None, row.problem
    places, seen = {}, Counter()
    for node in facts_of(str(path)).graph.nodes:
        places[node.name] = (node.op, seen[node.op])
        seen[node.op] += 1
    return sorted(
        (finding.rule, finding.severity, *places.get(finding.node or "", ("model", 0)))
        for finding in row.findings
    )


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_twins_get_the_same_findings_at_the_same_places(name, twin):
    assert judged(FIXTURES / f"{name}.keras") == judged(FIXTURES / f"{name}.{twin}")


def test_the_planted_faults_are_found():
    found = {name: {rule for rule, *_ in judged(FIXTURES / f"{name}.keras")} for name in ARCHITECTURES}
    assert "flatten-into-large-dense" in found["tutorial_cnn"]
    assert "softmax-over-one-unit" in found["softmax_one_unit"]
    assert "activation-twice" in found["activation_twice"]
    assert "bias-before-norm" in found["bias_before_norm"]
    assert "mergeable-linear-pair" in found["linear_pair"]
    assert "stride-skips-input" in found["stride_skips"]
    assert "full-map-pool" in found["full_map_pool"]
    assert "flatten-after-global-pool" in found["flatten_after_global_pool"]
    assert "oversized-dense-after-pool" in found["oversized_head"]
    assert "short-sighted-global-pool" in found["short_sighted_pool"]
    assert set() == found["tabular"]
