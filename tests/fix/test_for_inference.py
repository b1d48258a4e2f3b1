"""``archlint fix --inference``: what training alone needs, left out of files that Keras has saved."""

from pathlib import Path

import pytest

from archlint.errors import PatchError
from archlint.facts import Facts
from archlint.fixes.folding import idle
from archlint.fixing import plan
from archlint.graph import apply, parse

CNN = str(Path(__file__).parents[2] / "examples/tutorial_cnn.keras")
TWICE = """model m format=keras
input x float32[N,8]
a = Dense<Dense a>(x) units=8
o = Dropout<Dropout drop>(a) rate=0.5
b = Dense<Dense b>(o) units=8
p = Dropout<Dropout drop>(b) rate=0.5
q = Dropout<Dropout drop>(p) rate=0.5
y = Dense<Dense y>(q) units=2
output y
"""


def made(*, inference: bool) -> set[str]:
    return {row.finding.rule for row in plan(CNN, inference=inference).patch.made}


def test_rules_about_inference_alone_take_part_when_it_is_asked_for() -> None:
    assert "layer-only-for-training" not in made(inference=False)
    assert "layer-only-for-training" in made(inference=True)


def test_a_layer_for_training_goes_from_all_places_where_it_is_called() -> None:
    graph = parse(TWICE)
    after = apply(graph, idle(Facts(graph), {"node": graph.by_name["p"]}, {}))
    assert [("a", ("x",)), ("b", ("a",)), ("y", ("b",))] == [(node.name, node.inputs) for node in after.nodes]


def test_a_layer_stays_that_acts_at_one_of_its_places() -> None:
    graph = parse(TWICE.replace("p = Dropout<Dropout drop>(b)", "p = Dropout<Dropout drop>(b) training=true"))
    with pytest.raises(PatchError, match="'p' is of the same layer"):
        idle(Facts(graph), {"node": graph.by_name["o"]}, {})
