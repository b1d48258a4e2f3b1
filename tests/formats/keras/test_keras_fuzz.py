"""Whatever a config holds, reading it gives a valid graph or a ReadError, nothing else."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archlint.errors import ReadError
from archlint.formats.base import ModelFile
from archlint.formats.keras import read
from archlint.graph import parse, render, validate

FIXTURES = Path(__file__).parents[2] / "fixtures" / "keras"
CONFIGS = {str(path.relative_to(FIXTURES)): json.loads(path.read_text()) for path in FIXTURES.rglob("*.json")}

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 5),
    st.sampled_from([-(10**30), 10**30, 2**63, 0.5, -1.0, 1e308, float("inf"), float("nan")]),
    st.sampled_from(["", "x", "relu", "Custom>Foo", "same", "channels_first", "conv", "__keras_tensor__"]),
    st.sampled_from(["\ud800", "a b", "a\nb", "a/b", "_", "12", "true", "é\u2028"]),
    st.lists(st.integers(-1, 3), max_size=4),
    st.just({}),
    st.just([[]]),
    st.just([["conv", 0, 0]]),
    st.just({"class_name": "Dense", "config": {"units": 3}}),
    st.just({"class_name": "__slice__", "config": {"start": None, "stop": "x", "step": 0}}),
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += _places(item, (*path, key))
    return found


PLACES = {name: _places(config) for name, config in CONFIGS.items()}


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


@st.composite
def broken_configs(draw: st.DrawFn) -> Any:
    name = draw(st.sampled_from(sorted(CONFIGS)))
    config = copy.deepcopy(CONFIGS[name])
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(PLACES[name]))
        try:
            holder = _at(config, path[:-1])
            other = _at(CONFIGS[name], draw(st.sampled_from(PLACES[name])))
            kind = draw(st.sampled_from(["drop", "junk", "move"]))
            if kind == "drop":
                del holder[path[-1]]
            else:
                holder[path[-1]] = copy.deepcopy(draw(JUNK) if kind == "junk" else other)
        except (KeyError, IndexError, TypeError):
            continue
    return config


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_the_configs_that_are_mutated_can_be_read(name: str, tmp_path: Path) -> None:
    assert _read(CONFIGS[name], tmp_path) == ""


@settings(max_examples=400, deadline=5000, suppress_health_check=list(HealthCheck))
@given(broken_configs())
def test_a_broken_config_is_a_graph_or_a_read_error(
    tmp_path_factory: pytest.TempPathFactory, config: Any
) -> None:
    assert "Traceback" not in _read(config, tmp_path_factory.getbasetemp())


def _read(config: Any, folder: Path) -> str:
    path = folder / "mutant.json"
    path.write_text(json.dumps(config))
    try:
        graph = read(ModelFile(str(path), "keras-json", path.stat().st_size))
    except ReadError as error:
        return str(error)
    assert validate(graph) == []
    assert parse(render(graph)) == graph
    return ""
