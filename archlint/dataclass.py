"""Dataclasses that are cheap to define: a method is made when it is first needed.

The standard library compiles up to eight functions for every class when its module is imported. For the 99
classes that linting one file imports that is a third of the whole run (measured); many are never made.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls=None, /, *, frozen=False, slots=False, eq=True):
        """``dataclasses.dataclass`` with these three options; ``fields`` and ``replace`` work as ever."""

        def define(cls):
            cls.__doc__ = cls.__doc__ or cls.__name__  # else the standard library works out a signature
            bare = dataclasses.dataclass(cls, init=False, repr=False, eq=False, slots=slots)
            _add_methods(bare, frozen, slots, eq)
            return bare

        return define if cls is None else define(cls)


def _add_methods(cls: type[Any], frozen: bool, slots: bool, eq: bool) -> None:
    own = vars(cls)
    found: dict[str, Any] = {"__init__": _first_init(cls, frozen)}
    if "__repr__" not in own:
        found["__repr__"] = _shown
    if eq and "__eq__" not in own:
        values = _values(cls)
        found["__eq__"] = _equality(values)
        found["__hash__"] = _hashing(values) if frozen else None
    if frozen:
        found["__setattr__"] = found["__delattr__"] = _refuse
    if frozen and slots:
        found["__setstate__"] = _restore
    for name, method in found.items():
        setattr(cls, name, method)


def _first_init(cls: type[Any], frozen: bool) -> Callable[..., None]:
    def __init__(self: Any, *args: Any, **named: Any) -> None:  # noqa: N807  # it becomes that method
        if self.__class__ is not cls and cls.__init__ is not __init__:
            cls.__init__(self, *args, **named)
            return
        cls.__init__ = _init(cls, frozen)
        cls.__init__(self, *args, **named)

    return __init__


def _init(cls: type[Any], frozen: bool) -> Callable[..., None]:
    """The method as one would write it by hand; what it is made of are names of fields in our own source."""
    given: dict[str, Any] = {"missing": MISSING, "put": object.__setattr__}
    heads, lines = ["self"], []
    for field in dataclasses.fields(cls):
        head, value = _parameter(field, given)
        heads.append(head)
        lines.append(f"put(self, {field.name!r}, {value})" if frozen else f"self.{field.name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    exec(f"def __init__({', '.join(heads)}):\n " + "\n ".join(lines or ["pass"]), given)
    found: Callable[..., None] = given["__init__"]
    return found


def _parameter(field: Field[Any], given: dict[str, Any]) -> tuple[str, str]:
    """A field as a parameter, and the value that it gets; defaults are added to ``given``."""
    default = f"default_{field.name}"
    if field.default is not MISSING:
        given[default] = field.default
        return f"{field.name}={default}", field.name
    if field.default_factory is not MISSING:
        given[default] = field.default_factory
        return f"{field.name}=missing", f"{default}() if {field.name} is missing else {field.name}"
    return field.name, field.name


def _values(cls: type[Any]) -> Callable[[Any], Any]:
    """All values of one object, as something that can be compared and hashed."""
    names = [field.name for field in dataclasses.fields(cls)]
    return attrgetter(*names) if names else lambda _: ()


def _equality(values: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    def __eq__(self: Any, other: Any) -> Any:  # noqa: N807  # it becomes that method
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    return __eq__


def _hashing(values: Callable[[Any], Any]) -> Callable[[Any], int]:
    def __hash__(self: Any) -> int:  # noqa: N807  # it becomes that method
        return hash(values(self))

    return __hash__


@recursive_repr()
def _shown(self: Any) -> str:
    rows = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self))
    return f"{self.__class__.__qualname__}({', '.join(rows)})"


def _refuse(self: Any, name: str, *_: object) -> None:
    raise FrozenInstanceError(f"cannot change '{name}'")


def _restore(self: Any, state: tuple[None, dict[str, Any]]) -> None:
    for name, value in state[1].items():
        object.__setattr__(self, name, value)
