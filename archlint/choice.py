"""What settings make of a set of rules: which of them take part, at which level, with which options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from functools import partial

from archlint.dataclass import dataclass
from archlint.engine import RuleSet, check_options, option_in, selection, with_levels
from archlint.errors import UsageError
from archlint.graph import Attr
from archlint.settings import Settings

Options = Mapping[str, Mapping[str, Attr]]
"""Rule name → option → value, for what is set."""


@dataclass(frozen=True)
class Choice:
    """The rules that take part in a run, and the options that are set for them."""

    rules: RuleSet
    options: Options = field(default_factory=dict)


def chosen(rules: RuleSet, settings: Settings, options: Sequence[str] = ()) -> Choice:
    """The choice among all rules; ``options`` are ``RULE.NAME=VALUE`` and win over settings.

    A target is the option ``target`` of every rule that has one.

    Raises: UsageError: something names no rule or no option, or a value is out of bounds; says where.
    """
    _names_hold(rules, settings)
    given: dict[str, dict[str, Attr]] = {name: dict(row) for name, row in settings.options.items()}
    for rule in rules if settings.target else ():
        if "target" in rule.options:
            given.setdefault(rule.name, {}).setdefault("target", settings.target)
    for text in options:
        name, key, value = option_in(rules, text)
        given.setdefault(name, {})[key] = value
    check_options(rules, given)
    taking = selection(rules, settings.select, settings.ignore, settings.extend_select)
    levels = {name: level for name, level in settings.severity.items() if name in taking.by_name}
    values = {name: row for name, row in given.items() if name in taking.by_name}
    return Choice(with_levels(taking, levels), values)


def _names_hold(rules: RuleSet, settings: Settings) -> None:
    """Raises UsageError, with the place in the settings file, if they name what does not exist."""
    lists = {"select": settings.select, "extend-select": settings.extend_select, "ignore": settings.ignore}
    questions: dict[tuple[str, ...], Callable[[], object]] = {
        (key,): partial(selection, rules, words) for key, words in lists.items()
    }
    for name, row in settings.options.items():
        questions["options", name] = partial(check_options, rules, {name: row})
    for name, level in settings.severity.items():
        questions["severity", name] = partial(with_levels, rules, {name: level})
    for keys, ask in questions.items():
        try:
            ask()
        except UsageError as error:
            at = settings.place(*keys) if keys[0] in settings.lines else ""
            raise UsageError(f"{at}: {error}" if at else str(error)) from error
