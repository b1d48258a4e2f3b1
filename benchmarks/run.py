"""Measures archlint as whole processes, against other tools: ``python benchmarks/run.py``.

Run by hand, on a quiet machine, with the ``dev`` dependency group installed. The first run makes 2.7 GB of
models and a virtual environment in a cache folder (``--cache``) and takes some minutes. Everything is a ratio
to something measured in the same run, so that machines can be compared.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Cost:
    """Wall-clock seconds and peak resident memory of one process, the best of some runs."""

    seconds: float
    peak_mb: float


def cost(command: Sequence[str], times: int) -> Cost:
    """The least time and memory of ``times`` runs, after one that warms the file cache."""
    runs = [_run(command) for _ in range(times + 1)][1:] if times > 1 else [_run(command)]
    return Cost(min(run.seconds for run in runs), min(run.peak_mb for run in runs))


def _run(command: Sequence[str]) -> Cost:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # measured as it is once installed: with its bytecode
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise SystemExit(f"exit code {process.returncode} from {' '.join(command)}")
    return Cost(seconds, usage.ru_maxrss / 1024)


def others(cache: Path) -> Path:
    """The ``bin`` folder of a virtual environment with the tools that archlint is compared with."""
    folder = cache / "others"
    if not folder.exists():
        subprocess.run([sys.executable, "-m", "venv", "--upgrade-deps", folder], check=True)
        subprocess.run([folder / "bin/pip", "install", "-q", "-r", HERE / "requirements.txt"], check=True)
    return folder / "bin"


def bytes_read(path: Path) -> int:
    """Bytes that reading a model takes from files, beyond what a small model of its kind takes."""
    warm = HERE.parent / "examples" / {".keras": "tutorial_cnn.keras", ".onnx": "digits.onnx"}[path.suffix]
    code = (
        "import sys; from archlint.formats import find, read\n"
        "def count(): return int(open('/proc/self/io').readline().split()[1])\n"
        "read(find([sys.argv[1]])[0]); before = count()\n"
        "read(find([sys.argv[2]])[0]); print(count() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(warm), str(path)], check=True, capture_output=True, text=True
    )
    return int(done.stdout)


def rules_loaded(times: int) -> tuple[int, float]:
    """How many rules there are, and the seconds that reading and checking them takes in a fresh process."""
    code = (
        "import time, archlint.api; from archlint.engine import load\n"
        "begin = time.perf_counter(); rules = load(); print(len(rules), time.perf_counter() - begin)"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    done = [
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
        ).stdout.split()
        for _ in range(times + 1)
    ][1:]
    return int(done[0][0]), min(float(seconds) for _, seconds in done)


def patched(cache: Path, name: str, times: int) -> tuple[Cost, Cost, Cost]:
    """Costs of fixing one model, of ``cp`` of its weights, and of ``cp`` with a flush to the disk.

    In turns, so that what else the machine does falls on all three; each writes a file that is not there.
    """
    weights = cache / ("vgg16_external.bin" if name == "vgg16_external.onnx" else name)
    found: list[list[Cost]] = [[], [], []]
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        out = Path(folder) / f"out{Path(name).suffix}"
        beside = cache / f"patched-{name}"
        fix = [sys.executable, "-m", "archlint", "fix", str(cache / name), "--verify", "off"]
        commands = (
            [*fix, "-o", str(beside)],
            ["cp", str(weights), str(out)],
            ["sh", "-c", f"cp '{weights}' '{out}' && sync -d '{out}'"],
        )
        for _ in range(times + 1):
            for rows_, command in zip(found, commands, strict=True):
                rows_.append(_run(command))
                for one in (out, *cache.glob("patched-*")):
                    one.unlink(missing_ok=True)
    least = [
        Cost(min(run.seconds for run in runs[1:]), min(run.peak_mb for run in runs[1:])) for runs in found
    ]
    return least[0], least[1], least[2]


def rows(cache: Path, times: int) -> list[tuple[str, str, str, str]]:
    """What was measured, the figure, the ratio, and what it must be."""
    tools = others(cache)

    def lint(name: str, runs: int = times) -> Cost:
        return cost([sys.executable, "-m", "archlint", str(cache / name)], runs)

    onnx = cost([sys.executable, "-c", "import onnx"], times)
    keras_file, onnx_file = lint("vgg16.keras"), lint("vgg16.onnx")
    load = cost(
        [sys.executable, "-c", f"import keras; keras.models.load_model({str(cache / 'vgg16.keras')!r})"], 1
    )
    doctor = cost([str(tools / "onnx-doctor"), "check", str(cache / "vgg16.onnx")], 1)
    polygraphy = cost([str(tools / "polygraphy"), "check", "lint", str(cache / "vgg16.onnx")], 1)
    large, small = lint("external_2gb.onnx"), lint("external_48kb.onnx")
    hundred, encoder = lint("hundred"), lint("encoder.onnx")
    long, short = lint("chain_100000.onnx", 2), lint("chain_10000.onnx", 2)
    start = cost([sys.executable, "-m", "archlint", "--version"], times)
    count, loading = rules_loaded(times)

    def row(what: str, own: Cost, ratio: float, must: str) -> tuple[str, str, str, str]:
        return what, f"{own.seconds * 1000:,.0f} ms, {own.peak_mb:.0f} MB", f"{ratio:.2f}", must

    return [
        row("import onnx", onnx, 1, ""),
        row("archlint --version", start, start.seconds / onnx.seconds, ""),
        (
            f"load {count} rules / import onnx",
            f"{loading * 1000:,.0f} ms",
            f"{loading / onnx.seconds:.2f}",
            "<= 0.5",
        ),
        row("vgg16.keras / import onnx", keras_file, keras_file.seconds / onnx.seconds, "<= 1.5, 90 MB"),
        row("vgg16.onnx / import onnx", onnx_file, onnx_file.seconds / onnx.seconds, "<= 2.5, 90 MB"),
        row("keras load_model / vgg16.keras", load, load.seconds / keras_file.seconds, ">= 40"),
        row("onnx-doctor check / vgg16.onnx", doctor, doctor.seconds / onnx_file.seconds, ">= 5"),
        row(
            "polygraphy check lint / vgg16.onnx", polygraphy, polygraphy.seconds / onnx_file.seconds, ">= 20"
        ),
        row("2 GB external / 48 kB external", large, large.seconds / small.seconds, "about 1"),
        row("transformer of 5,000 nodes / import onnx", encoder, encoder.seconds / onnx.seconds, "<= 12"),
        row("100 small models / import onnx", hundred, hundred.seconds / onnx.seconds, "<= 20"),
        row(
            "per node: 100,000 / 10,000",
            long,
            (long.seconds - start.seconds) / (short.seconds - start.seconds) / 10,
            "<= 2",
        ),
        *(
            row(f"fix {name} / {what}", own, own.seconds / other.seconds, must)
            for name in ("vgg16.keras", "vgg16.onnx", "vgg16_external.onnx")
            for own, plain, flushed in [patched(cache, name, times)]
            for what, other, must in (("cp", plain, "<= 3, 300 MB"), ("cp and sync", flushed, ""))
        ),
        *(
            ("bytes read of " + name, f"{bytes_read(cache / name):,}", "", "< 1,000,000")
            for name in ("vgg16.keras", "vgg16.onnx")
        ),
    ]


def main() -> None:
    """Prints a table of what was measured and what it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "archlint-benchmarks")
    parser.add_argument("--times", type=int, default=9, help="runs of each, of which the best counts")
    options = parser.parse_args()
    # In a process of its own: a child's peak memory is never below that of the process that starts it.
    subprocess.run([sys.executable, HERE / "models.py", options.cache], check=True)
    print(f"{'what':42}{'time and peak memory':>24}{'ratio':>9}  must be")
    for what, figure, ratio, must in rows(options.cache, options.times):
        print(f"{what:42}{figure:>24}{ratio:>9}  {must}")


if __name__ == "__main__":
    main()
