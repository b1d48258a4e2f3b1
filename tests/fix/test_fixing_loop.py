"""Which fixes are made, in which order, and what keeps one from being made."""

import numpy as np
import pytest

import archlint.fixes.bypass as bypass
from archlint.engine import load, selection
from archlint.errors import PatchError
from archlint.fixing.loop import Model, Wanted, mend
from archlint.fixing.weights import PatchedWeights
from archlint.graph import Made, Param, Splice, made_by, of_stored, parse
from archlint.ops import build

RULES = load()
TWO = """input x float32[N,32,32,3]
c = Conv(x) filters=16 kernel=(3,3)
p = GlobalAveragePool(c)
f = Flatten(p)
g = Flatten(f)
d = Dense(g) units=10
output d
"""


def mended(text: str, *names: str, **levels: bool):
    model = Model.of(build(parse(text)), None, None, False)
    return mend(model, Wanted(selection(RULES), {}, frozenset(names), **levels))


def outcomes(found) -> list:
    return [(row.finding.node, row.reason) for row in found.attempts]


def ops(found) -> list[str]:
    return [node.op for node in found.model.facts.graph.nodes]


def test_each_fix_sees_what_the_one_before_has_made() -> None:
    found = mended(TWO, "flatten-after-global-pool", "node-without-effect")
    assert ["Conv", "GlobalAveragePool", "Dense"] == ops(found)
    assert {None} == {reason for _, reason in outcomes(found)}


def test_a_refusal_is_reported_and_stops_nothing_else() -> None:
    text = TWO.replace("output d", "output d f")
    found = mended(text, "flatten-after-global-pool", "node-without-effect")
    assert ["Conv", "GlobalAveragePool", "Flatten", "Dense"] == ops(found)
    assert ("f", "'f' makes an output of the model, and its name has to stay") in outcomes(found)


def test_a_fault_in_one_rewrite_is_a_reason_not_a_crash(monkeypatch) -> None:
    rule = RULES.by_name["flatten-after-global-pool"]

    def broken(*given):
        raise KeyError("oops")

    monkeypatch.setattr(type(bypass.flatten), "__call__", broken)
    found = mended(TWO, rule.name)
    assert "internal error in archlint: KeyError: 'oops'" == found.attempts[0].reason


def test_a_level_that_is_not_asked_for_is_refused() -> None:
    text = TWO.replace("p = GlobalAveragePool(c)\nf = Flatten(p)\ng = Flatten(f)", "g = Flatten(c)").replace(
        "d = Dense(g) units=10", "e = Dense(g) units=128\nr = Relu(e)\nd = Dense(r) units=10"
    )
    usual = mended(text, "flatten-into-large-dense")
    unsafe = mended(text, "flatten-into-large-dense", retrain=True)
    assert "Flatten" in ops(usual)
    assert all("--unsafe-fixes" in (row.reason or "") for row in usual.attempts)
    assert "Flatten" not in ops(unsafe)


def test_savings_are_counted() -> None:
    head = "input x float32[N,64]\nh = Dense(x) units=64\nr = Relu(h)\n"
    found = mended(
        head + "a = Dense(r) units=128\nb = Dense(a) units=10\noutput b\n", "mergeable-linear-pair"
    )
    (row,) = found.attempts
    assert (64 * 128 + 128 + 128 * 10 + 10) - (64 * 10 + 10) == row.params_saved
    assert (64 * 128 + 128 * 10) - 64 * 10 == row.macs_saved


def test_edits_that_do_not_hold_together_are_refused() -> None:
    model = Model.of(build(parse(TWO)), None, None, False)
    with pytest.raises(PatchError, match="still read"):
        model.changed((Splice(frozenset({"f"})),))


class Computed:
    """A file that stores all but one tensor, none of which is read."""

    def __init__(self, missing):
        self.missing = missing

    def holds(self, param):
        return param.name != self.missing


@pytest.mark.parametrize(("missing", "count"), [("w", 0), ("", 1)])
def test_a_norm_is_not_folded_into_a_kernel_that_the_model_computes(missing, count) -> None:
    text = (
        "model m format=onnx\ninput x float32[N,3,8,8]\n"
        "c = Conv(x) filters=4 kernel=(3,3) channel_axis=1 use_bias=false | kernel float32[4,3,3,3] @w\n"
        "n = BatchNormalization(c) channel_axis=1\noutput n\n"
    )
    rules = selection(load())
    wanted = Wanted(rules, {}, frozenset({"norm-not-folded"}), inference=True)
    found = mend(Model.of(build(parse(text)), None, Computed(missing), False), wanted)
    assert count == len(found.steps)
    if missing:
        assert ["the file holds no contents of 'w', which the model computes"] == [
            row.reason for row in found.attempts
        ]


class Stored:
    def read(self, param):
        return {"a": np.array([1.0]), "b": np.array([10.0])}.get(param.name)

    def mismatches(self):
        return ()


def test_a_tensor_that_is_changed_twice_is_said_of_what_the_file_holds() -> None:
    first = Splice(tensors={"a": Made(("a", "b"), lambda a, b: a + b)})
    second = Splice(tensors={"a": Made(("b", "a"), lambda b, a: b * a)})
    edits = (first, of_stored(second, made_by((first,))))
    params = {name: Param(name, "kernel", (1,)) for name in ("a", "b")}
    weights = PatchedWeights(Stored(), params, made_by(edits))
    assert ("b", "a", "b") == edits[1].tensors["a"].sources
    assert [110.0] == list(weights.read(params["a"]))
    assert [10.0] == list(weights.read(params["b"]))


def test_what_is_made_of_missing_tensors_cannot_be_had() -> None:
    made = {"c": Made(("z",), lambda z: z)}
    weights = PatchedWeights(Stored(), {"z": Param("z", "kernel", (1,))}, made)
    assert weights.read(Param("c", "kernel", (1,))) is None
