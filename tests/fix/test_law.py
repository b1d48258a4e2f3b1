"""What speaks against a fix."""

from archlint.engine import Place, Tally
from archlint.findings import Finding, Problem
from archlint.fixing.law import objection


def tally(*rows: tuple[str, str | None, str], yielded=(), crashes=(), nodes: int = 9) -> Tally:
    places = [_place(*row) for row in rows]
    found = Tally(None, {str(at): at for at in range(nodes)}, places, [_place(*row) for row in yielded])
    found.crashes.extend(crashes)
    return found


def _place(rule: str, node: str | None, level: str) -> Place:
    return Place(Finding(rule, "family", level, "high", "so it is", node), 0, 0, None)


INFO = ("fixed", "n", "info")
FIXED = _place(*INFO).finding


def verdict(before: Tally, after: Tally, *added: str) -> str | None:
    return objection(FIXED, before, after, frozenset(added))


def test_nothing_speaks_against_a_fix_that_only_solves_its_finding() -> None:
    assert verdict(tally(INFO, ("other", "m", "error")), tally(("other", "m", "error"))) is None


def test_the_finding_has_to_go() -> None:
    assert "the finding would still be there" == verdict(tally(INFO), tally(INFO))


def test_one_of_several_findings_about_the_model_has_to_go() -> None:
    model = ("fixed", None, "info")
    fixed = _place(*model).finding
    assert objection(fixed, tally(model, model), tally(model), frozenset()) is None
    assert objection(fixed, tally(model, model), tally(model, model), frozenset()) is not None


def test_of_several_at_one_node_the_next_may_show() -> None:
    assert verdict(tally(INFO, yielded=[INFO]), tally(INFO)) is None
    assert verdict(tally(INFO, yielded=[INFO]), tally(INFO, yielded=[INFO])) is not None


def test_nothing_as_bad_may_come() -> None:
    assert "it would bring the info new at m: so it is" == verdict(tally(INFO), tally(("new", "m", "info")))


def test_something_milder_than_what_is_solved_may_come() -> None:
    worse = ("worse", "m", "warning")
    assert verdict(tally(INFO, worse), tally(("new", "m", "info"))) is None
    assert verdict(tally(INFO, worse), tally(("new", "m", "warning"))) is not None


def test_a_finding_may_not_get_worse() -> None:
    assert verdict(tally(INFO, ("o", "m", "info")), tally(("o", "m", "error"))) is not None


def test_what_another_finding_hid_is_not_new() -> None:
    hidden = ("hidden", "n", "info")
    assert verdict(tally(INFO, yielded=[hidden]), tally(hidden)) is None


def test_a_finding_may_move_to_a_node_that_the_fix_puts_in() -> None:
    before, after = tally(INFO, ("o", "m", "info")), tally(("o", "new", "info"))
    assert verdict(before, after, "new") is None
    assert verdict(before, after) is not None


def test_its_own_finding_may_move_only_when_the_model_gets_smaller() -> None:
    moved = ("fixed", "new", "info")
    assert verdict(tally(INFO), tally(moved), "new") is not None
    assert verdict(tally(INFO), tally(moved, nodes=8), "new") is None


def test_a_rule_that_fails_on_the_result_speaks_against_it() -> None:
    assert "rule x would fail: oops" == verdict(tally(INFO), tally(crashes=[Problem("rule x", "oops")]))
