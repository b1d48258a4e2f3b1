"""The settings that ``compile`` was given: losses, metrics, optimizer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from archlint.formats.keras.raw import Raw
from archlint.graph import Attr, Setting, Training

_LOSSES_WORDS = """
    binary_crossentropy binary_focal_crossentropy categorical_crossentropy
    categorical_focal_crossentropy categorical_generalized_cross_entropy categorical_hinge circle
    cosine_similarity ctc dice hinge huber kl_divergence log_cosh mean_absolute_error
    mean_absolute_percentage_error mean_squared_error mean_squared_logarithmic_error poisson
    sparse_categorical_crossentropy squared_hinge tversky
"""

LOSSES = frozenset(_LOSSES_WORDS.split())
"""Losses of keras.losses (Keras 3.15)."""

_METRICS_WORDS = """
    accuracy auc binary_accuracy binary_io_u categorical_accuracy concordance_correlation f1_score
    f_beta_score false_negatives false_positives io_u log_cosh_error mean mean_io_u
    mean_relative_error mean_tensor one_hot_io_u one_hot_mean_io_u pearson_correlation precision
    precision_at_recall r2_score recall recall_at_precision root_mean_squared_error
    sensitivity_at_specificity sparse_categorical_accuracy sparse_top_k_categorical_accuracy
    specificity_at_sensitivity sum top_k_categorical_accuracy true_negatives true_positives
"""

EQUALITY = "exact_accuracy"
"""Keras's class Accuracy: it counts outputs that equal their label. The text "accuracy" finds classes."""

METRICS = LOSSES | frozenset(_METRICS_WORDS.split()) | {EQUALITY}
"""Metrics of keras.metrics (Keras 2 and 3.15)."""

_GUESSED = ("binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy")
"""What tf_keras writes for the text "accuracy": a guess from the labels or, before fit, from the outputs."""

_OPTIMIZERS_WORDS = """
    adadelta adafactor adagrad adam adam_w adamax ftrl lamb lion muon nadam rmsprop schedule_free_adam_w
    sgd multi_optimizer optimizer_map
"""

OPTIMIZERS = frozenset(_OPTIMIZERS_WORDS.split())
"""Optimizers of keras.optimizers (Keras 3.15)."""

SCHEDULES = frozenset(
    {
        "CosineDecay",
        "CosineDecayRestarts",
        "ExponentialDecay",
        "InverseTimeDecay",
        "PiecewiseConstantDecay",
        "PolynomialDecay",
    }
)
"""Schedules of keras.optimizers.schedules (Keras 2 and 3.15)."""

ALIASES: Mapping[str, str] = {
    "acc": "accuracy",
    "adamw": "adam_w",
    "bce": "binary_crossentropy",
    "cosine_proximity": "cosine_similarity",
    "huber_loss": "huber",
    "kld": "kl_divergence",
    "kullback_leibler_divergence": "kl_divergence",
    "logcosh": "log_cosh",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "mse": "mean_squared_error",
    "msle": "mean_squared_logarithmic_error",
    "rm_sprop": "rmsprop",
}
"""Short and older names → today's snake_case name."""

_UNSAID = frozenset({"name", "dtype", "fn"})
_MAX_LIST = 64


def settings(compiled: Raw, outputs: Sequence[str]) -> Training | None:
    """The compile settings; None when the model was saved without any.

    ``outputs`` are the names of the model's outputs, by which losses and metrics may be keyed.
    """
    if not isinstance(compiled.value, dict):
        return None
    weights = dict(_weights(compiled["loss_weights"], outputs))
    losses = tuple(
        _setting(raw, LOSSES, index, {"weight": weights[index]} if index in weights else {})
        for index, raw in _per_output(compiled["loss"], outputs)
    )
    metrics = (
        *_metrics(compiled["metrics"], outputs, {}),
        *_metrics(compiled["weighted_metrics"], outputs, {"weighted": True}),
    )
    stated = compiled.first("optimizer_config", "optimizer")
    return Training(losses, metrics, None if stated.is_null else _optimizer(stated))


def _is_object(raw: Raw) -> bool:
    return isinstance(raw.value, str) or (isinstance(raw.value, dict) and "class_name" in raw.value)


def _per_output(raw: Raw, outputs: Sequence[str]) -> Iterator[tuple[int | None, Raw]]:
    """(index of an output, what is stated for it); a single statement holds for every output."""
    if raw.is_null:
        return
    if _is_object(raw):
        for index in range(len(outputs)):
            yield index, raw
    elif isinstance(raw.value, dict):
        for key, item in raw.members():
            if not item.is_null:
                yield (outputs.index(key) if key in outputs else None), item
    else:
        for index, item in enumerate(raw.items()):
            if not item.is_null:
                yield (index if index < len(outputs) else None), item


def _metrics(raw: Raw, outputs: Sequence[str], extra: Mapping[str, Attr]) -> Iterator[Setting]:
    """Metrics are a list per output; a flat list is the one output's, or one entry per output."""
    flat = isinstance(raw.value, list) and all(_is_object(item) for item in raw.items())
    if flat and len(outputs) == 1:
        found: Iterator[tuple[int | None, Raw]] = ((0, item) for item in raw.items())
    else:
        found = _per_output(raw, outputs)
    for index, item in found:
        entries = [item] if _is_object(item) else list(_leaves(item))
        for entry in entries:
            yield _setting(entry, METRICS, index, extra)


def _leaves(raw: Raw, depth: int = 0) -> Iterator[Raw]:
    if _is_object(raw):
        yield raw
    elif isinstance(raw.value, dict) and depth < 8:
        for _, item in raw.members():
            yield from _leaves(item, depth + 1)
    elif isinstance(raw.value, list) and depth < 8:
        for item in raw.items():
            yield from _leaves(item, depth + 1)


def _weights(raw: Raw, outputs: Sequence[str]) -> Iterator[tuple[int, float]]:
    if isinstance(raw.value, list | dict):
        for index, item in _per_output(raw, outputs):
            if index is not None and isinstance(item.value, int | float):
                yield index, item.float()


def _setting(raw: Raw, shipped: frozenset[str], output: int | None, extra: Mapping[str, Attr]) -> Setting:
    """One loss or metric: text, a function, or an object with settings."""
    if isinstance(raw.value, str):
        name = snake(raw.value)
        return Setting(name if name in shipped else raw.value, output, name not in shipped, {**extra})
    config = raw["config"]
    if isinstance(config.value, str):
        name = snake(config.value)
        custom = _custom(name, shipped, raw)
        return Setting(config.value if custom else name, output, custom, {**extra})
    cls = raw["class_name"].text()
    inner = config["fn"] if isinstance(config.value, dict) else config
    wraps = cls in ("MeanMetricWrapper", "LossFunctionWrapper") and not inner.is_null
    stated = (_function_name(inner) if wraps else cls).rpartition(">")[2]
    name = _meant(snake(stated), config, wraps)
    custom = _custom(name, shipped, raw)
    return Setting(stated if custom else name, output, custom, {**_attrs(config), **extra})


def _meant(name: str, config: Raw, wraps: bool) -> str:
    """The metric that was asked for, where the file says it in other words."""
    said = config["name"].value if isinstance(config.value, dict) else None
    if wraps and name in _GUESSED and isinstance(said, str) and not said.endswith(name):
        return "accuracy" if said.rpartition("_")[2] in ("accuracy", "acc") else name
    return EQUALITY if name == "accuracy" and not wraps else name


def _function_name(raw: Raw) -> str:
    if isinstance(raw.value, dict):
        raw = raw["config"]
    return raw.text("")


def _custom(name: str, shipped: frozenset[str], raw: Raw) -> bool:
    """Whether Keras does not ship it: an unknown name, or one of a package that the user registered.

    tf_keras registers its own optimizers without a package: it writes ``Custom>Adam``.
    """
    if name not in shipped:
        return True
    package = raw["class_name"].text("").rpartition(">")[0] if isinstance(raw.value, dict) else ""
    if package and not (package == "Custom" and shipped is OPTIMIZERS):
        return True
    module = raw["module"].value if isinstance(raw.value, dict) else None
    return isinstance(module, str) and module != "builtins" and "keras" not in module.split(".")


def _optimizer(raw: Raw) -> Setting:
    """The optimizer; one that only scales the loss is looked through."""
    if isinstance(raw.value, str):
        name = snake(raw.value)
        return Setting(name if name in OPTIMIZERS else raw.value, None, name not in OPTIMIZERS)
    config = raw["config"]
    inner = config.first("inner_optimizer", "optimizer") if isinstance(config.value, dict) else config
    scales = raw["class_name"].text() in ("LossScaleOptimizer", "LossScaleOptimizerV3")
    if scales and isinstance(inner.value, dict):
        return _setting(inner, OPTIMIZERS, None, {"loss_scale": True, **_schedule(inner["config"])})
    return _setting(raw, OPTIMIZERS, None, _schedule(config))


def _schedule(config: Raw) -> dict[str, Attr]:
    """Settings of the schedule of Keras's own that the learning rate follows, each behind ``schedule_``."""
    stated = config["learning_rate"] if isinstance(config.value, dict) else config
    if not isinstance(stated.value, dict) or _custom(stated["class_name"].text(""), SCHEDULES, stated):
        return {}
    return {f"schedule_{key}": value for key, value in _attrs(stated["config"]).items()}


def _attrs(config: Raw) -> dict[str, Attr]:
    """Numbers, texts and short lists of them; a schedule counts by the name of its class."""
    found: dict[str, Attr] = {}
    if not isinstance(config.value, dict):
        return found
    for key, raw in config.members():
        value = raw.value
        if key in _UNSAID or value is None:
            continue
        if isinstance(value, bool | int | float | str):
            found[key] = value
        elif isinstance(value, list) and len(value) <= _MAX_LIST:
            if all(isinstance(item, bool | int | float | str) for item in value):
                found[key] = tuple(value)
        elif isinstance(value, dict) and isinstance(value.get("class_name"), str):
            found[key] = str(value["class_name"])
    return found


def snake(name: str) -> str:
    """Today's snake_case name: "SparseCategoricalCrossentropy", "mse" and "Custom>Foo" each in one form."""
    short = name.rpartition(">")[2]
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", short).lower()
    return ALIASES.get(words, words)
