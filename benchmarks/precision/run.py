"""Lints healthy models and says what was found: ``python benchmarks/precision/run.py``.

Writes ``docs/precision.md`` and ``golden.json``; with ``--check`` writes nothing and says what differs from
the golden file. The ``oracle`` dependency group must be installed. Models are made once, in a cache folder.
Exit code 1: a healthy model got an error or a warning that is not in ``TRUE_WARNINGS``, could not be judged,
has other parameters or output shapes than Keras counts, or (``--check``) the golden file says otherwise.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from table import Row, document  # noqa: E402

from archlint.api import check  # noqa: E402

GOLDEN = HERE / "golden.json"

TRUE_WARNINGS = {
    ("dropout-before-batchnorm", "tab_transformer.keras"),
    ("custom-object", "vae_encoder.keras"),
    ("custom-object", "vit.keras"),
    ("flatten-into-large-dense", "VGG16.keras"),
    ("flatten-into-large-dense", "VGG19.keras"),
    ("flatten-into-large-dense", "light_bvlc_alexnet.onnx"),
    ("flatten-into-large-dense", "light_vgg19.onnx"),
    ("flatten-into-large-dense", "light_zfnet512.onnx"),
    ("last-step-of-both-directions", "torch_dynamo_recurrent.onnx"),
    ("last-step-of-both-directions", "torch_legacy_recurrent.onnx"),
}
"""Warnings that are true of a healthy model: a layer class that needs its own code, a first dense layer that
holds 62 to 87 % of all parameters, ``out[:, -1]`` of a bidirectional GRU, or a batch norm behind dropout."""

FIXTURES = (
    "parity/depthwise.torch.onnx",
    "parity/global_pool_cnn.torch.onnx",
    "parity/lenet.torch.onnx",
    "parity/residual.torch.onnx",
    "parity/tabular.torch.onnx",
    *(
        f"onnx/torch_{exporter}_{name}.onnx"
        for exporter in ("dynamo", "legacy")
        for name in ("adaptive", "mean", "mobilenet_block", "recurrent", "transformer", "unet")
    ),
    *(
        f"zoo/{name}.torch.onnx"
        for name in (
            "bert",
            "clip_vision",
            "gpt2",
            "lcnet_050",
            "llama",
            "mobilenetv3_large_100",
            "norm_free",
        )
    ),
    "zoo/wav2vec2.torch.onnx",
)
"""What both exporters of PyTorch write, from the test fixtures: those without a planted fault, and some
networks of timm and transformers."""


def node_name(model: str, node: str | None) -> str:
    """Where a finding is, as every export of a model says it.

    tf2onnx writes branches that are alike in another order from run to run, and numbers the nodes that it
    makes, so which of several places comes first differs: digits in the names of its nodes say nothing.
    """
    if not model.endswith(".tf2onnx.onnx"):
        return node or ""
    return re.sub(r"\d+", "#", re.sub(r"(_\d+)?__\d+$", "", node or ""))


def made(cache: Path) -> Path:
    """The folder of the zoo, made anew when its code or what it is made with is another."""
    digest = hashlib.sha256()
    for source in sorted(HERE.glob("*.py")):
        if source.name not in ("run.py", "table.py"):
            digest.update(source.read_bytes())
    for package in ("keras", "tensorflow", "tf2onnx"):
        digest.update(importlib.metadata.version(package).encode())
    folder = cache / digest.hexdigest()[:16]
    if not (folder / "expected.json").exists():
        subprocess.run([sys.executable, HERE / "zoo.py", folder], check=True)
    return folder


def models(folder: Path) -> list[Path]:
    """Every model of the zoo: those made, the ``onnx`` package's own, and the exports of PyTorch."""
    package = importlib.util.find_spec("onnx")
    assert package is not None
    assert package.origin is not None
    light = Path(package.origin).parent / "backend/test/data/light"
    fixtures = (ROOT / "tests/fixtures" / name for name in FIXTURES)
    return [
        *sorted(folder.glob("*.keras")),
        *sorted(folder.glob("*.onnx")),
        *sorted(light.glob("*.onnx")),
        *fixtures,
    ]


def rows(folder: Path) -> list[Row]:
    """A row for every model, with the processor time that it took after the rules were loaded."""
    expected = json.loads((folder / "expected.json").read_text())
    found = []
    check([str(ROOT / "examples/digits.onnx")])
    for path in models(folder):
        begin = time.process_time()
        (report,) = check([str(path)], weights=False).files  # their weights are random
        seconds = time.process_time() - begin
        truth = expected.get(path.name)
        found.append(Row(path.name, report, seconds, truth))
    return found


def golden(zoo: list[Row]) -> str:
    """Model → its findings as [rule, severity, node], sorted, one on a line."""
    lines = []
    for row in zoo:
        triples = sorted(
            (item.rule, item.severity, node_name(row.name, item.node)) for item in row.report.findings
        )
        inner = ",".join("\n  " + json.dumps(triple, ensure_ascii=False) for triple in triples)
        lines.append(f" {json.dumps(row.name)}: [{inner}{chr(10) + ' ' if triples else ''}]")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def faults(zoo: list[Row]) -> list[str]:
    """A sentence for everything that must not be, with the models of which it is true."""
    said: dict[str, list[str]] = {}
    for row in zoo:
        for fault in row.faults:
            said.setdefault(fault, []).append(row.name)
        for item in row.report.findings:
            if item.severity != "info" and (item.rule, row.name) not in TRUE_WARNINGS:
                fault = f"{item.severity} {item.rule} at {item.node}: {item.message}"
                said.setdefault(fault, []).append(row.name)
    return [f"{fault} ({len(names)}: {', '.join(names[:4])})" for fault, names in said.items()]


def main() -> int:
    """Prints what was found; the exit code of the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with golden.json and write nothing")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "archlint-precision")
    options = parser.parse_args()
    zoo = rows(made(options.cache))
    new, said = golden(zoo), faults(zoo)
    if options.check:
        old = GOLDEN.read_text(encoding="utf-8")
        changes = difflib.unified_diff(old.splitlines(), new.splitlines(), "golden", "now", n=2, lineterm="")
        said += list(changes)
    else:
        GOLDEN.write_text(new, encoding="utf-8")
        (ROOT / "docs").mkdir(exist_ok=True)
        (ROOT / "docs/precision.md").write_text(document(zoo), encoding="utf-8")
        print(document(zoo))
    print("\n".join(said) or f"{len(zoo)} healthy models: nothing that should not be said")
    return int(bool(said))


if __name__ == "__main__":
    sys.exit(main())
