"""What is written when the runtime agrees, disagrees, or cannot be asked."""

import os
import re

import onnx
import pytest

import archlint.fixing as fixing
import archlint.fixing.proof as proof
from archlint.errors import PatchError
from archlint.fixing import carry_out, plan, rehearsed
from archlint.runtime import Verdict

ONLY = {"select": ("flatten-after-global-pool",)}


def answering(monkeypatch, verdict: Verdict, seen: list | None = None) -> None:
    def verdict_on(job):
        if seen is not None:
            seen.append((job, sorted(os.listdir(os.path.dirname(job.patched)))))
        return verdict

    monkeypatch.setattr(proof, "is_installed", {"onnx": True}.get)
    monkeypatch.setattr(proof, "verdict_on", verdict_on)


def test_the_proof_is_in_the_report(monkeypatch, model_path) -> None:
    agrees = Verdict("agrees", "onnxruntime 9", None, 3, 1e-7, 2e-7, ("2×3×44×44",))
    answering(monkeypatch, agrees)
    patch = carry_out(plan(str(model_path), **ONLY))
    seen = patch.proof
    assert ("onnxruntime 9", 3, 1e-7, 2e-7) == (seen.runtime, seen.draws, seen.absolute, seen.relative)
    assert (("2×3×44×44",), None) == (seen.larger, seen.reason)


def test_what_is_run_is_not_yet_in_its_place(monkeypatch, model_path) -> None:
    seen: list = []
    answering(monkeypatch, Verdict("agrees", "onnxruntime 9", draws=3), seen)
    carry_out(plan(str(model_path), **ONLY))
    job, files = seen[0]
    assert str(model_path) == job.original
    assert [os.path.basename(job.patched), "small.onnx"] == files
    assert job.exact


@pytest.mark.parametrize("status", ["differs", "breaks"])
@pytest.mark.parametrize("in_place", [True, False])
def test_what_is_not_proven_is_not_written(monkeypatch, model_path, status, in_place) -> None:
    before = model_path.read_bytes()
    answering(monkeypatch, Verdict(status, "onnxruntime 9", "its outputs are 0.5 apart"))
    with pytest.raises(PatchError, match=r"not proven: onnxruntime 9: its outputs are 0\.5 apart"):
        carry_out(plan(str(model_path), in_place=in_place, **ONLY))
    assert before == model_path.read_bytes()
    assert ["small.onnx"] == os.listdir(model_path.parent)


def without(names: set[str], job) -> bool:
    """Whether a patched file has lost all of these nodes."""
    return not names & {node.name for node in onnx.load(job.patched).graph.node}


def judging(monkeypatch, is_wrong) -> list[bool]:
    """Has every patch judged by what it holds; the verdicts as they come."""
    seen: list[bool] = []

    def verdict_on(job):
        seen.append(is_wrong(job))
        differs = Verdict("differs", "onnxruntime 9", "its outputs are 0.5 apart")
        return differs if seen[-1] else Verdict("agrees", "onnxruntime 9", None, 3)

    monkeypatch.setattr(proof, "is_installed", {"onnx": True}.get)
    monkeypatch.setattr(proof, "verdict_on", verdict_on)
    return seen


# Without the fix for flat2 or flat3 that for flat1 would bring a finding of its own.
@pytest.mark.parametrize(
    ("culprit", "made"), [("flat1", {"flat2", "flat3"}), ("flat2", {"flat3"}), ("flat3", {"flat2"})]
)
def test_the_fix_that_is_not_proven_is_named_and_left_out(monkeypatch, three_path, culprit, made) -> None:
    judging(monkeypatch, lambda job: without({culprit}, job))
    patch = carry_out(plan(str(three_path)))
    assert made == {attempt.finding.node for attempt in patch.made}
    [left] = [attempt for attempt in patch.attempts if attempt.finding.node == culprit]
    assert "left out, since it is not proven: onnxruntime 9: its outputs are 0.5 apart" == left.reason
    assert 3 == patch.proof.draws
    kept = {node.name for node in onnx.load(patch.out).graph.node}
    assert {"flat1", "flat2", "flat3"} - made == kept & {"flat1", "flat2", "flat3"}
    assert {"three.onnx", "three.fixed.onnx"} == set(os.listdir(three_path.parent))


def test_two_fixes_that_are_wrong_only_together_lose_the_later(monkeypatch, three_path) -> None:
    judging(monkeypatch, lambda job: without({"flat2", "flat1"}, job))
    patch = carry_out(plan(str(three_path)))
    assert ["flat2", "flat3"] == [attempt.finding.node for attempt in patch.made]


def test_when_every_fix_is_wrong_all_are_named_and_nothing_is_written(monkeypatch, three_path) -> None:
    seen = judging(monkeypatch, bool)
    with pytest.raises(PatchError) as error:
        carry_out(plan(str(three_path)))
    told = r"its outputs are 0\.5 apart, with the fix for [a-z-]+ at '(\w+)'"
    assert ["flat2", "flat3"] == re.findall(told, str(error.value))
    assert ["three.onnx"] == os.listdir(three_path.parent)
    # Three fixes and one of them, then the other; that for flat1 is not made alone.
    assert 3 == len(seen)


def test_what_the_format_cannot_say_is_left_out_with_its_reason(monkeypatch, three_path) -> None:
    real = fixing.write

    def write(file, graph, edits, *where):
        if any("flat2" in edit.removed for edit in edits):
            raise PatchError("no layer is that")
        real(file, graph, edits, *where)

    monkeypatch.setattr(fixing, "write", write)
    planned = plan(str(three_path))
    shown = rehearsed(planned)
    assert ["three.onnx"] == os.listdir(three_path.parent)
    patch = carry_out(planned, "off")
    assert patch.attempts == shown.patch.attempts
    assert {"flat3"} == {attempt.finding.node for attempt in patch.made}
    [left] = [attempt for attempt in patch.attempts if attempt.finding.node == "flat2"]
    assert "no layer is that" == left.reason
    assert {"three.onnx", "three.fixed.onnx"} == set(os.listdir(three_path.parent))


def test_a_full_disk_is_no_fault_of_a_fix(monkeypatch, three_path) -> None:
    def write(*_):
        raise PatchError("it cannot be written") from OSError()

    monkeypatch.setattr(fixing, "write", write)
    planned = plan(str(three_path))
    assert planned is rehearsed(planned)
    with pytest.raises(PatchError, match="it cannot be written"):
        carry_out(plan(str(three_path)), "off")


def test_an_older_patch_stays_when_a_new_one_is_not_proven(monkeypatch, model_path) -> None:
    older = model_path.with_name("small.fixed.onnx")
    older.write_bytes(b"older")
    answering(monkeypatch, Verdict("differs", "onnxruntime 9", "no"))
    with pytest.raises(PatchError):
        carry_out(plan(str(model_path), **ONLY))
    assert b"older" == older.read_bytes()


def test_a_model_that_cannot_be_run_is_written_unless_proof_is_required(monkeypatch, model_path) -> None:
    answering(monkeypatch, Verdict("unknown", "onnxruntime 9", "no kernel for it"))
    with pytest.raises(PatchError, match="no kernel for it"):
        carry_out(plan(str(model_path), **ONLY), "require")
    assert ["small.onnx"] == os.listdir(model_path.parent)
    patch = carry_out(plan(str(model_path), **ONLY), "auto")
    assert (0, "no kernel for it") == (patch.proof.draws, patch.proof.reason)
    assert {"small.onnx", "small.fixed.onnx"} == set(os.listdir(model_path.parent))


def test_without_the_framework_only_required_proof_fails(monkeypatch, model_path) -> None:
    monkeypatch.setattr(proof, "is_installed", {"onnx": False}.get)
    with pytest.raises(PatchError, match=r"onnxruntime is not installed \(archlint\[onnxruntime\]\)"):
        carry_out(plan(str(model_path), **ONLY), "require")
    patch = carry_out(plan(str(model_path), **ONLY), "auto")
    assert "onnxruntime is not installed (archlint[onnxruntime])" == patch.proof.reason
    assert patch.out is not None


def test_a_file_that_changes_meanwhile_is_not_replaced(monkeypatch, model_path) -> None:
    def verdict_on(job):
        model_path.write_bytes(b"someone else was here")
        return Verdict("agrees", "onnxruntime 9", draws=3)

    monkeypatch.setattr(proof, "is_installed", {"onnx": True}.get)
    monkeypatch.setattr(proof, "verdict_on", verdict_on)
    with pytest.raises(PatchError, match="changed by someone else meanwhile"):
        carry_out(plan(str(model_path), in_place=True, **ONLY))
    assert b"someone else was here" == model_path.read_bytes()


def test_new_data_files_of_a_trial_go_with_it(monkeypatch, model_path, tmp_path) -> None:
    folder = tmp_path / "split"
    folder.mkdir()
    path = folder / "m.onnx"
    model = onnx.load(model_path)
    onnx.save(model, path, save_as_external_data=True, location="m.bin", size_threshold=0)
    answering(monkeypatch, Verdict("differs", "onnxruntime 9", "no"))
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(PatchError, match="not proven"):
        carry_out(plan(str(path), str(other / "m.onnx"), **ONLY))
    assert ([], ["m.bin", "m.onnx"]) == (os.listdir(other), sorted(os.listdir(folder)))
    answering(monkeypatch, Verdict("agrees", "onnxruntime 9", draws=3))
    carry_out(plan(str(path), str(other / "m.onnx"), **ONLY))
    assert ["m.bin", "m.onnx"] == sorted(os.listdir(other))
