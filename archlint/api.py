"""The main job: paths in, a report out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from archlint.choice import Options, chosen
from archlint.engine import Outcome, RuleSet, load, run
from archlint.errors import ReadError, UsageError
from archlint.facts import Facts
from archlint.findings import SEVERITIES, FileReport, Finding, Port, Problem, Report
from archlint.formats import Found, ModelFile, find, open_weights, read, scan
from archlint.graph import Graph, Node
from archlint.settings import Settings

_T = TypeVar("_T")

FREE_WEIGHT_BYTES = 16 * 2**20
"""Weights of a model that are read without being asked for: all rules about 33 MB of weights took 0.5 to 1 s
on two cores (dense layers, 256 to 4,096 wide), so this much takes less than half a second."""


def check(
    paths: Sequence[str],
    *,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    rule_folders: Sequence[Path] = (),
    settings: Settings | None = None,
    weights: bool | None = None,
) -> Report:
    """What the chosen rules say of the models at these paths, with a row per file.

    ``weights`` says whether rules may read weights; None lets them when there is little to read.
    No settings file is looked for; ``archlint.settings.load_settings`` reads one. What is given here wins
    over ``settings``.

    Raises:
        UsageError: a word of ``select`` or ``ignore`` names no rule.
        RuleError: a rule in ``rule_folders`` does not load.
    """
    base = settings or Settings()
    both = replace(base, select=tuple(select) or base.select, ignore=tuple(ignore) or base.ignore)
    picked = chosen(load([*base.rules, *rule_folders]), both)
    wanted = base.weights if weights is None else weights
    return check_files(find(paths), picked.rules, options=picked.options, weights=wanted)


def check_files(
    found: Sequence[Found],
    rules: RuleSet,
    *,
    options: Options | None = None,
    weights: bool | None = None,
    debug: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> Report:
    """What the rules say of files that were found. One file's failure never stops the others.

    ``options`` is rule → option → value, ``weights`` as in ``check``. ``advance`` is called after each
    file; with ``debug`` a fault of archlint itself is raised.
    """
    rows = []
    for entry in found:
        rows.append(_row(entry, rules, options or {}, weights, debug))
        advance()
    return Report(tuple(rows), len(rules))


def exit_code(report: Report, fail_on: str) -> int:
    """0: nothing as bad as ``fail_on``; 1: something is; 2: a file or a rule failed; 3: nothing was checked.

    ``fail_on`` is a severity or "never". 2 wins over 1: a gate that could not look must not say what it saw.
    """
    if not report.files:
        return 3
    if any(file.problem or file.crashes for file in report.files):
        return 2
    return int(any(is_as_bad(file.findings, fail_on) for file in report.files))


def is_as_bad(findings: Sequence[Finding], fail_on: str) -> bool:
    """Whether one of the findings is as bad as a severity, or worse; nothing is as bad as "never"."""
    failing = SEVERITIES[: SEVERITIES.index(fail_on) + 1] if fail_on != "never" else ()
    return any(finding.severity in failing for finding in findings)


def read_one(path: str) -> tuple[ModelFile, Graph]:
    """The one model at a path: its file and its graph.

    Raises:
        ReadError: it cannot be read.
        UsageError: the path is a folder that holds no model, or several.
    """
    found = find([path])
    if len(found) != 1:
        raise UsageError(f"{path}: this folder holds {len(found)} models; name one")
    if isinstance(found[0], ReadError):
        raise found[0]
    return found[0], read(found[0])


def facts_of(path: str, weights: bool = False) -> Facts:
    """The facts of the one model at a path, those about its weights only when asked for.

    Raises:
        ReadError: it cannot be read.
        UsageError: the path is a folder that holds no model, or several.
    """
    file, graph = read_one(path)
    return Facts(graph, file.size_bytes, open_weights(file, graph) if weights else None)


def wants_weights(graph: Graph, rules: RuleSet, asked: bool | None) -> bool:
    """Whether rules are to read the weights of a model: as asked, or, when not said, if they are few."""
    few = _weight_bytes(graph) <= FREE_WEIGHT_BYTES if asked is None else asked
    return few and any("weights" in rule.requires for rule in rules)


def refuse_stray(file: ModelFile, graph: Graph) -> None:
    """Nothing, when all weights lie where they may be read.

    Raises:
        ReadError: they are said to be where no tool should be sent to read them.
    """
    for key, why in _REFUSED.items():
        locations = graph.metadata.get(key)
        if isinstance(locations, tuple):
            what = f"its weights are said to be in '{locations[0]}', {why}; that is refused"
            raise ReadError(file.path, "external data", what)


def _row(entry: Found, rules: RuleSet, options: Options, weights: bool | None, debug: bool) -> FileReport:
    if isinstance(entry, ReadError):
        return FileReport(entry.path, None, None, problem=Problem(entry.where, entry.what))
    row = _guarded(lambda: _judged(entry, rules, options, weights), debug)
    if isinstance(row, FileReport):
        return row
    seen = _guarded(lambda: _hazardous(entry, rules, options), debug)
    outcome = Outcome() if isinstance(seen, Problem) else seen
    return FileReport(
        entry.path,
        entry.format,
        entry.size_bytes,
        findings=outcome.findings,
        silences=outcome.silences,
        problem=row,
    )


def _guarded(work: Callable[[], _T], debug: bool) -> _T | Problem:
    """What the work gives, or why one file stops it."""
    try:
        return work()
    except ReadError as error:
        return Problem(error.where, error.what)
    except OSError as error:
        return Problem("", f"it cannot be read: {error.strerror or error}")
    except MemoryError:
        return Problem("", "it needs more memory than there is")
    except Exception as error:  # a fault of ours in one file must not silence the others
        if debug:
            raise
        what = f"internal error in archlint: {type(error).__name__}: {error} (--debug shows where)"
        return Problem("", what)


def _hazardous(file: ModelFile, rules: RuleSet, options: Options) -> Outcome:
    """What the security rules say of a file whose graph could not be had: they ask for its hazards only."""
    graph = Graph(format=file.format, hazards=scan(file))
    security = RuleSet(tuple(rule for rule in rules if rule.family == "security"))
    given = {name: values for name, values in options.items() if name in security.by_name}
    return run(security, Facts(graph, file.size_bytes), given)


def _judged(file: ModelFile, rules: RuleSet, options: Options, weights: bool | None) -> FileReport:
    graph = read(file)
    refuse_stray(file, graph)
    wanted = wants_weights(graph, rules, weights)
    facts = Facts(graph, file.size_bytes, open_weights(file, graph) if wanted else None)
    outcome = run(rules, facts, options)
    return FileReport(
        path=file.path,
        format=file.format,
        size_bytes=file.size_bytes,
        producer=_producer(graph),
        params=facts.params if facts.params_exact else None,
        macs=facts.macs,
        nodes=sum(1 for _ in _nodes(graph)),
        unknown_ops=_unknown_ops(graph),
        inputs=tuple(_port(facts, name) for name, _ in graph.inputs),
        outputs=tuple(_port(facts, name) for name in graph.outputs),
        findings=outcome.findings,
        silences=outcome.silences,
        crashes=outcome.crashes,
        notes=_notes(graph),
    )


_REFUSED = {
    "external_data_escapes": "which leads out of the model's folder",
    "external_data_out_of_range": "where that file has no such bytes",
}
"""What the ONNX reader found of external data → why no tool should be sent to read it."""


_NOTES = {
    "external_data_missing": "{names} {are} not there: what depends on weight values is not judged",
    "damaged_weights": "{names} {are} not as long as stated: what depends on weight values is not judged",
    "sparse_weights": "{names} stored sparse: all elements count as parameters, zeros too",
    "reordered_graphs": "nodes stand before what they read, which ONNX forbids: read in an order that works",
}
"""What a reader notes in the metadata → the sentence about it."""

_OLDEST_OPSET = 7
"""The first opset with today's broadcasting. Source: ONNX changelog, operators of version 7."""


def _notes(graph: Graph) -> tuple[str, ...]:
    """A sentence for each thing about the file that limits what was judged."""
    found = []
    for key, sentence in _NOTES.items():
        stated = graph.metadata.get(key)
        if not stated:
            continue
        names = stated if isinstance(stated, tuple) else ()
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        first = f"{names[0]}{more}" if names else f"{stated} tensor{'s' if stated != 1 else ''}"
        found.append(sentence.format(names=first, are="are" if more else "is"))
    opset = graph.metadata.get("opset")
    if graph.format == "onnx" and isinstance(opset, int) and 0 < opset < _OLDEST_OPSET:
        found.append(f"opset {opset} broadcasts by the rules of before 7: some shapes stay unknown")
    return tuple(found)


def _nodes(graph: Graph) -> Iterator[Node]:
    """All nodes, those in bodies too, without recursion: bodies may nest as deep as a file says."""
    waiting = [graph]
    while waiting:
        for node in waiting.pop().nodes:
            yield node
            waiting.extend(body for _, body in node.bodies)


def _weight_bytes(graph: Graph) -> int:
    """Bytes of the weights of the nodes, at four each where the element type has no stated width."""
    sizes = {
        param.name: (param.size or 0, param.dtype or "") for node in graph.nodes for param in node.params
    }
    return sum(size * _WIDTHS.get(dtype, 4) for size, dtype in sizes.values())


_WIDTHS = {"float64": 8, "float16": 2, "bfloat16": 2, "int8": 1, "uint8": 1}


def _unknown_ops(graph: Graph) -> tuple[tuple[str, int], ...]:
    """Native names of the nodes whose meaning is not known, with how many; the most frequent first."""
    counts = Counter(node.origin.native or "?" for node in _nodes(graph) if node.op == "Unknown")
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _port(facts: Facts, name: str) -> Port:
    tensor = facts.tensor(name)
    return Port(name, tensor.dtype, tensor.shape)


def _producer(graph: Graph) -> str | None:
    producer = graph.metadata.get("producer")
    return producer if isinstance(producer, str) else None
