"""What the text and JSON reports say, from reports made by hand."""

import io
import json
import math
import re
from pathlib import Path

import jsonschema
import pytest

import archlint.reporters
from archlint.findings import FileReport, Finding, Fix, Port, Problem, Report, Silence
from archlint.reporters import View, render
from archlint.reporters.view import plural, printable, short, well_formed

SCHEMA = json.loads((Path(archlint.reporters.__file__).parent / "report.schema.json").read_text())

FLATTEN = Finding(
    rule="flatten-into-large-dense",
    family="head",
    severity="warning",
    confidence="high",
    message="dense holds 11.5M parameters",
    node="dense",
    values={"share": 0.994, "shape": ("N", 53, 53, None, 64), "worst": math.inf, "nothing": math.nan},
    related=(("flatten", "the map is flattened here"),),
    fixes=(Fix("global average pooling in place of flatten", "retrain"),),
)
INFO = Finding("stride", "convolution", "info", "medium", "conv skips pixels", "conv")
ERROR = Finding("logits", "output", "error", "high", "softmax twice")
CNN = FileReport(
    path="cnn.keras",
    format="keras",
    size_bytes=46_300_000,
    producer="keras 3.15.1",
    params=11_574_090,
    macs=3_050_000_000,
    nodes=16,
    inputs=(Port("image", "float32", ("N", 224, 224, 3)),),
    outputs=(Port("probs", None, None),),
    findings=(ERROR, FLATTEN, INFO),
)
BROKEN = FileReport("b.onnx", None, None, problem=Problem("graph", "it ends in the middle"))
ODD = FileReport(
    path=b"caf\xe9\x1b[31m.onnx".decode(errors="surrogateescape"),
    format="onnx",
    size_bytes=10,
    nodes=4,
    unknown_ops=(("com.acme::Blur", 2), ("Lambda", 1)),
    silences=(Silence("stride", "conv\n1", "shape unknown"), Silence("stride", None, "no loss")),
    crashes=(Problem("rule stride, node conv", "ZeroDivisionError"),),
    notes=("w.bin is not there: what depends on its weight values is not judged",),
)
PLAIN = View()
ALL = Report((CNN, BROKEN, ODD), 14)


def text(report: Report, view: View = PLAIN) -> str:
    out = io.StringIO()
    render(report, "text", out, view)
    return out.getvalue()


def as_json(report: Report) -> dict:
    out = io.StringIO()
    render(report, "json", out, View())
    return json.loads(out.getvalue(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_a_file_with_findings_is_a_block() -> None:
    assert text(Report((CNN,), 14)) == (
        "cnn.keras  (46.3 MB, 11,574,090 parameters, 3.05 G MACs)\n"
        "  error    logits\n"
        "           softmax twice\n"
        "  warning  flatten-into-large-dense at dense\n"
        "           dense holds 11.5M parameters\n"
        "           flatten: the map is flattened here\n"
        "           fix (retrain): global average pooling in place of flatten\n"
        "  info     stride at conv\n"
        "           conv skips pixels\n"
        "\n"
        "1 file, 14 rules: 1 error, 1 warning, 1 info.\n"
    )


def test_a_file_that_cannot_be_read_says_where_and_why() -> None:
    assert text(Report((BROKEN,), 14)) == (
        "b.onnx\n"
        "  not read graph: it ends in the middle\n"
        "\n"
        "1 file, 14 rules: nothing judged.\n"
        "Not judged: 1 file that could not be read.\n"
    )


def test_the_closing_line_says_what_was_not_judged() -> None:
    assert text(ALL).splitlines()[-1] == (
        "Not judged: 1 file that could not be read; "
        "3 nodes of unknown meaning (com.acme::Blur, Lambda); "
        "2 places where 1 rule lacked a fact (-v lists them); "
        "1 rule failure, a fault of archlint or of that rule."
    )


def test_detail_lists_silences_and_unknown_ops() -> None:
    shown = text(Report((ODD,), 14), View(detail=1))
    assert "  silent   stride at conv\\n1: shape unknown\n" in shown
    assert "  silent   stride: no loss\n" in shown
    assert "  unknown  com.acme::Blur, 2 nodes\n" in shown


def test_quiet_shows_findings_and_nothing_else() -> None:
    clean = FileReport("ok.onnx", "onnx", 10, params=1, macs=1, nodes=1)
    assert text(Report((clean,), 14), View(detail=-1)) == ""
    assert text(Report((BROKEN,), 14), View(detail=-1)).splitlines()[0] == "b.onnx"


def test_many_unknown_ops_are_cut_to_the_most_frequent() -> None:
    ops = tuple((f"Op{number}", number) for number in range(1, 10))
    line = text(Report((FileReport("m.onnx", "onnx", 1, unknown_ops=ops),), 1)).splitlines()[-1]
    assert line.endswith("45 nodes of unknown meaning (Op9, Op8, Op7, Op6, Op5, Op4 and 3 more).")


def test_unknown_counts_are_said_to_be_unknown() -> None:
    assert "(10 B, parameters unknown, MACs unknown)" in text(Report((ODD,), 1))


def test_names_from_files_cannot_steer_the_terminal() -> None:
    shown = text(ALL, View(detail=1))
    assert "caf\\xe9\\x1b[31m.onnx" in shown
    assert "\x1b" not in shown


def test_colour_changes_nothing_but_colour() -> None:
    coloured = text(ALL, View(colour=True))
    assert coloured != text(ALL)
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == text(ALL)


def test_a_message_of_a_megabyte_is_cut() -> None:
    finding = Finding("long", "graph", "info", "high", "x" * 2**20)
    assert len(text(Report((FileReport("m", "onnx", 1, findings=(finding,)),), 1))) < 1000


def test_json_follows_its_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(as_json(ALL), SCHEMA)
    jsonschema.validate(as_json(Report((), 0)), SCHEMA)


def test_the_schema_refuses_what_it_does_not_know() -> None:
    report = as_json(ALL)
    report["files"][0]["findings"][0]["sverity"] = "error"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report, SCHEMA)


def test_json_carries_every_field_of_a_finding() -> None:
    finding = as_json(Report((CNN,), 14))["files"][0]["findings"][1]
    assert finding == {
        "rule": "flatten-into-large-dense",
        "family": "head",
        "severity": "warning",
        "confidence": "high",
        "node": "dense",
        "path": "cnn.keras",
        "message": "dense holds 11.5M parameters",
        "values": {"nothing": None, "shape": ["N", 53, 53, None, 64], "share": 0.994, "worst": None},
        "related": [{"node": "flatten", "message": "the map is flattened here"}],
        "fixes": [
            {
                "title": "global average pooling in place of flatten",
                "level": "retrain",
                "applicable": False,
                "inference": False,
            }
        ],
    }


def test_json_sums_up_the_run() -> None:
    assert as_json(ALL)["summary"] == {
        "files": 3,
        "unreadable": 1,
        "rules": 14,
        "findings": {"error": 1, "warning": 1, "info": 1},
        "unknown_nodes": 3,
        "silences": 2,
        "crashes": 1,
    }


def test_json_says_why_a_file_was_not_read() -> None:
    row = as_json(Report((BROKEN,), 14))["files"][0]
    assert (row["error"], row["params"]) == ({"where": "graph", "what": "it ends in the middle"}, None)


def test_json_is_valid_unicode_whatever_the_path() -> None:
    path = as_json(ALL)["files"][2]["path"]
    assert path == "caf\\xe9\x1b[31m.onnx"
    path.encode()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("conv_1/ä→猫", "conv_1/ä→猫"),
        ("a\x1b[2J", "a\\x1b[2J"),
        ("a\r\nb", "a\\r\\nb"),
        ("a\u202eb", "a\\u202eb"),
        ("\udcff\ud800", "\\xff\\ud800"),
    ],
)
def test_printable_escapes_what_is_not_plain(raw: str, expected: str) -> None:
    assert printable(raw) == expected


def test_well_formed_escapes_only_surrogates() -> None:
    assert well_formed("a\tä\u202e\udcff\ud800") == "a\tä\u202e\\xff\\ud800"


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "0"), (999, "999"), (1000, "1 k"), (1234, "1.23 k"), (15_470_264_320, "15.5 G"), (999_600, "1 M")],
)
def test_short_numbers_have_three_digits(number: int, expected: str) -> None:
    assert short(number) == expected


def test_sizes_carry_their_unit() -> None:
    assert (short(553_467_096, "B"), short(12, "B")) == ("553 MB", "12 B")


def test_plural() -> None:
    assert (plural(1, "file"), plural(1200, "node"), plural(0, "rule")) == (
        "1 file",
        "1,200 nodes",
        "0 rules",
    )


def test_what_limits_the_judgement_of_a_file_is_a_note_in_both_reports() -> None:
    note = "w.bin is not there: what depends on its weight values is not judged"
    assert f"  note     {note}\n" in text(Report((ODD,), 1))
    assert [file["notes"] for file in as_json(ALL)["files"]] == [[], [], [note]]
