"""One file's failure never stops the others, and faults of archlint itself are rows, not tracebacks."""

from pathlib import Path

import pytest

import archlint.api
import archlint.formats
from archlint.api import check, check_files, exit_code
from archlint.engine import RuleSet
from archlint.errors import ReadError, UsageError
from archlint.findings import FileReport, Finding, Problem, Report
from archlint.formats import ModelFile
from archlint.graph import Graph

ROOT = Path(__file__).parents[2]
NO_RULES = RuleSet(())
DIGITS = str(ROOT / "examples/digits.onnx")
GOOD = ModelFile(DIGITS, "onnx", 1)
BAD = ModelFile("bad.onnx", "onnx", 1)


def finding(severity: str) -> Finding:
    return Finding("r", "f", severity, "high", "m")


def report(*files: FileReport) -> Report:
    return Report(files, 1)


def raises(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes reading ``BAD`` fail with an error."""
    read = archlint.api.read

    def failing(file: ModelFile) -> Graph:
        if file is BAD:
            raise error
        return read(file)

    monkeypatch.setattr(archlint.api, "read", failing)


@pytest.mark.parametrize(
    ("error", "where", "what"),
    [
        (ReadError("bad.onnx", "graph", "it is cyclic"), "graph", "it is cyclic"),
        (OSError(5, "Input/output error"), "", "it cannot be read: Input/output error"),
        (MemoryError(), "", "it needs more memory than there is"),
        (
            ZeroDivisionError("by zero"),
            "",
            "internal error in archlint: ZeroDivisionError: by zero (--debug shows where)",
        ),
        (
            RecursionError("too deep"),
            "",
            "internal error in archlint: RecursionError: too deep (--debug shows where)",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_failure_is_a_row_and_the_next_file_is_linted(
    error: Exception, where: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raises(error, monkeypatch)
    bad, good = check_files([BAD, GOOD], NO_RULES).files
    assert (bad.path, bad.format, bad.problem) == ("bad.onnx", "onnx", Problem(where, what))
    assert good.problem is None
    assert good.nodes


def test_debug_raises_a_fault_of_archlint(monkeypatch: pytest.MonkeyPatch) -> None:
    raises(ZeroDivisionError(), monkeypatch)
    with pytest.raises(ZeroDivisionError):
        check_files([BAD, GOOD], NO_RULES, debug=True)


def test_debug_does_not_raise_what_is_wrong_with_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    raises(ReadError("bad.onnx", "", "it is cyclic"), monkeypatch)
    assert check_files([BAD], NO_RULES, debug=True).files[0].problem == Problem("", "it is cyclic")


def test_an_interrupt_is_not_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    raises(KeyboardInterrupt(), monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        check_files([BAD, GOOD], NO_RULES)


def test_progress_is_told_once_per_file() -> None:
    calls: list[int] = []
    check_files([ReadError("a", "", "b"), GOOD], NO_RULES, advance=lambda: calls.append(1))
    assert len(calls) == 2


def test_a_row_says_what_the_file_holds() -> None:
    (row,) = check([DIGITS]).files
    assert (row.path, row.format, row.size_bytes) == (DIGITS, "onnx", Path(DIGITS).stat().st_size)
    assert row.producer is not None
    assert row.producer.startswith("tf2onnx")
    assert [(port.name, port.dtype, port.shape[1:]) for port in row.inputs] == [
        ("digit", "float32", (28, 28, 1))
    ]
    assert [port.shape[1:] for port in row.outputs] == [(10,)]
    assert row.unknown_ops == ()


def test_a_wrong_word_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no-such-rule"):
        check([], select=["no-such-rule"])


@pytest.mark.parametrize(
    ("files", "fail_on", "expected"),
    [
        ((), "warning", 3),
        ((FileReport("a", "onnx", 1),), "info", 0),
        ((FileReport("a", "onnx", 1, findings=(finding("info"),)),), "warning", 0),
        ((FileReport("a", "onnx", 1, findings=(finding("info"),)),), "info", 1),
        ((FileReport("a", "onnx", 1, findings=(finding("warning"),)),), "error", 0),
        ((FileReport("a", "onnx", 1, findings=(finding("error"),)),), "error", 1),
        ((FileReport("a", "onnx", 1, findings=(finding("error"),)),), "never", 0),
        ((FileReport("a", "onnx", 1, problem=Problem("", "x")),), "never", 2),
        ((FileReport("a", "onnx", 1, crashes=(Problem("", "x"),)),), "warning", 2),
        (
            (
                FileReport("a", "onnx", 1, findings=(finding("error"),)),
                FileReport("b", None, None, problem=Problem("", "x")),
            ),
            "warning",
            2,
        ),
    ],
)
def test_exit_codes(files: tuple[FileReport, ...], fail_on: str, expected: int) -> None:
    assert exit_code(report(*files), fail_on) == expected


def test_weights_that_are_not_there_are_a_note(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    kernel = TensorProto(
        name="w", data_type=TensorProto.FLOAT, dims=(4, 2), data_location=TensorProto.EXTERNAL
    )
    kernel.external_data.add(key="location", value="w.bin")
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ("N", size))
        for name, size in (("x", 4), ("y", 2))
    ]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "g", ends[:1], ends[1:], [kernel]
    )
    (tmp_path / "m.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    (row,) = check_files(archlint.formats.find([str(tmp_path / "m.onnx")]), NO_RULES).files
    assert row.notes == ("w.bin is not there: what depends on weight values is not judged",)
