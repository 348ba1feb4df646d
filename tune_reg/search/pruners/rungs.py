"""Rungs of successive halving: which a trial has passed, its value there, and whether it is behind the others."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.trial import FrozenTrial


def passed_rungs(trial: FrozenTrial, first: int, factor: int) -> list[int]:
    """The rungs ``first * factor ** k`` between the last step that the trial reported and the step before.

    >>> from optuna.trial import create_trial
    >>> passed_rungs(create_trial(value=0, intermediate_values={1: 0.1, 4: 0.2}), first=1, factor=2)
    [2, 4]
    """
    steps = sorted(trial.intermediate_values)
    last, previous = steps[-1], steps[-2] if len(steps) > 1 else 0
    rungs = []
    rung = first
    while rung <= last:
        rungs += [rung] if rung > previous else []
        rung *= factor
    return rungs


def value_at(trial: FrozenTrial, rung: int) -> float | None:
    """The value of the trial when it reached the rung, or None where it did not."""
    curve = trial.intermediate_values
    step = rung if rung in curve else min((step for step in curve if step >= rung), default=None)
    return None if step is None else curve[step]


def is_behind(value: float, others: Sequence[float], factor: int) -> bool:
    """Whether a value is neither the best nor among the best ``1 / factor`` of all.

    >>> is_behind(0.5, [0.6, 0.4], factor=3), is_behind(0.6, [0.5, 0.4], factor=3)
    (True, False)
    """
    go_on = max(1, (len(others) + 1) // factor)
    return sum(other > value for other in others) >= go_on
