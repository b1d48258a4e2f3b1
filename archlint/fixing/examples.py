"""The fixes of rules on their examples: ``fixed:`` is what has to come out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from archlint.engine import Example, ExampleResult, Planted, Rule, RuleSet, selection
from archlint.findings import Attempt
from archlint.fixing.loop import FAULT, Mended, Model, Wanted, mend
from archlint.graph import Graph, Node, render


def run_fixed(rules: RuleSet, results: Iterable[ExampleResult]) -> tuple[ExampleResult, ...]:
    """The results of the examples; those that hold fail here if the fixes of their rule do not.

    Every fix is tried on every model that its rule flags. It may refuse; but where the example says what
    comes out, just that has to, with the finding gone and none that is as bad in its place.
    """
    usual = selection(rules)
    return tuple(
        replace(result, problem=_problem(rules.by_name[result.rule], result.number, usual))
        if result.flag and result.number and result.problem is None
        else result
        for result in results
    )


def _problem(rule: Rule, number: int, usual: RuleSet) -> str | None:
    if not any(fix.use for fix in rule.body.fixes):
        return None
    example = rule.examples[number - 1]
    mended = fixed(rule, example, usual)
    fault = next((row for row in mended.attempts if (row.reason or "").startswith(FAULT)), None)
    if fault is not None:
        return f"the fix '{fault.fix.title}' failed: {fault.reason}"
    if example.fixed is None:
        return None
    if not any(attempt.reason is None for attempt in mended.attempts):
        return f"must be fixed, but {_refusals(mended.attempts)}"
    found, wanted = _said(mended.model.facts.graph), _said(example.fixed)
    if found == wanted:
        return None
    key = next(key for key in {**wanted, **found} if found.get(key) != wanted.get(key))
    text = render(replace(mended.model.facts.graph, declared={}))
    return f"the fixed model differs at {key}: {found.get(key)}, not {wanted.get(key)}; it is\n{text}"


def fixed(rule: Rule, example: Example, usual: RuleSet) -> Mended:
    """The model of an example after all fixes of its rule; the ``usual`` rules judge what they bring."""
    size = example.graph.metadata.get("size_bytes")
    planted = bool(example.weights) or "weights" in rule.requires
    stored = Planted(example.graph, example.weights)
    size_bytes = size if isinstance(size, int) else None
    # What made-up weights say of a head that nobody planted any for means nothing, and takes long.
    model = Model.of(example.graph, size_bytes, stored if planted else None, planted)
    both = RuleSet((rule, *(other for other in usual if other.name != rule.name)))
    options = {rule.name: example.options}
    return mend(model, Wanted(both, options, frozenset({rule.name}), retrain=True, inference=True))


def _refusals(attempts: Iterable[Attempt]) -> str:
    return (
        "; ".join(f"'{row.fix.title}' was not made: {row.reason}" for row in attempts) or "no fix is offered"
    )


def _said(graph: Graph) -> Mapping[str, object]:
    """What an example can say of a graph: its interface, its nodes, how many numbers their params hold."""
    nodes = {f"node {node.name}": _node(node) for node in graph.nodes}
    return {"its inputs": graph.inputs, "its outputs": graph.outputs, "training": graph.training, **nodes}


def _node(node: Node) -> object:
    params = tuple(sorted((param.role, param.size) for param in node.params))
    return node.op, node.inputs, node.outputs, dict(node.attrs), params
