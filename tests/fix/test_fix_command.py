"""``archlint fix`` as a process: what it writes, says, and leaves alone."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import onnx
import pytest

ROOT = Path(__file__).parents[2]
CNN = str(ROOT / "examples/tutorial_cnn.keras")
RULE = "flatten-after-global-pool"


def fix(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "archlint", "fix", *map(str, arguments), "--isolated"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)


def ops(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node]


def test_a_patched_copy_is_written_and_the_original_stays(model_path) -> None:
    before = model_path.read_bytes()
    done = fix(model_path, "--verify", "off")
    out = model_path.with_name("small.fixed.onnx")
    assert (0, "") == (done.returncode, done.stderr)
    assert before == model_path.read_bytes()
    assert ["Conv", "Relu", "ReduceMean", "Gemm"] == ops(out)
    onnx.checker.check_model(out)
    assert "fixed (exact): remove flat" in done.stdout
    assert f"written  {out}" in done.stdout
    assert "read back, it is the graph that was asked for" in done.stdout
    assert "not run: --verify off" in done.stdout


def test_a_patched_model_has_nothing_left_to_fix(model_path) -> None:
    fix(model_path, "--verify", "off", "--select", RULE)
    out = model_path.with_name("small.fixed.onnx")
    done = fix(out, "--verify", "off", "--select", RULE)
    assert 0 == done.returncode
    assert "nothing was written: there is nothing to fix" in done.stdout
    assert {"small.onnx", "small.fixed.onnx"} == {path.name for path in out.parent.iterdir()}


def test_the_output_path_can_be_given(model_path, tmp_path) -> None:
    fix(model_path, "-o", tmp_path / "other.onnx", "--verify", "off")
    assert {"small.onnx", "other.onnx"} == {path.name for path in tmp_path.iterdir()}


def test_in_place_replaces_the_original(model_path) -> None:
    assert 0 == fix(model_path, "--in-place", "--verify", "off").returncode
    assert "Flatten" not in ops(model_path)
    assert ["small.onnx"] == [path.name for path in model_path.parent.iterdir()]


def test_in_place_and_an_output_path_exclude_each_other(model_path) -> None:
    done = fix(model_path, "--in-place", "-o", "x.onnx")
    assert (2, "archlint: --in-place and an output path exclude each other\n") == (
        done.returncode,
        done.stderr,
    )


def test_diff_shows_the_layers_and_writes_nothing(model_path) -> None:
    done = fix(model_path, "--diff")
    assert 1 == done.returncode
    assert "- flat    Flatten            N×8\n" in done.stdout
    assert "  pool    GlobalAveragePool  N×8\n" in done.stdout
    assert ["small.onnx"] == [path.name for path in model_path.parent.iterdir()]


def test_diff_of_what_needs_no_fix_exits_with_0(model_path) -> None:
    done = fix(model_path, "--diff", "--ignore", RULE)
    assert (0, True) == (done.returncode, "there is nothing to fix" in done.stdout)


def test_select_leaves_the_findings_of_other_rules(model_path) -> None:
    done = fix(model_path, "--select", "sequence", "--verify", "off")
    assert "nothing was written" in done.stdout


def test_a_rule_that_does_not_exist_is_an_error(model_path) -> None:
    assert 2 == fix(model_path, "--select", "flaten-after-global-pool").returncode


def test_what_needs_training_afterwards_has_to_be_asked_for() -> None:
    usual = fix(CNN, "--diff", "--select", "flatten-into-large-dense")
    unsafe = fix(CNN, "--diff", "--select", "flatten-into-large-dense", "--unsafe-fixes")
    assert (0, 1) == (usual.returncode, unsafe.returncode)
    assert "not fixed (retrain)" in usual.stdout
    assert "--unsafe-fixes makes it" in usual.stdout
    assert "fixed (retrain): global average pooling" in unsafe.stdout
    assert "parameters 11,574,090 → 72,522 (-99.4%)" in unsafe.stdout


def test_layers_are_compared_at_the_old_input_size() -> None:
    done = fix(CNN, "--diff", "--select", "input-size-fixed-by-flatten")
    assert "+ image            input               N×?×?×3" in done.stdout
    assert "+ dense1           Conv                N×1×1×64      11,505,728" in done.stdout
    assert "… 8 more" in done.stdout
    assert "MACs       1.13 G → 1.13 G\n" in done.stdout


def test_findings_that_are_left_decide_the_exit_code() -> None:
    rule = ["--diff", "--select", RULE]
    assert 0 == fix(CNN, *rule).returncode
    assert 1 == fix(CNN, *rule[1:]).returncode
    assert 0 == fix(CNN, *rule[1:], "--fail-on", "error").returncode


def test_a_model_with_security_findings_is_not_patched(tmp_path) -> None:
    path = tmp_path / "lambda.keras"
    code = {"class_name": "__lambda__", "config": {"code": "4wAAAA==", "defaults": None, "closure": None}}
    layers = [
        {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, 4], "dtype": "float32"}},
        {"class_name": "Lambda", "config": {"name": "odd", "function": code}},
    ]
    config = {"class_name": "Sequential", "config": {"name": "bad", "layers": layers}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.10.0"}))
        archive.writestr("config.json", json.dumps(config))
    done = fix(path, "--unsafe-fixes")
    assert 2 == done.returncode
    assert "a model with security findings is not patched; lambda-code" in done.stderr
    assert ["lambda.keras"] == [other.name for other in tmp_path.iterdir()]


def test_what_is_no_model_is_an_error(tmp_path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(b"\x08")
    assert 2 == fix(path).returncode


@pytest.mark.oracle
def test_both_models_are_run_and_compared(model_path) -> None:
    done = fix(model_path, "--verify", "require")
    assert (0, "") == (done.returncode, done.stderr)
    assert "both run on 3 random inputs: outputs " in done.stdout
    assert {"small.onnx", "small.fixed.onnx"} == {path.name for path in model_path.parent.iterdir()}
