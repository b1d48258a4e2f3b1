"""Compile settings that do not fit what the model puts out. What the model computes is not touched.

A loss or metric that is told of logits applies the sigmoid or softmax itself; a threshold t of a probability
is log(t / (1 − t)) of a logit, 0 for one half. Names and settings: https://keras.io/api/losses/ and metrics/.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import log
from typing import TYPE_CHECKING

from archlint.fixes import PatchError, rewrite
from archlint.graph import Attr, Edit, Node, Setting, SetTraining, Training

if TYPE_CHECKING:
    from archlint.facts import Facts

_LOSSES = (
    "binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy",
    "categorical_focal_crossentropy", "sparse_categorical_crossentropy",
)  # fmt: skip
_THRESHOLD = ("binary_accuracy", "f1_score")
_THRESHOLDS = (
    "precision", "recall", "true_positives", "true_negatives", "false_positives", "false_negatives",
)  # fmt: skip
_ACCURACIES = ("binary_accuracy", "categorical_accuracy", "exact_accuracy", "sparse_categorical_accuracy")
_LOGITS = ("auc", "binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy")


@rewrite(nodes={"out": "the node that makes the output"})
def expect_logits(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """``from_logits=True`` for the cross-entropy of raw scores."""
    return (_losses(facts, nodes["out"], True),)


@rewrite(nodes={"out": "the node that makes the output"})
def expect_probabilities(
    facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]
) -> tuple[Edit, ...]:
    """``from_logits=False`` for the cross-entropy of probabilities."""
    return (_losses(facts, nodes["out"], False),)


@rewrite(nodes={"out": "the node that makes the output"}, values={"metric": "name of the metric"})
def metric_on_logits(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """The threshold of a metric as that of a logit, or ``from_logits=True`` where it has that."""
    return (_metrics(facts, nodes["out"], values["metric"], _for_logits),)


@rewrite(nodes={"out": "the node that makes the output"}, values={"metric": "name of the metric"})
def plain_accuracy(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """``accuracy``, which Keras resolves by the shape of the labels, in place of one for other labels."""

    def renamed(metric: Setting) -> Setting:
        if metric.name not in _ACCURACIES:
            raise PatchError(f"accuracy says something else than {metric.name}")
        return replace(metric, name="accuracy", attrs={})

    return (_metrics(facts, nodes["out"], values["metric"], renamed),)


@rewrite(nodes={"out": "the node that makes the output"}, values={"metric": "name of the metric"})
def mean_error(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """``mean_absolute_error`` in place of an accuracy, for outputs that are numbers."""

    def renamed(metric: Setting) -> Setting:
        return replace(metric, name="mean_absolute_error", attrs={})

    return (_metrics(facts, nodes["out"], values["metric"], renamed),)


@rewrite(inference=True)
def left_out(facts: Facts, nodes: Mapping[str, Node], values: Mapping[str, Attr]) -> tuple[Edit, ...]:
    """The file as if the model had never been compiled: no optimizer, none of its state, no losses.

    With the settings kept and the state gone, Keras would warn at each load that the state does not fit.
    """
    _training(facts)
    return (SetTraining(None),)


def _training(facts: Facts) -> Training:
    if facts.graph.training is None:
        raise PatchError("the file holds no compile settings")
    return facts.graph.training


def _position(facts: Facts, out: Node) -> int:
    found = [ending for ending in facts.endings if ending.node is not None and ending.node.name == out.name]
    if len(found) != 1:
        raise PatchError(f"which output '{out.name}' makes is not known")
    return facts.graph.outputs.index(found[0].value)


def _judges(setting: Setting, position: int, outputs: int) -> bool:
    """Whether a setting is for one output alone; one without an output is for all there are."""
    return setting.output == position or (setting.output is None and outputs == 1)


def _losses(facts: Facts, out: Node, from_logits: bool) -> SetTraining:
    training, position = _training(facts), _position(facts, out)
    many = len(facts.graph.outputs)
    losses = tuple(
        _told(loss, from_logits) if _judges(loss, position, many) and not loss.custom else loss
        for loss in training.losses
    )
    if losses == training.losses:
        raise PatchError(f"no loss of '{out.name}' alone takes from_logits")
    return SetTraining(replace(training, losses=losses))


def _told(loss: Setting, from_logits: bool) -> Setting:
    if loss.name not in _LOSSES:
        return loss
    attrs = {key: item for key, item in loss.attrs.items() if key != "from_logits"}
    return replace(loss, attrs={**attrs, "from_logits": from_logits})


def _metrics(facts: Facts, out: Node, name: Attr, change: Callable[[Setting], Setting]) -> SetTraining:
    training, position = _training(facts), _position(facts, out)
    many = len(facts.graph.outputs)
    changed = [
        change(metric)
        if metric.name == name and not metric.custom and _judges(metric, position, many)
        else metric
        for metric in training.metrics
    ]
    # One that is there already would be measured twice.
    metrics = tuple(metric for at, metric in enumerate(changed) if metric not in changed[:at])
    if metrics == training.metrics:
        raise PatchError(f"no metric {name} is for '{out.name}' alone")
    return SetTraining(replace(training, metrics=metrics))


def _for_logits(metric: Setting) -> Setting:
    if metric.name in _LOGITS:
        return replace(metric, attrs={**metric.attrs, "from_logits": True})
    key = "threshold" if metric.name in _THRESHOLD else "thresholds" if metric.name in _THRESHOLDS else ""
    if metric.name == "accuracy":
        # Keras takes binary_accuracy for one unit; only under its own name it can state a threshold.
        return replace(metric, name="binary_accuracy", attrs={**metric.attrs, "threshold": 0.0})
    if not key:
        raise PatchError(f"{metric.name} can neither be told of logits nor given a threshold")
    stated = metric.attrs.get(key)
    share = 0.5 if stated is None else stated
    if not isinstance(share, int | float) or not 0 < share < 1:
        raise PatchError(f"the thresholds of {metric.name} are not one number between 0 and 1")
    return replace(metric, attrs={**metric.attrs, key: log(share / (1 - share))})
