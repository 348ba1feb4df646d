"""Pruners by name. All that they know is in the journal, so they decide alike after a restart."""

from __future__ import annotations

import math

import optuna
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.trial import FrozenTrial

from tune_reg.study import SearchSettings


class SuccessiveHalving(BasePruner):
    """Asynchronous successive halving of values that are maximized.

    Rungs stand at ``min_resource * reduction_factor ** k``. A trial that reaches a rung goes on if it is among the best
    ``1 / reduction_factor`` of the values seen there so far, and always if it is the best. With several ``brackets``
    trial n belongs to bracket ``n % brackets``, whose first ``n % brackets`` rungs are left out, and races against its
    own bracket alone (Hyperband). Optuna's pruner of this name marks each passed rung in the journal, and so answers
    differently when it is asked twice; this one only reads.

    Sources: Li et al., A System for Massively Parallel Hyperparameter Tuning, MLSys 2020, algorithm 2; Li et al.,
    Hyperband, JMLR 2018.
    """

    def __init__(self, min_resource: int, reduction_factor: int, brackets: int = 1) -> None:
        self._first = min_resource
        self._factor = reduction_factor
        self._brackets = brackets

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether the trial stops at the step that it reported last."""
        steps = sorted(trial.intermediate_values)
        last, previous = steps[-1], steps[-2] if len(steps) > 1 else 0
        bracket = trial.number % self._brackets
        rung = self._first * self._factor**bracket
        while rung <= last:
            if rung > previous and self._behind(study, trial, rung, bracket):
                return True
            rung *= self._factor
        return False

    def _behind(self, study: optuna.Study, trial: FrozenTrial, rung: int, bracket: int) -> bool:
        own = _at(trial, rung)
        others = [
            value
            for other in study.get_trials(deepcopy=False)
            if other.number != trial.number
            and other.number % self._brackets == bracket
            and (value := _at(other, rung)) is not None
        ]
        go_on = max(1, (len(others) + 1) // self._factor)
        return own is not None and sum(value > own for value in others) >= go_on


def _at(trial: FrozenTrial, rung: int) -> float | None:
    """The value when the trial reached the rung, or None."""
    step = min((step for step in trial.intermediate_values if step >= rung), default=None)
    return None if step is None else trial.intermediate_values[step]


def build(settings: SearchSettings, *, epochs: int) -> BasePruner:
    """The pruner of a search whose trials train for up to ``epochs`` epochs.

    >>> type(build(SearchSettings(pruner="median"), epochs=8)).__name__
    'MedianPruner'
    """
    first, factor = settings.min_epochs, settings.reduction_factor
    match settings.pruner:
        case "asha":
            return SuccessiveHalving(first, factor)
        case "hyperband":
            return SuccessiveHalving(first, factor, brackets=1 + int(math.log(epochs / first, factor) + 1e-9))
        case "median":
            return MedianPruner(n_warmup_steps=first)
        case "none":
            return NopPruner()
