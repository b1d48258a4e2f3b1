"""The command line as a process: what it prints, where, and with which exit code."""

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

import archlint.reporters
from archlint.graph import parse

ROOT = Path(__file__).parents[2]
CNN = str(ROOT / "examples/tutorial_cnn.keras")
DIGITS = str(ROOT / "examples/digits.onnx")
COMMAND = [sys.executable, "-m", "archlint"]
SCHEMA = json.loads((Path(archlint.reporters.__file__).parent / "report.schema.json").read_text())
RULE = "flatten-into-large-dense"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, env={**clean, **environment}, cwd=ROOT
    )


def report_on(*arguments: str) -> dict:
    return json.loads(run("--format", "json", *arguments).stdout)


def rules_in(report: dict) -> set[str]:
    return {finding["rule"] for file in report["files"] for finding in file["findings"]}


def test_a_path_alone_is_checked() -> None:
    assert run(CNN).stdout == run("check", CNN).stdout != ""


def test_an_option_before_the_path_is_one_of_check() -> None:
    assert run("--fail-on", "never", CNN).returncode == 0


@pytest.mark.parametrize(
    ("fail_on", "code"),
    [("error", 0), ("warning", 1), ("info", 1), ("never", 0)],
    ids=lambda value: str(value),
)
def test_fail_on_decides_between_0_and_1(fail_on: str, code: int) -> None:
    assert run("--fail-on", fail_on, "--select", RULE, CNN).returncode == code


def test_a_healthy_model_exits_with_0() -> None:
    done = run("--no-weights", DIGITS)  # which has the weights that it started with
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing found" in done.stdout


def test_a_file_that_cannot_be_read_exits_with_2_and_the_others_are_linted(tmp_path: Path) -> None:
    done = run("--format", "json", str(tmp_path / "no.onnx"), CNN)
    report = json.loads(done.stdout)
    assert done.returncode == 2
    assert [file["error"] is None for file in report["files"]] == [False, True]
    assert RULE in rules_in(report)


def test_an_empty_folder_exits_with_3(tmp_path: Path) -> None:
    done = run(str(tmp_path))
    assert done.returncode == 3
    assert "no models in" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--fail-on", "sometimes", CNN),
        ("--no-such-option", CNN),
        ("--select", "flaten-into-large-dense", CNN),
        ("--rules", "no/such/folder", CNN),
        ("rule", "no-such-rule"),
        ("show", "no-such-file.onnx"),
        ("explain", "no-such-rule", CNN),
        ("explain", RULE, "no-such-file.onnx"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_carried_out_exits_with_2_and_a_sentence(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_a_mistyped_rule_is_corrected() -> None:
    assert f"did you mean '{RULE}'" in run("--select", "flaten-into-large-dense", CNN).stderr


def test_select_and_ignore_take_names_families_and_globs() -> None:
    assert rules_in(report_on("--select", RULE, CNN)) == {RULE}
    assert RULE in rules_in(report_on("--select", "head", CNN))
    assert RULE not in rules_in(report_on("--ignore", "flatten-*", CNN))
    assert RULE not in rules_in(report_on("--select", "head,graph", "--ignore", RULE, CNN))


def test_the_tutorial_model_has_the_numbers_of_the_tutorial() -> None:
    (file,) = report_on(CNN)["files"]
    assert file["params"] == 11_574_090
    (finding,) = (finding for finding in file["findings"] if finding["rule"] == RULE)
    assert (finding["node"], finding["severity"]) == ("dense1", "warning")
    titles = " ".join(fix["title"] for fix in finding["fixes"])
    assert "72,522" in titles
    assert "66,602" in titles


def test_json_follows_its_schema(tmp_path: Path) -> None:
    (tmp_path / "empty.onnx").touch()
    report = report_on(CNN, DIGITS, str(tmp_path), str(ROOT / "tests/fixtures"))
    jsonschema.validate(report, SCHEMA)
    assert report["summary"]["files"] > 60


def test_json_is_the_same_each_time() -> None:
    first = run("--format", "json", CNN, DIGITS, PYTHONHASHSEED="1").stdout
    assert first == run("--format", "json", CNN, DIGITS, PYTHONHASHSEED="2").stdout


def test_quiet_says_nothing_of_a_healthy_model() -> None:
    assert run("-q", "--no-weights", DIGITS).stdout == ""


def test_weights_are_read_when_there_are_few_or_when_asked_for() -> None:
    assert "untrained-model" in run(DIGITS).stdout
    assert "weights-all-zero" not in run(CNN).stdout
    assert "rules would read in the weights (--weights)" in run(CNN).stdout
    assert "weights-all-zero" in run("--weights", CNN).stdout
    assert "weights-all-zero" in run("--weights", "--select", "weights", CNN).stdout


def test_verbose_says_no_less() -> None:
    assert set(run(CNN).stdout.split()) <= set(run("-v", CNN).stdout.split()) | {"(-v", "lists", "them)."}


def test_no_colour_without_a_terminal() -> None:
    assert "\x1b" not in run(CNN).stdout


def test_force_color_colours_and_no_color_wins() -> None:
    assert "\x1b[" in run(CNN, FORCE_COLOR="1").stdout
    assert "\x1b" not in run(CNN, FORCE_COLOR="1", NO_COLOR="1").stdout


def on_a_terminal(*arguments: str, **environment: str) -> str:
    """What a run writes to a terminal, stdout and stderr together."""
    ours, theirs = pty.openpty()
    clean = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=theirs,
        stderr=theirs,
        env={**clean, "TERM": "xterm", **environment},
        cwd=ROOT,
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux reports the other end's close as EIO
            break
        if not piece:
            break
        written += piece
    process.wait()
    os.close(ours)
    return written.decode()


def test_a_terminal_gets_colour() -> None:
    assert "\x1b[33mwarning" in on_a_terminal(CNN)
    assert "\x1b[33m" not in on_a_terminal(CNN, NO_COLOR="1")


def test_many_files_get_a_progress_bar_on_a_terminal_and_few_do_not(tmp_path: Path) -> None:
    for number in range(25):
        shutil.copy(DIGITS, tmp_path / f"{number}.onnx")
    assert "100%" in on_a_terminal(str(tmp_path))
    assert "100%" not in on_a_terminal(DIGITS)
    assert run(str(tmp_path)).stderr == ""


def test_a_pipe_closed_early_is_not_told_as_findings() -> None:
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen([*COMMAND, DIGITS], stdout=subprocess.PIPE, cwd=ROOT, env=env)
    process.stdout.close()
    assert process.wait() != 1


def test_a_closed_pipe_is_quiet() -> None:
    process = subprocess.Popen([*COMMAND, "rules"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    process.wait()
    assert errors == b""


def test_a_terminal_that_cannot_show_a_character_still_gets_the_report(tmp_path: Path) -> None:
    shutil.copy(DIGITS, tmp_path / "modèle→猫.onnx")
    done = run(str(tmp_path), PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0
    assert "mod\\xe8le" in done.stdout


def test_a_name_that_is_not_utf_8_is_printed_escaped(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.onnx"
    shutil.copy(os.fsencode(DIGITS), name)
    done = subprocess.run([*COMMAND, name], capture_output=True, cwd=ROOT)
    assert done.returncode == 0
    assert b"caf\\xe9.onnx" in done.stdout


@pytest.mark.parametrize("model", [CNN, DIGITS])
def test_show_prints_a_graph_that_parses_with_every_shape(model: str) -> None:
    done = run("show", model)
    assert done.returncode == 0
    graph = parse(done.stdout)
    assert len(graph.declared) == sum(len(node.outputs) for node in graph.nodes)


def test_show_prints_parameters_and_macs_of_each_node() -> None:
    lines = run("show", CNN).stdout.splitlines()
    assert lines[0].startswith("# 11,574,090 parameters, ")
    (dense,) = (line for line in lines if line.startswith("dense1 ="))
    assert dense.endswith("# 11,505,728 parameters, 11.5 M MACs")


def test_show_of_a_folder_names_what_is_in_it(tmp_path: Path) -> None:
    assert "this folder holds 0 models" in run("show", str(tmp_path)).stderr


def test_rules_lists_every_rule_that_a_report_counts() -> None:
    listed = run("rules").stdout
    assert RULE in listed


def test_rules_lists_the_words_that_rules_are_written_in() -> None:
    words = run("rules", "--vocabulary").stdout
    assert "GlobalAveragePool" in words
    assert "macs" in words


def test_rule_says_what_it_flags_and_its_sources() -> None:
    text = run("rule", RULE).stdout
    assert RULE in text
    assert "https://" in text


def test_explain_says_how_far_a_rule_got() -> None:
    assert "flatten" in run("explain", RULE, CNN).stdout
    assert run("explain", RULE, DIGITS).returncode == 0


def test_test_runs_the_examples_of_all_rules() -> None:
    done = run("test")
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1].endswith(" 0 failed")


def test_version_and_help() -> None:
    assert run("--version").stdout == f"archlint, version {archlint.__version__}\n"
    assert "archlint PATH" in run("--help").stdout
    assert "nothing was checked" in run("check", "--help").stdout
