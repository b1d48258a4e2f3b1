"""Lints models in which a fault was planted and says which are found: ``python benchmarks/recall/run.py``.

Writes ``docs/recall.md``; with ``--check`` writes nothing. The ``oracle`` dependency group must be installed.
Exit code 1: a fault was missed that is not listed as missed where it is planted, one that is listed was
found, or (``--check``) the page is not what was measured.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE)]

from corpus import KINDS, RULES, Fault, corpus, said_of  # noqa: E402

PAGE = ROOT / "docs/recall.md"


def document(faults: Sequence[Fault]) -> str:
    """The page: totals, what is missed, and a line for every rule. ``missed`` of each fault is believed."""
    found = sum(not fault.missed for fault in faults)
    missed = [str(fault) for fault in faults if fault.missed]
    rules = {fault.rule for fault in faults}
    silent = sorted(rule.name for rule in RULES if rule.name not in rules)
    made = {(fault.rule, fault.name) for fault in faults}
    return "\n".join(
        [
            *_INTRODUCTION,
            f"* Faulty models: {len(made)}, of {len(rules)} of the {len(RULES.by_name)} rules; "
            f"{len(faults)} files and graphs, as what Keras builds is saved in two formats.",
            f"* Found: {found} of {len(faults)} ({found / len(faults):.1%}).",
            f"* Missed: {'; '.join(missed) or 'none'}.",
            f"* Rules with no planted fault: {', '.join(silent) or 'none'}.",
            "",
            "| planted in | found | of |",
            "|---|---:|---:|",
            *_by_kind(faults),
            "",
            "## By rule",
            "",
            f"| rule | {' | '.join(KINDS)} | found | of |",
            f"|---|{'---:|' * (len(KINDS) + 2)}",
            *_by_rule(faults),
            "",
        ]
    )


_INTRODUCTION = (
    "# Recall: faults that were planted, and how many are found",
    "",
    "Written by `python benchmarks/recall/run.py`, which plants every fault of `tests/recall` in models of",
    "different build and lints them with every rule at its default, and with the planted one if it is off",
    "by default. A fault counts as found when the rule of that name speaks. The models are not the examples",
    "that the rules were written with. They were written by the authors of the rules, though: this says that",
    "a rule finds its fault in other surroundings, not how often the faults of others are found.",
    "",
    "A graph is given in the text notation as the reader of that format gives it; a file is written byte by",
    "byte; the rest are built and saved by Keras and read from disk. Faults of weights are planted in",
    "trained networks as well, as .keras, .h5 and .onnx: `tests/oracle/test_weights_on_trained_networks.py`,",
    "not counted here.",
    "",
)


def _by_kind(faults: Sequence[Fault]) -> Iterator[str]:
    for kind in KINDS:
        rows = [fault for fault in faults if fault.kind == kind]
        yield f"| {kind} | {sum(not fault.missed for fault in rows)} | {len(rows)} |"


def _by_rule(faults: Sequence[Fault]) -> Iterator[str]:
    families = {fault.rule: RULES.by_name[fault.rule].family for fault in faults}
    for rule in sorted(families, key=lambda name: (families[name], name)):
        rows = [fault for fault in faults if fault.rule == rule]
        counts = [sum(fault.kind == kind for fault in rows) or "" for kind in KINDS]
        found = sum(not fault.missed for fault in rows)
        page = f"[{rule}](rules/{families[rule]}/{rule}.md)"
        yield f"| {page} | {' | '.join(str(count) for count in counts)} | {found} | {len(rows)} |"


def surprises(faults: Sequence[Fault]) -> Iterator[str]:
    """A sentence for every fault that is missed or found against what stands where it is planted."""
    for fault in faults:
        with tempfile.TemporaryDirectory() as folder:
            said = said_of(fault, Path(folder))
        if (fault.rule not in said) != fault.missed:
            yield f"{fault} is {'found' if fault.missed else 'missed'}; said: {', '.join(sorted(said))}"


def main() -> int:
    """Prints what was measured; the exit code of the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    faults = corpus()
    said = list(surprises(faults))
    page = document(faults)
    if not options.check and not said:
        PAGE.write_text(page, encoding="utf-8")
    elif not said and PAGE.read_text(encoding="utf-8") != page:
        said.append("docs/recall.md is not what was measured; run without --check")
    print("\n".join(said) or f"{len(faults)} planted faults: found or missed as the page says")
    return int(bool(said))


if __name__ == "__main__":
    sys.exit(main())
