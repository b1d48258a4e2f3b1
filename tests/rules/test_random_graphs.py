"""No graph, however senseless, makes a rule crash: files can say anything."""

import random

import pytest

from archlint.engine import load, run
from archlint.facts import Facts
from archlint.graph import Graph, Node, Param, TensorType
from archlint.ops import TABLE, build

RULES = load()
COMMON = [
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Conv",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Identity",
    "InstanceNormalization",
    "LayerNormalization",
    "MaxPool",
    "Mul",
    "Relu",
    "Reshape",
    "Sigmoid",
    "Softmax",
    "Transpose",
    "Unknown",
]
SETTINGS = [
    None,
    -1,
    0,
    1,
    3,
    "same",
    "x",
    True,
    False,
    (1, 1),
    (3, 3),
    (-1, 2),
    (2,),
    (),
    ((0, 0), (1, 1)),
    0.5,
]
SHAPES = [None, ("N", 8, 8, 3), ("N", None, None, 3), ("N", 3, 16, 16), (None,), (), ("N", 16), (1, 0, 4, 4)]


def random_graph(seed: int) -> Graph:
    choose = random.Random(seed)
    values, nodes = ["x"], []
    for at in range(choose.randint(1, 12)):
        op = choose.choice(COMMON if choose.random() < 0.8 else list(TABLE))
        attrs = {key: choose.choice(SETTINGS) for key in TABLE[op].attrs if choose.random() < 0.3}
        if op in ("Conv", "Dense") and choose.random() < 0.7:
            attrs = {"filters": 4, "kernel": (3, 3)} if op == "Conv" else {"units": 4}
        inputs = tuple(choose.choice([*values[-3:], ""]) for _ in range(choose.randint(0, 3)))
        outputs = tuple(f"v{at}.{slot}" for slot in range(choose.choice([0, 1, 1, 1, 1, 2])))
        shape = choose.choice([None, (3,), (None,), (4, 4)])
        param = Param(f"p{choose.randint(0, 3)}", choose.choice(["bias", "kernel", "beta"]), shape)
        nodes.append(Node(f"n{at}", op, inputs, outputs, attrs, (param,) if choose.random() < 0.4 else ()))
        values.extend(outputs)
    outputs = tuple(choose.sample(values, min(len(values), choose.randint(0, 3))))
    graph = Graph(
        inputs=(("x", TensorType("float32", choose.choice(SHAPES))),), nodes=tuple(nodes), outputs=outputs
    )
    return build(graph) if choose.random() < 0.5 else graph


@pytest.mark.parametrize("block", range(10))
def test_no_rule_crashes_on_a_random_graph(block):
    for seed in range(block * 100, block * 100 + 100):
        assert (seed, ()) == (seed, run(RULES, Facts(random_graph(seed))).crashes)


def test_findings_are_a_function_of_the_graph():
    for seed in range(50):
        graph = random_graph(seed)
        assert run(RULES, Facts(graph)) == run(RULES, Facts(graph))
