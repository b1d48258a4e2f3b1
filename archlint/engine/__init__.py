"""Rules as data → findings. What the command line needs, in the order in which it needs it::

    rules = load()                                # built-in rules; load([Path("my-rules")]) adds packs
    chosen = selection(rules, select=["head"], ignore=["flatten-*"])      # names, families, globs
    outcome = run(chosen, Facts(graph), options={"flatten-into-large-dense": {"max_params": 5_000_000}})
    outcome.findings, outcome.silences, outcome.crashes                   # archlint.findings types

    describe(rule) -> str        listing(rules) -> str        vocabulary() -> str
    judge(rules, facts) -> Tally, place by place    offers_at(rules, places) -> what rewrites could do
    explain(rule, facts) -> str        run_examples(rules) -> tuple[ExampleResult, ...]

``load`` raises RuleError (all faulty files, with line and caret), ``selection`` and ``run`` UsageError
(unknown rule or option, a value out of bounds). ``rules.by_name["…"]`` is one rule; ``find`` the same
with a "did you mean" UsageError. A default selection leaves out rules with ``default: off``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from archlint.engine.choose import check_options, find, option_in, selection, with_levels
from archlint.engine.load import builtin_folder, load
from archlint.engine.rule import Example, Option, Outcome, Rule, RuleSet
from archlint.engine.run import Place, Tally, judge, outcome, run

if TYPE_CHECKING:
    from archlint.engine.about import describe, listing, vocabulary
    from archlint.engine.examples import ExampleResult, run_examples
    from archlint.engine.manual import listed, pages, write_pages
    from archlint.engine.offers import Offer, offers_at
    from archlint.engine.planted import Planted
    from archlint.engine.trace import explain

_WHEN_ASKED_FOR = {
    "describe": "about",
    "listing": "about",
    "vocabulary": "about",
    "ExampleResult": "examples",
    "Planted": "planted",
    "run_examples": "examples",
    "explain": "trace",
    "Offer": "offers",
    "offers_at": "offers",
    "listed": "manual",
    "pages": "manual",
    "write_pages": "manual",
}
"""Name → module that is imported when the name is first used; linting needs none of them."""


def __getattr__(name: str) -> object:
    if name not in _WHEN_ASKED_FOR:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHEN_ASKED_FOR[name]}"), name)


__all__ = [
    "Example",
    "ExampleResult",
    "Offer",
    "Option",
    "Outcome",
    "Place",
    "Planted",
    "Rule",
    "RuleSet",
    "Tally",
    "builtin_folder",
    "check_options",
    "describe",
    "explain",
    "find",
    "judge",
    "listed",
    "listing",
    "load",
    "offers_at",
    "option_in",
    "outcome",
    "pages",
    "run",
    "run_examples",
    "selection",
    "vocabulary",
    "with_levels",
    "write_pages",
]
