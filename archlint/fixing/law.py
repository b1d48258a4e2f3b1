"""What a fix may not do: leave its finding, or bring another that is as bad as what it solves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from archlint.engine import Place, Tally
from archlint.findings import SEVERITIES, Finding

Key = tuple[str, str | None]
"""Rule and node of a finding."""


def objection(fixed: Finding, before: Tally, after: Tally, added: frozenset[str]) -> str | None:
    """Why a fix is not to be made, as a sentence without a subject; None when nothing speaks against it.

    What is new has to be milder than the worst of what is solved, so that a fix may turn a warning into an
    info; what had only left its node to another finding is not new. ``added`` are the nodes that it puts in:
    a finding that was there before may now be at one of them. Every fix that passes leaves fewer findings of
    the worst severity that it touches, or as many on fewer nodes, so fixing ends.
    """
    was, now = _findings(before.places), _findings(after.places)
    hidden = _findings(before.yielded)
    shrinks = len(after.positions) < len(before.positions)
    key = (fixed.rule, fixed.node)
    behind = _findings(after.yielded)
    fewer = len(now.get(key, ())) + len(behind.get(key, ())) < len(was.get(key, ())) + len(
        hidden.get(key, ())
    )
    if len(now.get(key, ())) >= len(was.get(key, ())) and not fewer:
        return "the finding would still be there"
    if len(after.crashes) > len(before.crashes):
        return f"{after.crashes[-1].where} would fail: {after.crashes[-1].what}"
    solved = [finding for place, rows in was.items() for finding in rows[len(now.get(place, ())) :]]
    worst = min(_rank(finding) for finding in (fixed, *solved))
    for level in range(worst + 1):
        old = _counts((*before.places, *before.yielded), level)
        new = _counts(after.places, level)
        for place, rows in now.items():
            rule, node = place
            grave = [finding for finding in rows if _rank(finding) <= level]
            known = sum(_rank(row) <= level for row in (*was.get(place, ()), *hidden.get(place, ())))
            moved = node in added and new[rule] <= old[rule] - (rule == fixed.rule and not shrinks)
            if len(grave) > known and not moved:
                at = f" at {node}" if node else ""
                return f"it would bring the {grave[0].severity} {rule}{at}: {grave[0].message}"
    return None


def _rank(finding: Finding) -> int:
    return SEVERITIES.index(finding.severity)


def _findings(places: Iterable[Place]) -> Mapping[Key, list[Finding]]:
    found: dict[Key, list[Finding]] = {}
    for place in places:
        found.setdefault((place.finding.rule, place.finding.node), []).append(place.finding)
    return found


def _counts(places: Iterable[Place], level: int) -> Counter[str]:
    """Rule → how many findings it has that are as bad as the level."""
    return Counter(place.finding.rule for place in places if _rank(place.finding) <= level)
