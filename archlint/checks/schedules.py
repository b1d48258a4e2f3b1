"""How far the learning rate of a schedule goes: the highest it reaches, and when nothing is left of it.

Source of each formula: https://keras.io/api/optimizers/learning_rate_schedules/ (the class of that name).
"""

from __future__ import annotations

import math

from archlint.graph import Setting

LOWEST_RATE = 1e-7
"""Below it a step changes no float32 weight of size 1 (the spacing there is 1.2e-7)."""

SHORTEST = 50
"""A schedule that is over after fewer steps ends within an epoch of 1,600 samples in batches of 32:
mostly a number of epochs that was given as one of steps."""

_STARTS = ("ExponentialDecay", "InverseTimeDecay", "CosineDecayRestarts")
"""Schedules that begin with their highest rate, unless their factor grows."""


def number(setting: Setting, name: str) -> int | float | None:
    """A setting that is a number, or None."""
    value = setting.attrs.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def highest_rate(optimizer: Setting) -> int | float | None:
    """The learning rate, or the highest that its schedule reaches; None when the file does not say."""
    schedule, first = (
        optimizer.attrs.get("learning_rate"),
        number(optimizer, "schedule_initial_learning_rate"),
    )
    if not isinstance(schedule, str):
        return number(optimizer, "learning_rate")
    values = optimizer.attrs.get("schedule_values")
    if schedule == "PiecewiseConstantDecay" and isinstance(values, tuple):
        known = [value for value in values if isinstance(value, int | float)]
        return max(known) if known and len(known) == len(values) else None
    last = {"CosineDecay": "schedule_warmup_target", "PolynomialDecay": "schedule_end_learning_rate"}.get(
        schedule
    )
    if first is None or (last is None and schedule not in _STARTS):
        return None
    return max(first, (number(optimizer, last) if last else None) or first)


def lost_rate(optimizer: Setting) -> tuple[str, int | None] | None:
    """The setting with which a schedule leads nowhere, and the step from which its rate is below 1e-7.

    No step is given for a rate that grows without end.
    """
    schedule, first = optimizer.attrs.get("learning_rate"), highest_rate(optimizer)
    steps, factor = number(optimizer, "schedule_decay_steps"), number(optimizer, "schedule_decay_rate")
    if first is None or steps is None or first < LOWEST_RATE or steps <= 0:
        return None
    if schedule == "ExponentialDecay" and factor is not None and factor >= 0:
        if factor >= 1:
            return ("decay_rate", None) if factor > 1 else None
        over = steps * math.log(LOWEST_RATE / first) / math.log(factor) if factor else 1.0
        return ("decay_steps" if factor > 0.1 else "decay_rate", math.ceil(over)) if over < SHORTEST else None
    if schedule == "CosineDecay" and first * (number(optimizer, "schedule_alpha") or 0) < LOWEST_RATE:
        over = steps + (number(optimizer, "schedule_warmup_steps") or 0)
        return ("decay_steps", math.ceil(over)) if over < SHORTEST else None
    return None
