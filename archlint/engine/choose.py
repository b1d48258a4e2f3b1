"""Which rules take part, and with which options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from archlint.engine.rule import Option, Rule, RuleSet
from archlint.engine.scene import suggest
from archlint.errors import UsageError
from archlint.graph import Attr


def selection(
    rules: RuleSet, select: Sequence[str] = (), ignore: Sequence[str] = (), extend: Sequence[str] = ()
) -> RuleSet:
    """The rules that take part. Words are rule names, families, or globs over rule names ("flatten-*").

    Without ``select`` all rules that are on by default take part; naming an opt-in rule selects it, and so
    does its family or "all". ``extend`` adds to that, ``ignore`` takes away.

    Raises: UsageError: a word that names no rule.
    """
    chosen = (
        {rule.name for rule in rules if rule.default}
        if not select
        else {name for word in select for name in _named(rules, word)}
    )
    added = {name for word in extend for name in _named(rules, word)}
    dropped = {name for word in ignore for name in _named(rules, word)}
    return RuleSet(tuple(rule for rule in rules if rule.name in (chosen | added) - dropped))


def with_levels(rules: RuleSet, levels: Mapping[str, str]) -> RuleSet:
    """The rules with other severities: rule name → the only one that it then reports.

    Raises: UsageError: there is no such rule.
    """
    for name in levels:
        find(rules, name)
    return RuleSet(
        tuple(replace(rule, level=levels[rule.name]) if rule.name in levels else rule for rule in rules)
    )


def option_in(rules: RuleSet, text: str) -> tuple[str, str, Attr]:
    """Rule, option and value of a ``RULE.NAME=VALUE``; a list is written with commas.

    Raises: UsageError: it is not of that form, or the rule has no such option.
    """
    place, equals, value = text.partition("=")
    name, dot, key = place.strip().rpartition(".")
    if not (equals and dot and name and key):
        raise UsageError(f"an option is written RULE.NAME=VALUE, not '{text}'")
    rule = find(rules, name)
    option = rule.options.get(key)
    if option is None:
        raise UsageError(f"rule '{name}' has no option '{key}'{meant(key, rule.options)}")
    try:
        return name, key, _READ[option.type](value.strip())
    except (ValueError, KeyError) as error:
        raise UsageError(
            f"option '{key}' of rule '{name}' is of type {option.type}, not '{value}'"
        ) from error


_READ: Mapping[str, Callable[[str], Attr]] = {
    "int": int,
    "float": float,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "str": str,
    "list": lambda text: tuple(word.strip() for word in text.split(",") if word.strip()),
}
"""Type of an option → how its value is read from the command line."""


def find(rules: RuleSet, name: str) -> Rule:
    """The rule of that name.

    Raises: UsageError: there is none; says which is meant.
    """
    rule = rules.by_name.get(name)
    if rule is None:
        raise UsageError(f"there is no rule '{name}'{meant(name, rules.by_name)}")
    return rule


def check_options(
    rules: RuleSet, options: Mapping[str, Mapping[str, Attr]]
) -> Mapping[str, Mapping[str, Attr]]:
    """Rule name → all of its option values: the given ones, and defaults for the rest.

    Raises: UsageError: an unknown rule or option, a wrong type, a value out of bounds.
    """
    for name, given in options.items():
        rule = find(rules, name)
        for key, value in given.items():
            option = rule.options.get(key)
            if option is None:
                raise UsageError(f"rule '{name}' has no option '{key}'{meant(key, rule.options)}")
            problem = option_problem(option, value)
            if problem:
                raise UsageError(f"option '{key}' of rule '{name}' {problem}")
    return {name: option_values(rules.by_name[name], given) for name, given in options.items()}


def option_values(rule: Rule, given: Mapping[str, Attr]) -> Mapping[str, Attr]:
    """All option values of a rule; ``given`` over defaults."""
    values = {name: option.default for name, option in rule.options.items()}
    values.update({name: tuple(v) if isinstance(v, list) else v for name, v in given.items()})
    return values


_TYPES: Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "str": (str,),
    "list": (list, tuple),
}


def option_problem(option: Option, value: object) -> str | None:
    """What is wrong with a value for an option, as the end of a sentence; None if nothing is.

    None is a value of every option whose default is none: "not set".
    """
    if value is None and option.default is None:
        return None
    wrong_bool = isinstance(value, bool) and option.type != "bool"
    if wrong_bool or not isinstance(value, _TYPES[option.type]):
        return f"is {value!r}, which is not of type {option.type}"
    if isinstance(value, int | float):
        if option.min is not None and value < option.min:
            return f"is {value}, below its minimum of {option.min:g}"
        if option.max is not None and value > option.max:
            return f"is {value}, above its maximum of {option.max:g}"
    return None


def meant(word: str, known: Iterable[str]) -> str:
    """A "; did you mean 'x'?" for a mistyped word, or nothing when nothing known is close."""
    advice = suggest(word, known)
    return f"; {advice}" if advice else ""


def _named(rules: RuleSet, word: str) -> set[str]:
    if word == "all":
        return set(rules.by_name)
    if any(char in word for char in "*?["):
        found = {rule.name for rule in rules if fnmatchcase(rule.name, word)}
    else:
        found = {rule.name for rule in rules if word in (rule.name, rule.family)}
    if not found:
        raise UsageError(
            f"no rule or family is named '{word}'{meant(word, (*rules.by_name, *rules.families))}"
        )
    return found
