"""Looking for hazards never fails, whatever a file says."""

import json
import random
from pathlib import Path

import pytest
from planted import DENSE, INPUT, LAMBDA, NOTHING, PLANTED, lambda_layer, nested, symbol

from archlint.engine import load, run
from archlint.facts import Facts
from archlint.formats import find, scan
from archlint.formats.keras.hazards.config import config_hazards
from archlint.formats.keras.hazards.symbols import symbol_hazard
from archlint.formats.keras.raw import Raw
from archlint.graph import Graph, Hazard

JUNK = [
    None,
    True,
    1,
    2.5,
    "",
    "x",
    "..",
    "/",
    [],
    {},
    [[]],
    {"class_name": 3},
    {"class_name": "Lambda", "config": []},
]
MODEL = nested(lambda_layer(LAMBDA), lambda_layer(symbol("os.path", "join")), INPUT, DENSE)


def places(value: object) -> list[tuple[object, object]]:
    """Every (container, key) inside a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in items for place in [(value, key), *places(item)]]


@pytest.mark.parametrize("seed", range(5))
def test_no_config_is_too_odd(seed: int) -> None:
    choose = random.Random(seed)
    for _ in range(100):
        model = json.loads(json.dumps(MODEL))
        for _ in range(choose.randint(1, 5)):
            holder, key = choose.choice(places(model))
            holder[key] = choose.choice(JUNK)
        for hazard in config_hazards(Raw(model, "m", "config.json"), "keras"):
            assert hazard.kind
            assert NOTHING not in str(hazard)


@pytest.mark.parametrize("value", [3, "x", [], None, [[[]]]])
def test_a_config_that_is_no_object_holds_nothing(value: object) -> None:
    assert [] == list(config_hazards(Raw(value, "m", "config.json"), "keras"))


def test_models_nested_without_end_are_walked() -> None:
    model: dict[str, object] = lambda_layer(LAMBDA)
    for _ in range(50_000):
        model = {"config": {"layers": [model]}}
    (hazard,) = config_hazards(Raw(model, "m", ""), "keras")
    assert "lambda-code" == hazard.kind
    assert len(hazard.where) < 1000


@pytest.mark.parametrize(
    "name",
    ["lambda_nested.keras", "soft_link.h5", "python_in_function.onnx", "bomb_raw.onnx", "payload_field.onnx"],
)
def test_a_file_cut_anywhere_is_scanned_without_an_error(tmp_path: Path, name: str) -> None:
    PLANTED[name][0](tmp_path / name)
    whole, choose = (tmp_path / name).read_bytes(), random.Random(name)
    (file,) = find([str(tmp_path / name)])
    for _ in range(60):
        data = bytearray(whole[: choose.randint(1, len(whole))])
        data[choose.randrange(len(data))] = choose.randrange(256)
        (tmp_path / name).write_bytes(bytes(data))
        assert all(hazard.kind for hazard in scan(file))


def test_no_rule_crashes_on_a_hazard_that_says_nothing() -> None:
    rules = load()
    for rule in rules:
        if rule.family == "security":
            kind = rule.settings["kind"].text.strip("'")
            outcome = run(rules, Facts(Graph(hazards=(Hazard(kind, ""), Hazard(kind, "here")))))
            assert ((), 2) == (outcome.crashes, len(outcome.findings))


@pytest.mark.parametrize(
    ("module", "name", "kind"),
    [
        ("keras.layers", "Dense", None),
        ("keras.src.ops.numpy", "Multiply", None),
        ("tf_keras.src.layers", "Dense", None),
        ("tensorflow.python.keras.layers", "Dense", None),
        ("tensorflow.python.ops.gen_nn_ops", "relu", None),
        ("keras_hub.src.models.bert", "BertBackbone", None),
        ("builtins", "my_loss", None),
        ("builtins", "eval", "foreign-symbol"),
        ("os", "abort", "foreign-symbol"),
        ("urllib.request", "urlopen", "foreign-symbol"),
        ("importlib", "import_module", "foreign-symbol"),
        ("torch.hub", "load", "foreign-symbol"),
        ("numpy", "load", "foreign-symbol"),
        ("code.layers", "Scale", "custom-object"),
        ("__main__", "Scale", "custom-object"),
        ("test.layers", "Scale", "custom-object"),
        ("keras.utils", "get_file", "gadget"),
        ("keras.src.utils.file_utils", "get_file", "gadget"),
        ("keras.src.utils.python_utils", "func_load", "gadget"),
        ("keras.saving", "load_model", "gadget"),
        ("tensorflow.python.ops.io_ops", "read_file", "gadget"),
    ],
)
def test_whose_a_symbol_is(module: str, name: str, kind: str | None) -> None:
    found = symbol_hazard("function", {"module": module, "config": name})
    assert kind == (found[0] if found else None)
    assert found == symbol_hazard(name, {"module": module})
