"""The data files of the targets, and the rules that read them."""

import datetime

import onnx
import pytest

from archlint.errors import UsageError
from archlint.targets import TARGETS, target


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_is_dated_and_sourced(name):
    found = target(name)
    assert datetime.date.fromisoformat(found.checked) <= datetime.date(2100, 1, 1)
    assert found.sources
    assert all(source.startswith("https://") for source in found.sources)
    assert found.title


@pytest.mark.parametrize("name", TARGETS)
def test_every_onnx_operator_of_a_target_exists(name):
    known = {schema.name for schema in onnx.defs.get_all_schemas_with_history()}
    assert set() == set(target(name).unsupported.get("onnx", {})) - known


@pytest.mark.parametrize("name", TARGETS)
def test_ranges_are_ranges(name):
    for bounds in (target(name).opset, target(name).ir_version):
        assert bounds is None or 1 <= bounds[0] < bounds[1]


def test_a_target_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match="there is no target 'tensorrrt'"):
        target("tensorrrt")
