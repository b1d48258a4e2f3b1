"""What an expression is once it is checked, and what it sees when it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from archlint.dataclass import dataclass
from archlint.engine.values import UNKNOWN, EvaluationError, Value
from archlint.graph import Node

if TYPE_CHECKING:
    from archlint.facts import Facts

MAX_STEPS = 100_000
"""Most list members that one evaluation may visit; the largest graphs tried have 100,000 nodes."""

Run = Callable[["Scene"], Value]
"""The closure of an expression."""

CONSTANTS: Mapping[str, Value] = {"true": True, "false": False, "none": None, "unknown": UNKNOWN}
"""Words of the rule language that stand for values."""


class ExprError(Exception):
    """What is wrong with an expression, at which characters of it, and what to write instead."""

    def __init__(self, what: str, at: int, length: int, advice: str = "") -> None:
        super().__init__(what)
        self.what, self.at, self.length, self.advice = what, at, length, advice


@dataclass(slots=True)
class Scene:
    """What an expression sees when it runs: bound nodes, named values, the model's facts.

    ``let`` values are worked out when first asked for. ``unknowns`` collects the facts that turned out to
    be unknown, for the sentence that says why a rule stayed silent.
    """

    facts: Facts
    nodes: Mapping[str, Node]
    values: dict[str, Value]
    options: Mapping[str, Value]
    let: Mapping[str, Expr] = field(default_factory=dict)
    unknowns: dict[str, None] = field(default_factory=dict)
    steps: int = 0

    def named(self, name: str) -> Value:
        """The value of a ``let``, a check or a loop variable."""
        if name not in self.values:
            self.values[name] = self.let[name].run(self)
        return self.values[name]

    def step(self) -> None:
        """Counts one visited list member.

        Raises: EvaluationError: there have been too many.
        """
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise EvaluationError(f"an expression visits more than {MAX_STEPS} values")


@dataclass(frozen=True, slots=True)
class Expr:
    """A checked expression: its text, what kind of value it gives, and the closure that works it out.

    ``reads`` are the facts and named values that it asks for outside of loops, with closures of their own.
    """

    text: str
    kind: str
    run: Run
    reads: tuple[tuple[str, Run], ...] = ()

    def evaluate(self, scene: Scene) -> Value:
        """Its value, with a fresh budget of steps."""
        scene.steps = 0
        return self.run(scene)


@dataclass(frozen=True)
class Names:
    """What an expression may mention: nodes with their ops (None: any), values and options with kinds."""

    nodes: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)

    def all(self) -> tuple[str, ...]:
        """Every name, for suggestions."""
        return (*self.nodes, *self.values, "model", "options", *CONSTANTS)


def suggest(word: str, known: Iterable[str]) -> str:
    """ "did you mean 'x'?", or "" when nothing known is close."""
    from difflib import get_close_matches

    close = get_close_matches(word, sorted(known), 1, 0.6)
    return f"did you mean '{close[0]}'?" if close else ""
