"""How outputs end: the activation, the layer behind it, and which loss and metrics judge them."""

import pytest

from archlint.facts import Facts
from archlint.graph import parse
from archlint.ops import build


def endings(text):
    return Facts(build(parse(text))).endings


def ending(lines, header=""):
    (found,) = endings(f"{header}\ninput x float32[N,8,16]\nd = Dense(x) units=4\n{lines}")
    return found


@pytest.mark.parametrize(
    ("op", "kind"),
    [
        ("Softmax", "softmax"),
        ("Sparsemax", "softmax"),
        ("LogSoftmax", "log_softmax"),
        ("HardSigmoid", "sigmoid"),
        ("Softsign", "tanh"),
        ("Relu", "relu"),
        ("Softplus", "positive"),
        ("Exp", "positive"),
        ("Elu", "real"),
        ("Sin", "other"),
        ("LayerNormalization", "other"),
        ("Unknown", "unknown"),
    ],
)
def test_the_last_activation_says_what_an_output_is(op, kind):
    assert kind == ending(f"o = {op}(d)\noutput o").kind


def test_a_layer_without_activation_is_linear_and_its_own_end():
    found = ending("output d")
    assert ("linear", "d", "d") == (found.kind, found.node.name, found.layer.name)


def test_a_leaky_rectifier_can_be_negative():
    assert "real" == ending("o = Relu(d) negative_slope=0.1\noutput o").kind


def test_reshapes_casts_dropout_and_averages_behind_an_activation_are_looked_through():
    found = ending(
        "s = Softmax(d)\nr = Reshape(s) shape=(0,4,2,4)\np = GlobalAveragePool(r)\n"
        "q = Dropout(p) rate=0.5\nc = Cast(q) to=float16\noutput c"
    )
    assert ("softmax", "s", "d") == (found.kind, found.node.name, found.layer.name)
    assert ("r", "p", "q") == tuple(node.name for node in found.behind)


def test_a_norm_leaves_scores_scores_but_probabilities_no_probabilities():
    assert "linear" == ending("n = BatchNormalization(d)\noutput n").kind
    assert "other" == ending("s = Softmax(d)\nn = BatchNormalization(s)\noutput n").kind


def test_what_stands_between_layer_and_activation_is_kept():
    found = ending("n = BatchNormalization(d)\nq = Dropout(n) rate=0.2\ns = Softmax(q)\noutput s")
    assert ("n", "q") == tuple(node.name for node in found.between)
    assert "d" == found.layer.name


def test_scaled_scores_have_no_layer_that_is_known():
    found = ending("n = UnitNormalization(d)\ns = Softmax(n)\noutput s")
    assert ("softmax", None) == (found.kind, found.layer)


def test_a_recurrent_layer_ends_in_its_own_tanh():
    (found,) = endings("input x float32[N,8,16]\nl = LSTM(x) units=4\noutput l")
    assert ("tanh", "l") == (found.kind, found.node.name)
    (found,) = endings('input x float32[N,8,16]\nl = LSTM(x) units=4 activation="relu"\noutput l')
    assert "other" == found.kind


TWO = "input x float32[N,16]\na = Dense(x) units=1\nb = Dense(x) units=4\noutput a b"


def test_each_output_has_its_own_loss_and_metrics():
    found = endings(f"loss mean_squared_error @1\nmetric accuracy @0\nmetric mean_absolute_error @1\n{TWO}")
    assert [None, "mean_squared_error"] == [one.loss and one.loss.name for one in found]
    assert [["accuracy"], ["mean_absolute_error"]] == [[m.name for m in one.metrics] for one in found]


def test_one_loss_without_an_output_judges_all():
    assert all(one.loss.name == "huber" for one in endings(f"loss huber\n{TWO}"))


def test_of_several_losses_one_without_an_output_judges_none():
    assert [None, "huber"] == [
        one.loss and one.loss.name for one in endings(f"loss mean_squared_error\nloss huber @1\n{TWO}")
    ]


def test_a_model_that_was_not_compiled_has_no_loss():
    assert all(one.loss is None and one.metrics == () for one in endings(TWO))


def test_an_input_that_is_an_output_ends_in_nothing_known():
    (found,) = endings("input x float32[N,16]\noutput x")
    assert ("other", None, None) == (found.kind, found.node, found.layer)
