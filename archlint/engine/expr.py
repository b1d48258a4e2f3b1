"""Expressions of rules: a small subset of Python, checked when loaded, run as closures, never eval'd."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping

from archlint.engine.functions import FUNCTIONS, Function
from archlint.engine.scene import CONSTANTS, Expr, ExprError, Names, Run, Scene, suggest
from archlint.engine.terms import (
    MODEL_FACTS,
    NODE_FACTS,
    SETTING_FACTS,
    attribute,
    attributes_of,
)
from archlint.engine.values import (
    UNKNOWN,
    EvaluationError,
    Value,
    arithmetic,
    compare,
    contains,
    equal,
    every,
    items,
    negation,
    number,
    show,
    some,
    truth,
)
from archlint.graph import Node, Setting

MAX_LENGTH = 1_000
"""Most characters of one expression."""
MAX_DEPTH = 60
"""Deepest nesting of one expression."""

_DOTTED = re.compile(r"([a-z][a-z0-9_]*)(?:\.([a-z][a-z0-9_]*))?")
_MEMBERS = {"nodes": "node", "settings": "setting", "shape": "number"}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Value, Value], Value]] = {
    ast.Eq: equal,
    ast.NotEq: lambda a, b: negation(equal(a, b)),
    ast.Lt: lambda a, b: compare(operator.lt, a, b),
    ast.LtE: lambda a, b: compare(operator.le, a, b),
    ast.Gt: lambda a, b: compare(operator.gt, a, b),
    ast.GtE: lambda a, b: compare(operator.ge, a, b),
    ast.In: contains,
    ast.NotIn: lambda a, b: negation(contains(a, b)),
    ast.Is: equal,
    ast.IsNot: lambda a, b: negation(equal(a, b)),
}
_ARITHMETIC: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def compile_expr(text: str, names: Names) -> Expr:
    """The expression as a closure.

    Raises: ExprError: it is not in the subset, or mentions what does not exist.
    """
    dotted = _DOTTED.fullmatch(text)
    if dotted and dotted[1] not in CONSTANTS:
        compiler = _Compiler(text, names)
        kind, run = compiler.name(dotted[1], 0)
        if dotted[2]:
            kind, run = compiler.attribute(dotted[1], kind, run, dotted[2], len(dotted[1]) + 1)
        return Expr(text, kind, compiler.finished(kind, run, text), tuple(compiler.reads.items()))
    if len(text) > MAX_LENGTH:
        raise ExprError(f"an expression has at most {MAX_LENGTH} characters, this one {len(text)}", 0, 1)
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        at = (getattr(error, "offset", 1) or 1) - 1
        raise ExprError(f"this is not an expression: {error.args[0]}", at, 1) from error
    compiler = _Compiler(text, names)
    kind, run = compiler.compile(tree)
    return Expr(text, kind, compiler.finished(kind, run, text), tuple(compiler.reads.items()))


Compiled = tuple[str, Run]


class _Compiler:
    """Walks one syntax tree; every method gives the kind of value and the closure."""

    def __init__(self, text: str, names: Names) -> None:
        self.text = text
        self.names = names
        self.locals: dict[str, str] = {}
        self.reads: dict[str, Run] = {}
        self.depth = 0

    def finished(self, kind: str, run: Run, text: str) -> Run:
        """The closure of a whole expression; "model" and "options" are no values of their own."""
        if kind in ("model", "options"):
            raise ExprError(f"'{text}' is not a value by itself; say {text}.<name>", 0, len(text))
        return run

    def problem(self, node: ast.AST, what: str, advice: str = "") -> ExprError:
        start = getattr(node, "col_offset", 0)
        end = getattr(node, "end_col_offset", start + 1)
        if getattr(node, "lineno", 1) > 1:
            start, end = 0, 1
        return ExprError(what, start, max(1, end - start), advice)

    def compile(self, node: ast.expr) -> Compiled:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.problem(node, f"an expression nests at most {MAX_DEPTH} deep")
        method = _FORMS.get(type(node))
        if method is None:
            raise self.problem(node, f"{_FORM_NAMES.get(type(node), 'this form')} cannot be used in a rule")
        result = method(self, node)
        self.depth -= 1
        return result

    def value(self, node: ast.expr) -> Run:
        kind, run = self.compile(node)
        return self.finished(kind, run, kind)

    def constant(self, node: ast.Constant) -> Compiled:
        value = node.value
        if isinstance(value, bool) or value is None:
            return ("bool" if isinstance(value, bool) else "none"), lambda _: value
        if isinstance(value, int | float):
            return "number", lambda _: value
        if isinstance(value, str):
            return "text", lambda _: value
        raise self.problem(node, f"{value!r} cannot be used in a rule")

    def name_node(self, node: ast.Name) -> Compiled:
        return self.name(node.id, node.col_offset)

    def name(self, name: str, at: int) -> Compiled:
        names = self.names
        if name in self.locals:
            return self.locals[name], lambda scene: scene.named(name)
        if name in names.values:
            return names.values[name], self._read(name, lambda scene: scene.named(name))
        if name in names.nodes:
            return "node", lambda scene: scene.nodes[name]
        if name in CONSTANTS:
            value = CONSTANTS[name]
            return "any", lambda _: value
        if name in ("model", "options"):
            return name, lambda _: None
        known = (*names.all(), *self.locals)
        raise ExprError(f"unknown name '{name}'", at, len(name), suggest(name, known))

    def attribute_node(self, node: ast.Attribute) -> Compiled:
        kind, run = self.compile(node.value)
        label = ast.get_source_segment(self.text, node.value) or ""
        at = (node.end_col_offset or 0) - len(node.attr)
        return self.attribute(label, kind, run, node.attr, at)

    def attribute(self, label: str, kind: str, run: Run, name: str, at: int) -> Compiled:
        if kind == "options":
            if name not in self.names.options:
                what = f"this rule has no option '{name}'"
                raise ExprError(what, at, len(name), suggest(name, self.names.options))
            return self.names.options[name], self._read(f"options.{name}", lambda scene: scene.options[name])
        if kind == "model":
            return self._fact(label, name, at)
        if kind == "setting":
            return self._setting(label, run, name, at)
        if kind != "node":
            raise ExprError(f"'{label}' is {_article(kind)} and has no facts", at, len(name))
        return self._node_fact(label, run, name, at)

    def _fact(self, label: str, name: str, at: int) -> Compiled:
        fact = MODEL_FACTS.get(name)
        if fact is None:
            raise ExprError(f"'{label}' has no fact '{name}'", at, len(name), suggest(name, MODEL_FACTS))
        get = fact.get
        run = self._read(f"{label}.{name}", lambda scene: _noted(scene, get(scene.facts), label, name))
        return fact.kind, run

    def _setting(self, label: str, run: Run, name: str, at: int) -> Compiled:
        fact = SETTING_FACTS.get(name)
        if fact is None:
            raise ExprError(f"'{label}' has no fact '{name}'", at, len(name), suggest(name, SETTING_FACTS))
        get = fact.get

        def call(scene: Scene) -> Value:
            setting = run(scene)
            if not isinstance(setting, Setting):
                return UNKNOWN if setting is UNKNOWN else None
            return _noted(scene, get(setting), label, name)

        return fact.kind, self._read(f"{label}.{name}", call)

    def _read(self, label: str, run: Run) -> Run:
        """The closure itself, noted as something that the expression asks for."""
        if not self.locals:
            self.reads[label] = run
        return run

    def _node_fact(self, label: str, run: Run, name: str, at: int) -> Compiled:
        fact = NODE_FACTS.get(name)
        ops = self.names.nodes.get(label) if label not in self.locals else None
        if fact is None and name not in attributes_of(ops):
            known = (*NODE_FACTS, *attributes_of(ops))
            advice = suggest(name, known)
            if ops is not None and name in attributes_of(None):
                advice = f"it is a setting of other ops, not of {', '.join(sorted(ops)[:4])}"
            raise ExprError(f"'{label}' has no fact '{name}'", at, len(name), advice)
        get = fact.get if fact else attribute(name)

        def call(scene: Scene) -> Value:
            node = run(scene)
            if not isinstance(node, Node):
                return UNKNOWN if node is UNKNOWN else None
            return _noted(scene, get(scene.facts, node), label, name)

        return (fact.kind if fact else "any"), self._read(f"{label}.{name}", call)

    def subscript(self, node: ast.Subscript) -> Compiled:
        kind, run = self.compile(node.value)
        if isinstance(node.slice, ast.Slice):
            bounds = [self.value(b) if b else None for b in (node.slice.lower, node.slice.upper)]
            if node.slice.step is not None:
                raise self.problem(node.slice.step, "a slice has no step in a rule")
            return kind, lambda scene: _part(run(scene), [b(scene) if b else None for b in bounds])
        index = self.value(node.slice)
        return _MEMBERS.get(kind, "any"), lambda scene: _item(run(scene), index(scene))

    def binary(self, node: ast.BinOp) -> Compiled:
        how = _ARITHMETIC.get(type(node.op))
        if how is None:
            raise self.problem(node, "only + - * / // % can be used in a rule")
        left, right = self.value(node.left), self.value(node.right)
        return "number", lambda scene: arithmetic(how, left(scene), right(scene))

    def unary(self, node: ast.UnaryOp) -> Compiled:
        run = self.value(node.operand)
        if isinstance(node.op, ast.Not):
            return "bool", lambda scene: negation(run(scene))
        if isinstance(node.op, ast.USub):
            return "number", lambda scene: arithmetic(operator.sub, 0, run(scene))
        raise self.problem(node, "only 'not' and '-' can stand before a value")

    def boolean(self, node: ast.BoolOp) -> Compiled:
        runs = [self.value(one) for one in node.values]
        combine = every if isinstance(node.op, ast.And) else some
        return "bool", lambda scene: combine(run(scene) for run in runs)

    def comparison(self, node: ast.Compare) -> Compiled:
        runs = [self.value(one) for one in (node.left, *node.comparators)]
        steps = list(zip((_COMPARISONS[type(op)] for op in node.ops), runs, runs[1:], strict=False))
        if len(steps) == 1:
            how, left, right = steps[0]
            return "bool", lambda scene: how(left(scene), right(scene))
        return "bool", lambda scene: every(how(a(scene), b(scene)) for how, a, b in steps)

    def choice(self, node: ast.IfExp) -> Compiled:
        test = self.value(node.test)
        (kind, yes), (other, no) = self.compile(node.body), self.compile(node.orelse)

        def call(scene: Scene) -> Value:
            known = truth(test(scene))
            return UNKNOWN if known is UNKNOWN else yes(scene) if known else no(scene)

        return kind if kind == other else "any", call

    def sequence(self, node: ast.List | ast.Tuple) -> Compiled:
        runs = [self.value(one) for one in node.elts]
        return "list", lambda scene: tuple(run(scene) for run in runs)

    def loop(self, node: ast.GeneratorExp | ast.ListComp) -> Compiled:
        if len(node.generators) != 1:
            raise self.problem(node, "a list has one 'for' in a rule")
        part = node.generators[0]
        kind, source = self.compile(part.iter)
        names = self._targets(part.target)
        before = dict(self.locals)
        member = _MEMBERS.get(kind, "any") if len(names) == 1 else "any"
        self.locals.update(dict.fromkeys(names, member))
        tests = [self.value(test) for test in part.ifs]
        member_kind, element = self.compile(node.elt)
        self.locals = before
        plural = next((many for many, one in _MEMBERS.items() if one == member_kind), "list")
        return plural if plural in ("nodes", "settings") else "list", _loop(names, source, tests, element)

    def _targets(self, target: ast.expr) -> tuple[str, ...]:
        parts = target.elts if isinstance(target, ast.Tuple) else [target]
        found = tuple(part.id for part in parts if isinstance(part, ast.Name))
        if len(found) != len(parts):
            raise self.problem(target, "a loop variable is a plain name")
        for name in found:
            if name in self.names.all() or name in self.locals:
                raise self.problem(target, f"the loop variable '{name}' hides another name")
        return found

    def call(self, node: ast.Call) -> Compiled:
        if not isinstance(node.func, ast.Name):
            raise self.problem(node.func, "only functions of the rule language can be called")
        function = FUNCTIONS.get(node.func.id)
        if function is None:
            advice = suggest(node.func.id, FUNCTIONS)
            raise self.problem(node.func, f"there is no function '{node.func.id}'", advice)
        if node.keywords or not function.least <= len(node.args) <= function.most:
            raise self.problem(node, f"'{node.func.id}' is called as {function.usage}")
        runs = [self.value(one) for one in node.args]
        return function.kind, lambda scene: _call(function, [run(scene) for run in runs])


def _call(function: Function, values: list[Value]) -> Value:
    if function.strict and any(value is UNKNOWN for value in values):
        return UNKNOWN
    return function.call(*values)


def _loop(names: tuple[str, ...], source: Run, tests: list[Run], element: Run) -> Run:
    def call(scene: Scene) -> Value:
        many = source(scene)
        if many is UNKNOWN:
            return UNKNOWN
        found: list[Value] = []
        for item in items(many):
            scene.step()
            parts = (item,) if len(names) == 1 else items(item)
            if len(parts) != len(names):
                raise EvaluationError(f"{show(item)} has {len(parts)} members, {len(names)} were expected")
            scene.values.update(zip(names, parts, strict=True))
            kept = every(test(scene) for test in tests)
            if kept is UNKNOWN:
                return UNKNOWN
            if kept:
                found.append(element(scene))
        for name in names:
            scene.values.pop(name, None)
        return tuple(found)

    return call


def _item(many: Value, index: Value) -> Value:
    if many is UNKNOWN or index is UNKNOWN or many is None:
        return UNKNOWN
    found, at = items(many), int(number(index))
    return found[at] if -len(found) <= at < len(found) else UNKNOWN


def _part(many: Value, bounds: list[Value]) -> Value:
    if many is UNKNOWN or any(bound is UNKNOWN for bound in bounds):
        return UNKNOWN
    first, last = (None if bound is None else int(number(bound)) for bound in bounds)
    return items(many)[first:last]


def _noted(scene: Scene, value: Value, label: str, name: str) -> Value:
    if value is UNKNOWN:
        scene.unknowns[f"{label}.{name}"] = None
    return value


def _article(kind: str) -> str:
    return f"{'an' if kind == 'any' else 'a'} {kind} value" if kind != "nodes" else "a list of nodes"


_FORMS: Mapping[type[ast.expr], Callable[..., Compiled]] = {
    ast.Constant: _Compiler.constant,
    ast.Name: _Compiler.name_node,
    ast.Attribute: _Compiler.attribute_node,
    ast.Subscript: _Compiler.subscript,
    ast.BinOp: _Compiler.binary,
    ast.UnaryOp: _Compiler.unary,
    ast.BoolOp: _Compiler.boolean,
    ast.Compare: _Compiler.comparison,
    ast.IfExp: _Compiler.choice,
    ast.List: _Compiler.sequence,
    ast.Tuple: _Compiler.sequence,
    ast.GeneratorExp: _Compiler.loop,
    ast.ListComp: _Compiler.loop,
    ast.Call: _Compiler.call,
}
_FORM_NAMES: Mapping[type[ast.expr], str] = {
    ast.Lambda: "a lambda",
    ast.NamedExpr: "':='",
    ast.JoinedStr: "an f-string",
    ast.Dict: "a dictionary",
    ast.Set: "a set",
    ast.Await: "await",
    ast.Starred: "'*'",
}
