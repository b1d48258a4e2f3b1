"""Our dataclass does what the standard library's does."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, field

import pytest

from archlint.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """One with a default and a made default."""

    x: int
    y: int = 2
    more: list[int] = field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs:
    """The same, by the standard library."""

    x: int
    y: int = 2
    more: list[int] = field(default_factory=list)


def test_arguments_and_defaults_are_taken_as_they_are_there():
    assert dataclasses.astuple(Theirs(1, more=[3])) == dataclasses.astuple(Point(1, more=[3]))


def test_a_made_default_is_made_for_each_object():
    assert Point(1).more is not Point(1).more


@pytest.mark.parametrize("arguments", [{}, {"x": 1, "z": 2}])
def test_wrong_arguments_raise_a_type_error(arguments):
    with pytest.raises(TypeError):
        Point(**arguments)


def test_it_looks_the_same():
    assert repr(Theirs(1)).replace("Theirs", "Point") == repr(Point(1))


def test_equal_values_are_equal_and_others_are_not():
    assert (True, False, False) == (Point(1) == Point(1), Point(1) == Point(2), Point(1) == Theirs(1))


def test_frozen_objects_hash_by_their_values():
    @dataclass(frozen=True, slots=True)
    class Pair:
        a: int
        b: str

    assert 1 == len({Pair(1, "b"), Pair(1, "b")})


def test_open_objects_have_no_hash_and_can_be_changed():
    @dataclass(slots=True)
    class Open:
        x: int

    one = Open(1)
    one.x = 2
    assert 2 == one.x
    with pytest.raises(TypeError):
        hash(one)


def test_without_eq_objects_are_told_apart():
    @dataclass(eq=False, slots=True)
    class Thing:
        x: int

    assert Thing(1) != Thing(1)


def test_frozen_objects_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Point(1).x = 2
    with pytest.raises(FrozenInstanceError):
        del Point(1).x


def test_replace_and_copies_work():
    assert Point(3, 2, [4]) == dataclasses.replace(Point(1, 2, [4]), x=3)
    assert Point(1, 2, [4]) == copy.deepcopy(Point(1, 2, [4])) == pickle.loads(pickle.dumps(Point(1, 2, [4])))


def test_post_init_is_called():
    @dataclass(frozen=True)
    class Checked:
        x: int

        def __post_init__(self) -> None:
            if self.x < 0:
                raise ValueError("below")

    with pytest.raises(ValueError, match="below"):
        Checked(-1)


def test_a_method_of_the_class_itself_stays():
    @dataclass(frozen=True)
    class Named:
        x: int

        def __repr__(self) -> str:
            return "named"

    assert "named" == repr(Named(1))


def test_defining_one_compiles_nothing(monkeypatch):
    compiled = []
    monkeypatch.setattr("builtins.exec", lambda *arguments: compiled.append(arguments))

    @dataclass(frozen=True, slots=True)
    class Unused:
        x: int

    assert [] == compiled
