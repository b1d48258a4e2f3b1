"""What is written when the runtime agrees, disagrees, or cannot be asked."""

import os

import pytest

import archlint.fixing.proof as proof
from archlint.errors import PatchError
from archlint.fixing import carry_out, plan
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
    onnx = pytest.importorskip("onnx")
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
