"""Every hazard is found wherever it stands, and nothing that only looks like one."""

import os
from collections import Counter
from pathlib import Path

import pytest
from planted import NOTHING, PLANTED, external, healthy

from archlint.api import check, exit_code
from archlint.engine import load
from archlint.findings import FileReport

SECURITY = sorted(rule.name for rule in load() if rule.family == "security")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FileReport]:
    """What the security rules say of each planted file, by its name."""
    found = {}
    for name, (make, _, _) in PLANTED.items():
        path = tmp_path_factory.mktemp("planted") / name
        make(path)
        (found[name],) = check([str(path)], select=["security"]).files
    return found


@pytest.mark.parametrize("name", PLANTED)
def test_the_hazard_is_told_and_nothing_else(rows: dict[str, FileReport], name: str) -> None:
    _, rules, _ = PLANTED[name]
    assert rules == {finding.rule for finding in rows[name].findings}


@pytest.mark.parametrize("name", PLANTED)
def test_a_file_without_a_graph_keeps_its_findings_and_its_problem(
    rows: dict[str, FileReport], name: str
) -> None:
    _, _, has_graph = PLANTED[name]
    assert has_graph == (rows[name].problem is None)


@pytest.mark.parametrize("name", PLANTED)
def test_no_payload_is_repeated(rows: dict[str, FileReport], name: str) -> None:
    told = " ".join(f"{finding.message} {finding.values}" for finding in rows[name].findings)
    assert NOTHING not in told
    assert "stand-in" not in told


@pytest.mark.parametrize("rule", SECURITY)
def test_every_rule_is_planted_in_three_files(rule: str) -> None:
    planted = Counter(name for _, rules, _ in PLANTED.values() for name in rules)
    assert planted[rule] >= 3


def test_healthy_files_are_clean(tmp_path: Path) -> None:
    healthy(tmp_path)
    report = check([str(tmp_path)], select=["security"])
    assert [] == [(file.path, file.problem) for file in report.files if file.problem]
    assert [] == [(file.path, finding) for file in report.files for finding in file.findings]
    assert 14 == len(report.files)


def test_a_hazard_fails_a_run_and_no_graph_fails_it_harder(tmp_path: Path) -> None:
    codes = {}
    for name in ("lambda_sequential.keras", "lambda_subclassed.keras", "custom_layer.keras"):
        PLANTED[name][0](tmp_path / name)
        codes[name] = exit_code(check([str(tmp_path / name)], select=["security"]), "warning")
    assert {"lambda_sequential.keras": 1, "lambda_subclassed.keras": 2, "custom_layer.keras": 1} == codes


def test_weights_behind_links_are_fine_when_the_model_lies_behind_one_too(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots"
    blobs.mkdir()
    snapshot.mkdir()
    external(blobs / "0a", location="w.bin", offset="0", length="64")
    (blobs / "0b").write_bytes(bytes(64))
    (snapshot / "model.onnx").symlink_to(blobs / "0a")
    (snapshot / "w.bin").symlink_to(blobs / "0b")
    (row,) = check([str(snapshot / "model.onnx")], select=["security"]).files
    assert (None, ()) == (row.problem, row.findings)


def test_weights_behind_a_link_beside_the_model_itself_are_an_escape(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(64))
    (tmp_path / "models").mkdir()
    external(tmp_path / "models/model.onnx", location="w.bin", offset="0", length="64")
    (tmp_path / "models/w.bin").symlink_to(tmp_path / "secret")
    (row,) = check([str(tmp_path / "models/model.onnx")], select=["security"]).files
    assert ["external-data-escape"] == [finding.rule for finding in row.findings]
    assert row.problem is not None


def test_weights_that_may_not_be_read_are_not_called_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PLANTED["folder_link"][0](tmp_path / "model")
    monkeypatch.setattr(os, "pread", refuse)
    (row,) = check([str(tmp_path / "model")], select=["security"]).files
    assert ["unsearched-weights"] == [finding.rule for finding in row.findings]


def refuse(*_: object) -> bytes:
    raise PermissionError(13, "Permission denied")
