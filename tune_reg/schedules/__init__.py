"""Schedules: strengths and learning rates as functions of progress in [0, 1].

Each function of this package returns a frozen, comparable callable. Progress, and the parameters of the annealings,
may be floats or tensors of any shape; the result has the shape of their broadcast. As a learning-rate schedule in a
study the value is a factor on ``learning_rate``. The engine asks a schedule once an epoch, at progress ``e / (E - 1)``
for epoch e of 0 .. E - 1, so that the last epoch has exactly the end value, and a boundary at ``k / E`` takes
effect in epoch k.
"""

from tune_reg.schedules.base import Real, Schedule
from tune_reg.schedules.composed import (
    LearningRateCoupled,
    LearningRatePower,
    LearningRateTable,
    WarmRestarts,
    learning_rate_coupled,
    warm_restarts,
)
from tune_reg.schedules.curves import (
    Constant,
    Cosine,
    Exponential,
    Laplace,
    Logistic,
    Piecewise,
    Sigmoid,
    Steps,
    constant,
    cosine,
    exponential,
    laplace,
    logistic,
    piecewise,
    sigmoid,
    steps,
)
from tune_reg.schedules.paper import PRESETS, paper_schedule
from tune_reg.schedules.plain import KINDS, schedule_from_plain, schedule_from_text

__all__ = [
    "KINDS",
    "PRESETS",
    "Constant",
    "Cosine",
    "Exponential",
    "Laplace",
    "LearningRateCoupled",
    "LearningRatePower",
    "LearningRateTable",
    "Logistic",
    "Piecewise",
    "Real",
    "Schedule",
    "Sigmoid",
    "Steps",
    "WarmRestarts",
    "constant",
    "cosine",
    "exponential",
    "laplace",
    "learning_rate_coupled",
    "logistic",
    "paper_schedule",
    "piecewise",
    "schedule_from_plain",
    "schedule_from_text",
    "sigmoid",
    "steps",
    "warm_restarts",
]
