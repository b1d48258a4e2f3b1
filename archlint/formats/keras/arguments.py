"""Arguments of a layer call in a functional config, in each of the dialects that Keras has written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field

from archlint.dataclass import dataclass
from archlint.formats.keras.call import MAX_ARG_DEPTH, Arg
from archlint.formats.keras.raw import Raw
from archlint.graph import Shape


@dataclass(frozen=True, slots=True)
class Ref:
    """An output of an earlier call: layer name, which call, which output, and the stated type."""

    layer: str
    call: int
    output: int
    legacy: bool = False
    dtype: str | None = None
    shape: Shape = None


@dataclass(frozen=True, slots=True)
class CallArgs:
    """Arguments of one call; values are ``Ref`` where an earlier call made them."""

    args: tuple[Arg, ...] = ()
    kwargs: Mapping[str, Arg] = field(default_factory=dict)

    def refs(self) -> Iterator[Ref]:
        """Every reference among the arguments."""
        yield from refs_in([*self.args, *self.kwargs.values()])


def refs_in(arg: Arg) -> Iterator[Ref]:
    """Every reference in an argument, in the order in which Keras flattens it (dicts by sorted key)."""
    if isinstance(arg, Ref):
        yield arg
    elif isinstance(arg, dict):
        for key in sorted(arg, key=str):
            yield from refs_in(arg[key])
    elif isinstance(arg, list | tuple):
        for item in arg:
            yield from refs_in(item)
    elif isinstance(arg, slice):
        yield from refs_in([arg.start, arg.stop, arg.step])


def call_args(raw: Raw) -> CallArgs:
    """The arguments of one entry of ``inbound_nodes``.

    Keras 3 writes ``{"args": …, "kwargs": …}``; Keras 1 and 2 a list of ``[layer, call, output, kwargs]``,
    or a single such entry, or an object of them.
    """
    if isinstance(raw.value, dict) and ("args" in raw or "kwargs" in raw):
        args = tuple(parse_arg(item) for item in raw["args"].items())
        return CallArgs(args, {key: parse_arg(item) for key, item in raw["kwargs"].members()})
    kwargs: dict[str, Arg] = {}
    return CallArgs((_legacy(raw, kwargs, 0),), kwargs)


def _legacy(raw: Raw, kwargs: dict[str, Arg], depth: int) -> Arg:
    if depth > MAX_ARG_DEPTH:
        raise raw.error("the arguments are nested deeper than those of any model")
    if isinstance(raw.value, dict):
        return {key: _legacy(item, kwargs, depth + 1) for key, item in raw.members()}
    if not isinstance(raw.value, list):
        raise raw.bad("[layer, call, output]")
    if raw.value and isinstance(raw.value[0], str):
        if len(raw.value) > 3:
            kwargs.update((key, parse_arg(item, legacy=True)) for key, item in raw.at(3).members())
        if raw.value[0] == "_CONSTANT_VALUE":
            return parse_arg(raw.at(2), legacy=True)
        return reference(raw, legacy=True)
    found = [_legacy(item, kwargs, depth + 1) for item in raw.items()]
    return found[0] if len(found) == 1 and depth == 0 else found


def reference(raw: Raw, legacy: bool = False) -> Ref:
    """``[layer, call, output]``."""
    return Ref(raw.at(0).text(), raw.at(1).int(low=0), raw.at(2).int(low=0), legacy)


def structure(raw: Raw, depth: int = 0) -> Arg:
    """``input_layers`` or ``output_layers``: one reference, or lists and objects of them."""
    if depth > MAX_ARG_DEPTH:
        raise raw.error("the outputs are nested deeper than those of any model")
    if isinstance(raw.value, dict):
        return {key: structure(item, depth + 1) for key, item in raw.members()}
    if isinstance(raw.value, list) and len(raw.value) >= 3 and isinstance(raw.value[0], str):
        return reference(raw)
    return [structure(item, depth + 1) for item in raw.items()]


def parse_arg(raw: Raw, depth: int = 0, legacy: bool = False) -> Arg:
    """An argument with ``Ref`` in place of tensors, and slices, ellipses and arrays as Python values."""
    if depth > MAX_ARG_DEPTH:
        raise raw.error("the arguments are nested deeper than those of any model")
    value = raw.value
    if isinstance(value, list):
        if legacy and len(value) == 3 and _is_history(value):
            return reference(raw, legacy=True)
        if all(not isinstance(item, list | dict) for item in value):
            return list(value)
        return [parse_arg(item, depth + 1, legacy) for item in raw.items()]
    if not isinstance(value, dict):
        return value
    special = value.get("class_name")
    if isinstance(special, str) and special in _SPECIAL:
        return _special(special, raw, depth)
    return {key: parse_arg(item, depth + 1, legacy) for key, item in raw.members()}


def _is_history(value: list[object]) -> bool:
    return isinstance(value[0], str) and all(type(item) is int for item in value[1:])


_SPECIAL = frozenset(
    {"__keras_tensor__", "__tensor__", "__numpy__", "__slice__", "__ellipsis__", "__tuple__", "TensorShape"}
)


def _special(kind: str, raw: Raw, depth: int) -> Arg:
    config = raw["config"]
    if kind == "__keras_tensor__":
        return _keras_tensor(config)
    if kind == "__slice__":
        ends = (parse_arg(config[key], depth + 1) for key in ("start", "stop", "step"))
        return slice(*ends)
    if kind == "__ellipsis__":
        return ...
    if kind in ("__tensor__", "__numpy__"):
        return parse_arg(config["value"], depth + 1)
    items = raw["items"] if kind == "__tuple__" else config
    return [parse_arg(item, depth + 1) for item in items.items()]


def _keras_tensor(config: Raw) -> Arg:
    history = config["keras_history"]
    dtype = config["dtype"].value
    if history.is_null:
        return None
    found = reference(history)
    kind = dtype if isinstance(dtype, str) else None
    return Ref(found.layer, found.call, found.output, False, kind, config["shape"].shape())
