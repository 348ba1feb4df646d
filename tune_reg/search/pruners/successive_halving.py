"""Asynchronous successive halving, and Hyperband of it, on the values that trials have."""

from __future__ import annotations

from typing import final

import optuna
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial

from tune_reg.search.pruners.rungs import is_behind, passed_rungs, value_at


@final
class SuccessiveHalving(BasePruner):
    """Asynchronous successive halving of values that are maximized.

    Rungs stand at ``min_resource * reduction_factor ** k``. A trial that reaches a rung goes on if it is among the best
    ``1 / reduction_factor`` of the values seen at that rung so far, and always if it is the best. With several
    ``brackets`` trial n belongs to bracket ``n % brackets``, whose first ``n % brackets`` rungs are left out, and is
    compared with the trials of its bracket alone (Hyperband). Optuna's pruner of this name marks each passed rung in
    the journal, and so answers differently when it is asked twice; this class only reads.

    Sources: Li et al., A System for Massively Parallel Hyperparameter Tuning, MLSys 2020, algorithm 2; Li et al.,
    Hyperband, JMLR 2018.
    """

    def __init__(self, min_resource: int, reduction_factor: int, brackets: int = 1) -> None:
        self._first = min_resource
        self._factor = reduction_factor
        self._brackets = brackets

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether the trial stops at the step that it reported last."""
        bracket = trial.number % self._brackets
        for rung in passed_rungs(trial, self._first * self._factor**bracket, self._factor):
            others = [
                other_value
                for other in study.get_trials(deepcopy=False)
                if other.number != trial.number
                and other.number % self._brackets == bracket
                and (other_value := value_at(other, rung)) is not None
            ]
            value = value_at(trial, rung)
            if value is not None and is_behind(value, others, self._factor):
                return True
        return False
