"""What a rule is once its file has been read and checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from functools import cached_property

from archlint.checks import Check
from archlint.dataclass import dataclass
from archlint.engine.scene import Expr
from archlint.engine.word import Template
from archlint.findings import Finding, Problem, Silence
from archlint.fixes import Rewrite
from archlint.graph import Attr, Graph


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of a rule: its type ("int", "float", "bool", "str", "list"), default, bounds and meaning."""

    name: str
    type: str
    default: Attr
    help: str
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """An input of a matched node: the name it comes from, the ops it may cross, and which input it is.

    ``source`` None stands for any producer. ``only`` asks that nothing else reads what flows along it.
    """

    source: str | None
    through: frozenset[str] = frozenset()
    slot: int | None = None
    only: bool = False


@dataclass(frozen=True, slots=True)
class Pattern:
    """One named node of a match: its ops, settings that it must have, and where its inputs come from."""

    name: str
    ops: frozenset[str]
    attrs: Mapping[str, Attr] = field(default_factory=dict)
    edges: tuple[Edge, ...] = ()


@dataclass(frozen=True, slots=True)
class SeverityCase:
    """A severity and the condition under which it holds; None holds always."""

    severity: str
    when: Expr | None = None


@dataclass(frozen=True, slots=True)
class FixIdea:
    """A change that a finding may propose: its words, its level, and when it applies.

    ``use`` is the rewrite that carries it out, None if there is none; ``given`` says for each node and
    value that the rewrite asks for by name where it comes from.
    """

    title: Template
    level: str
    when: Expr | None = None
    use: Rewrite | None = None
    given: Mapping[str, Expr] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Together:
    """How several places of one model are said in one finding: its words, what is added up, its fixes."""

    message: Template
    sum: tuple[str, ...] = ()
    fixes: tuple[FixIdea, ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """A model in the text notation that the rule must flag, or must pass, and what it must say.

    ``fixed`` is the model after the fixes of the rule, None where the example does not say it.
    """

    flag: bool
    text: str
    graph: Graph
    at: tuple[str, ...] = ()
    message: tuple[str, ...] = ()
    fixes: tuple[str, ...] = ()
    severity: str | None = None
    count: int | None = None
    options: Mapping[str, Attr] = field(default_factory=dict)
    weights: Mapping[str, object] = field(default_factory=dict)
    fixed: Graph | None = None

    @property
    def shown(self) -> str:
        """The model as text, with a comment for each param whose contents the example states."""
        planted = (f"# {name} holds {_said(value)}\n" for name, value in self.weights.items())
        return self.text.rstrip() + "\n" + "".join(planted)


def _said(value: object) -> str:
    if isinstance(value, list):
        return ", ".join("…" if item is None else str(item) for item in value) + " in its units"
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return str(value)


@dataclass(frozen=True, slots=True)
class Body:
    """What a rule asks of a place that it has found, and what it says of it."""

    summary: str
    severity: tuple[SeverityCase, ...]
    confidence: str
    message: Template
    why: str
    when_to_ignore: str
    sources: tuple[str, ...]
    let: Mapping[str, Expr]
    where: tuple[Expr, ...]
    at: str | None
    related: tuple[tuple[str, Template], ...]
    fixes: tuple[FixIdea, ...]
    together: Together | None
    cost: Expr | None


@dataclass(frozen=True)
class Rule:
    """One rule: when it applies, and where it looks. ``name`` and ``family`` come from its file's place.

    ``level`` is the only severity that it reports, when settings say so.
    """

    name: str
    family: str
    path: str
    options: Mapping[str, Option]
    match: tuple[Pattern, ...]
    absent: tuple[Pattern, ...]
    check_name: str | None
    settings: Mapping[str, Expr]
    formats: tuple[str, ...]
    requires: tuple[str, ...]
    default: bool
    yields_to: tuple[str, ...]
    find_check: Callable[[str], Check]
    read_body: Callable[[Rule], Body]
    read_examples: Callable[[Rule], tuple[Example, ...]]
    level: str | None = None

    @cached_property
    def check(self) -> Check | None:
        """The check that says where it holds, imported when first asked for."""
        return None if self.check_name is None else self.find_check(self.check_name)

    @cached_property
    def body(self) -> Body:
        """Its conditions and words; read from the file when first asked for.

        Raises: RuleError: they do not hold.
        """
        return self.read_body(self)

    @cached_property
    def examples(self) -> tuple[Example, ...]:
        """Its examples; read from the file when first asked for.

        Raises: RuleError: the examples are malformed.
        """
        return self.read_examples(self)

    @property
    def severities(self) -> tuple[str, ...]:
        """The severities that it can report, in the order in which its conditions are tried."""
        cases = (self.level,) if self.level else (case.severity for case in self.body.severity)
        return tuple(dict.fromkeys(cases))


@dataclass(frozen=True)
class RuleSet:
    """Rules in the order of their families and names. Names are unique."""

    rules: tuple[Rule, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Rule]:
        """Rule name → rule."""
        return {rule.name: rule for rule in self.rules}

    @cached_property
    def families(self) -> tuple[str, ...]:
        """Names of the families, sorted."""
        return tuple(sorted({rule.family for rule in self.rules}))

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def __len__(self) -> int:
        return len(self.rules)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What rules said about one graph. ``crashes`` are faults of rules themselves: where and what."""

    findings: tuple[Finding, ...] = ()
    silences: tuple[Silence, ...] = ()
    crashes: tuple[Problem, ...] = ()
