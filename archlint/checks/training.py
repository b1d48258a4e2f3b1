"""What the compile settings and the frozen layers of a saved model say about how it is trained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check
from archlint.checks.schedules import LOWEST_RATE, highest_rate, lost_rate, number
from archlint.graph import Attr, Node, Setting

if TYPE_CHECKING:
    from archlint.facts import Facts

_KERNELS = frozenset({"Conv", "ConvTranspose", "Dense", "EinsumDense", "Embedding", "LSTM", "GRU", "RNN"})

SLOTS = {
    "adam": 2, "adam_w": 2, "adamax": 2, "nadam": 2, "adadelta": 2, "ftrl": 2, "adagrad": 1, "rmsprop": 1,
    "lion": 1, "sgd": 0,
}  # fmt: skip
"""Copies of the trained weights that an optimizer keeps. Source: ``build`` of each optimizer."""

_WIDTHS = {"float64": 8, "float16": 2, "bfloat16": 2}

BELOW_ONE = ("beta_1", "beta_2", "rho")
"""Averages of gradients: at 1 no gradient enters them, and Adam divides by 1 - βᵗ, which is 0."""

LEARNING_RATES = {
    "adam": 0.03, "adam_w": 0.03, "nadam": 0.03, "adamax": 0.1, "rmsprop": 0.03, "lion": 0.01, "sgd": 1.0,
}  # fmt: skip
"""Optimizer → the highest learning rate that is not remarkable. Steps of Adam and its kin are about as long
as the learning rate in every weight, whatever the gradient; weights of common layers are of size 0.1."""

CLIPS = ("clipnorm", "global_clipnorm", "clipvalue")

DECAYS = {"weight_decay": 0.005, "decay": 0.5}
"""``weight_decay`` times the rate is the part of each weight that a step takes away: at 0.005 half is gone
after 140 steps. ``decay`` divides the rate by 1 + decay · steps: at 0.5 a fiftieth is left after 100."""


@check(
    values={
        "optimizer": "its name",
        "slots": "copies of the trained weights that it keeps",
        "weights": "bytes of the weights",
        "state": "bytes of its state",
        "size": "bytes of the file",
    }
)
def optimizer_state(facts: Facts) -> Iterator[Match | Unsure]:
    """Files that are as large as weights and optimizer state together."""
    training, size = facts.graph.training, facts.size_bytes
    optimizer = None if training is None else training.optimizer
    if optimizer is None or optimizer.custom or size is None or not facts.params_exact:
        return
    slots = _slots(optimizer)
    params = {param.name: param for node in facts.graph.nodes for param in node.params}.values()
    weights = sum((param.size or 0) * _WIDTHS.get(param.dtype or "", 4) for param in params)
    trained = sum((param.size or 0) for param in params if param.trainable)
    state = 4 * trained * (slots or 0)
    if state and 0.98 * (weights + state) <= size:
        values = {"slots": slots, "weights": weights, "state": state, "size": size}
        yield Match({}, {"optimizer": optimizer.name, **values})


@check(
    nodes={"head": "the frozen layer at the end"},
    values={"trained": "parameters before it that are trained", "initial": "whether it was never trained"},
)
def frozen_heads(facts: Facts) -> Iterator[Match | Unsure]:
    """Frozen last layers behind layers that are trained; those inside nested models are left out."""
    fed: set[str] = set()
    trained = 0
    heads: list[tuple[Node, int]] = []
    for node in facts.graph.nodes:
        behind = any(value in fed for value in node.inputs)
        kernels = [param for param in node.params if node.op in _KERNELS]
        learns = any(param.trainable for param in kernels)
        trained += sum(param.size or 0 for param in kernels if param.trainable)
        if behind or learns:
            fed.update(node.outputs)
        if behind and kernels and not learns and len(node.origin.address) == 1:
            heads.append((node, trained))
    for node, count in heads:
        if not facts.learners_after(node.outputs[0]):
            yield Match({"head": node}, {"trained": count, "initial": _is_initial(facts, node)})


@check(
    nodes={"norm": "a normalization that goes on learning"},
    values={
        "count": "such normalizations",
        "frozen": "frozen convolutions",
        "convs": "convolutions",
    },
)
def live_norms(facts: Facts) -> Iterator[Match | Unsure]:
    """Batch normalizations left trainable behind frozen convolutions, which most are, next to a new head.

    Models in which nothing but normalizations is trained are left out: that is a method of its own.
    """
    convs = [node for node in facts.graph.nodes if node.op == "Conv" and node.param("kernel")]
    frozen = [node for node in convs if not any(param.trainable for param in node.params)]
    if len(frozen) < 3 or len(frozen) < 0.9 * len(convs):
        return
    if not any(param.trainable for node in facts.graph.nodes for param in node.params if node.op in _KERNELS):
        return
    names = {node.name for node in frozen}
    live = [
        node
        for node in facts.graph.nodes
        if node.op == "BatchNormalization"
        and any(param.trainable for param in node.params)
        and (maker := facts.maker(node.inputs[0])) is not None
        and maker.name in names
    ]
    if live:
        values = {"count": len(live), "frozen": len(frozen), "convs": len(convs)}
        yield Match({"norm": live[0]}, values)


@check(
    values={
        "optimizer": "its name",
        "setting": "the setting",
        "value": "what it is",
        "is_rate": "whether it is the learning rate, which is below zero",
        "step": "what is left of a step, for a clipped gradient; what a step takes away, for a decay",
        "over": "the step from which a schedule's rate is below 1e-7; unknown for one that grows",
    }
)
def impossible_settings(facts: Facts) -> Iterator[Match | Unsure]:
    """The first setting with which no step works: an average of 1, a rate below 0, a tiny clip, a decay."""
    optimizer = _optimizer(facts)
    if optimizer is None:
        return
    rate = highest_rate(optimizer)
    wrong = [("learning_rate", rate)] if rate is not None and not rate >= 0 else []
    kept = (*BELOW_ONE, "ema_momentum") if optimizer.attrs.get("use_ema") is True else BELOW_ONE
    averages = [(name, number(optimizer, name)) for name in kept]
    wrong += [(name, value) for name, value in averages if value is not None and value >= 1]
    steps = {name: step for name in (*CLIPS, *DECAYS) if (step := _step(optimizer, name, rate)) is not None}
    wrong += [(name, value) for name in steps if (value := number(optimizer, name)) is not None]
    lost, over = lost_rate(optimizer) or (None, None)
    if lost is not None and (value := number(optimizer, f"schedule_{lost}")) is not None:
        wrong.append((f"schedule_{lost}", value))
    for name, value in wrong[:1]:
        values: dict[str, Attr] = {"setting": name, "value": value, "is_rate": name == "learning_rate"}
        yield Match({}, {"optimizer": optimizer.name, **values, "step": steps.get(name), "over": over})


def _step(optimizer: Setting, name: str, rate: int | float | None) -> float | None:
    """What a step is with a clip or decay that is out of all use; None when it is not, or nobody can say.

    Optimizers that divide by the size of the gradient add epsilon to it: of a gradient clipped to less,
    at most clip / epsilon of a step is left. Source: Kingma & Ba 2015, algorithm 1.
    """
    value, epsilon = number(optimizer, name), number(optimizer, "epsilon")
    if value is None or value <= 0 or (name == "decay" and value < DECAYS[name]):
        return None
    if name == "decay":
        return 1 / (1 + 100 * value)
    if name in CLIPS and optimizer.name != "sgd":
        return value / epsilon if epsilon and value <= epsilon else None
    if rate is None:
        return None
    far = rate * value < LOWEST_RATE if name in CLIPS else rate * value >= DECAYS[name]
    return rate * value if far else None


@check(
    values={
        "optimizer": "its name",
        "rate": "its learning rate, or the highest of its schedule",
        "scheduled": "whether a schedule gives it",
        "highest": "the highest that is not remarkable",
        "lowest": "the lowest that is not",
    }
)
def learning_rates(facts: Facts) -> Iterator[Match | Unsure]:
    """The learning rate of an optimizer for which a usual range is known, in models of several layers.

    A schedule is judged by the highest rate that it reaches; one that is not Keras's own is left out.
    """
    optimizer = _optimizer(facts)
    layers = sum(node.op in _KERNELS for node in facts.graph.nodes)
    if optimizer is None or layers < 2 or optimizer.name not in LEARNING_RATES:
        return
    rate = highest_rate(optimizer)
    if rate is not None and rate >= 0:
        highest = LEARNING_RATES[optimizer.name]
        scheduled = isinstance(optimizer.attrs["learning_rate"], str)
        values = {"rate": rate, "highest": highest, "lowest": LOWEST_RATE, "scheduled": scheduled}
        yield Match({}, {"optimizer": optimizer.name, **values})


def _optimizer(facts: Facts) -> Setting | None:
    training = facts.graph.training
    optimizer = None if training is None else training.optimizer
    return None if optimizer is None or optimizer.custom else optimizer


def _slots(optimizer: Setting) -> int | None:
    slots = SLOTS.get(optimizer.name)
    if slots is None:
        return None
    momentum = optimizer.attrs.get("momentum")
    has_momentum = optimizer.name in ("sgd", "rmsprop") and isinstance(momentum, float) and momentum > 0
    extra = (optimizer.attrs.get("amsgrad") is True) + (optimizer.attrs.get("centered") is True)
    return slots + has_momentum + extra


def _is_initial(facts: Facts, node: Node) -> bool:
    return facts.weights is not None and facts.weights.is_initial(node) is True
