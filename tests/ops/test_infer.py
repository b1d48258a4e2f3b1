"""Inference over whole graphs: symbols, contents of small tensors, declared types, bodies, and its cost."""

from __future__ import annotations

import sys

import pytest

from archlint.graph import Graph, Node, TensorType, parse
from archlint.ops import TABLE, attr, has_trait, infer, inference


def test_the_shape_dance_of_tf2onnx_is_a_flatten() -> None:
    graph = parse("""
        input x float32[N,7,7,512]
        s = Shape(x)
        c = Cast(s) to=int32
        b = Slice(c) starts=(0) ends=(1) axes=(0)
        m = Constant() | value int32[1] =(-1)
        t = Concat(b, m) axis=0
        t64 = Cast(t) to=int64
        y = Reshape(x, t64)
        output y
    """)
    assert infer(graph)["t64"].value == ("N", -1)
    assert infer(graph)["y"].shape == ("N", 25088)


def test_a_batch_without_a_name_is_followed_and_stays_unknown() -> None:
    graph = parse(
        """
        input x float32[?,4,6]
        s = Shape(x)
        b = Gather(s, zero) axis=0
        u = Unsqueeze(b) axes=(0)
        r = Constant() | value int64[1] =(24)
        t = Concat(u, r) axis=0
        y = Reshape(x, t)
        output y
    """.replace("s = Shape(x)", "s = Shape(x)\n        zero = Constant() | value int64[] =(0)")
    )
    found = infer(graph)
    assert found["b"].value == (None,)
    assert found["y"].shape == (None, 24)


def test_two_unknown_lengths_never_become_equal() -> None:
    graph = parse("""
        input a float32[?,3]
        input b float32[?,3]
        y = Add(a, b)
        output y
    """)
    assert infer(graph)["y"].shape == (None, 3)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("y = Add(a, b)", (5, "N", None)),
        ("y = Sub(a, b)", (-1, "N", None)),
        ("y = Mul(a, b)", (6, None, None)),
        ("y = Div(b, a)", (1, None, None)),
        ("y = Max(a, b)", (3, None, None)),
        ("y = Equal(a, a)", (True, True, True)),
        ("y = Slice(a) starts=(-2) ends=(9) axes=(0)", ("N", None)),
        ("y = ReduceProd(a)", (None,)),
        ("y = Cast(b) to=float32", (3.0, 0.0, None)),
    ],
)
def test_contents_of_small_tensors_are_followed(line: str, expected: object) -> None:
    graph = parse(f"""
        input x float32[2,N,?]
        input z float32[3,?]
        a = Shape(x)
        k = Constant() | value int64[2] =(3,0)
        q = Shape(z) start=1
        b = Concat(k, q) axis=0
        {line}
        output y
    """)
    assert expected == infer(graph)["y"].value


def test_integer_division_truncates_towards_zero() -> None:
    graph = parse("""
        a = Constant() | value int64[2] =(-7,7)
        b = Constant() | value int64[2] =(2,-2)
        y = Div(a, b)
        output y
    """)
    assert infer(graph)["y"].value == (-3, -3)


def test_declared_types_fill_what_is_unknown() -> None:
    graph = parse("""
        input x float32[N,4]
        u = Unknown(x) -> float32[N,8]
        y = Dense(u) units=2
        output y
    """)
    assert infer(graph)["y"].shape == ("N", 2)


def test_the_inferred_shape_stands_and_a_contradiction_is_kept() -> None:
    graph = parse("""
        input x float32[N,4]
        y = Dense(x) units=2 -> float32[N,3]
        output y
    """)
    found = inference(graph)
    assert found.tensors["y"].shape == ("N", 2)
    assert found.conflicts == [("y", ("N", 2), ("N", 3))]


def test_branches_of_an_if_agree_only_on_what_both_have() -> None:
    graph = parse("""
        input c bool[]
        input x float32[N,4]
        y = If(c)
          body then_branch
            a = Dense(x) units=2
            output a
          body else_branch
            b = Dense(x) units=3
            output b
        output y
    """)
    assert infer(graph)["y"].shape == ("N", None)
    assert infer(graph)["b"].shape == ("N", 3)


def test_a_loop_stacks_what_its_body_gives_out() -> None:
    graph = parse("""
        input x float32[N,4]
        m = Constant() | value int64[] =(5)
        y, all = Loop(m, _, x)
          body body
            input i int64[]
            input go bool[]
            input state float32
            next = Dense(state) units=4
            output go next next
        output y all
    """)
    assert infer(graph)["y"].shape == ("N", 4)
    assert infer(graph)["all"].shape == (5, "N", 4)


def test_a_state_that_grows_in_a_loop_is_unknown_where_it_grows() -> None:
    graph = parse("""
        input x float32[1,4]
        input m int64[]
        y = Loop(m, _, x)
          body body
            input i int64[]
            input go bool[]
            input state float32
            next = Concat(state, state) axis=0
            output go next
        output y
    """)
    assert infer(graph)["y"].shape == (None, 4)


def test_a_scan_gives_its_body_one_slice_at_a_time() -> None:
    graph = parse("""
        input h float32[4]
        input x float32[T,4]
        last, all = Scan(h, x) num_scan_inputs=1
          body body
            input a float32
            input b float32
            s = Add(a, b)
            output s s
        output last all
    """)
    assert infer(graph)["last"].shape == (4,)
    assert infer(graph)["all"].shape == ("T", 4)


def chain(length: int) -> Graph:
    nodes = tuple(Node(f"n{i}", "Relu", (f"v{i}",), (f"v{i + 1}",)) for i in range(length))
    return Graph("", "", (("v0", TensorType("float32", ("N", 8))),), nodes, (f"v{length}",))


def calls_in(graph: Graph) -> int:
    """Function calls that inference makes, built-in ones included."""
    count = 0

    def tally(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(tally)
    try:
        infer(graph)
    finally:
        sys.setprofile(None)
    return count


def test_work_grows_with_the_number_of_nodes_and_no_faster() -> None:
    calls_in(chain(10))
    small, large = calls_in(chain(1_000)), calls_in(chain(10_000))
    assert large < 10.01 * small


def test_a_chain_of_100_000_nodes_neither_recurses_nor_repeats() -> None:
    graph = chain(100_000)
    assert infer(graph)["v100000"].shape == ("N", 8)


def test_loops_nested_deep_do_not_multiply_the_work() -> None:
    def text(depth: int) -> str:
        lines = ["input m int64[]", f"input s{depth} float32[1,4]"]
        pad = 0
        for level in range(depth, 0, -1):
            lines.append(" " * pad + f"w{level} = Loop(m, _, s{level})")
            lines.append(" " * pad + "  body body")
            pad += 4
            lines += [
                " " * pad + f"input i{level} int64[]",
                " " * pad + f"input g{level} bool[]",
                " " * pad + f"input s{level - 1} float32",
            ]
        lines.append(" " * pad + "w0 = Concat(s0, s0) axis=0")
        for level in range(1, depth + 1):
            lines.append(" " * pad + f"output g{level} w{level - 1}")
            pad -= 4
        return "\n".join([*lines, f"output w{depth}"])

    few, many = calls_in(parse(text(6))), calls_in(parse(text(24)))
    assert many < 8 * few


def test_a_setting_is_stated_or_the_default_or_an_error() -> None:
    node = Node("y", "Conv", ("x",), ("y",), {"groups": 2})
    assert attr(node, "groups") == 2
    assert attr(node, "padding") == "valid"
    with pytest.raises(KeyError):
        attr(node, "rate")


def test_traits_of_an_op_that_is_not_known_are_none() -> None:
    assert has_trait(Node("y", "Conv", (), ()), "learned")
    assert not has_trait(Node("y", "NoSuchOp", (), ()), "learned")


def test_every_op_has_described_traits_only() -> None:
    from archlint.ops import TRAITS

    used = {trait for op in TABLE.values() for trait in op.traits}
    assert used <= TRAITS.keys()
    assert TRAITS.keys() <= used
