"""Stopping by Wilcoxon's test over seeds: a configuration stops once its seeds show it to be worse than the best."""

from __future__ import annotations

from typing import final

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial, TrialState
from scipy.stats import wilcoxon

from tune_reg.study.settings import WILCOXON_P, WILCOXON_SEEDS


@final
class WilcoxonOverSeeds(BasePruner):
    """Stops a trial whose values on its seeds so far are lower than those of the best finished trial on these seeds.

    Wilcoxon's signed-rank test, one-sided, p < 0.1, from four seeds on. Steps are those of ``AskTell.report`` in a
    search on several seeds of ``epochs`` epochs each. Values of single epochs stop nothing.

    Source: Wilcoxon, Individual Comparisons by Ranking Methods, Biometrics Bulletin 1945; Optuna's WilcoxonPruner,
    which compares single values where a study reports running means.
    """

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether the trial stops at the seed that it reported last."""
        values = by_seed(trial, self._epochs)
        finished = [t for t in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) if t != trial]
        if len(values) < WILCOXON_SEEDS or max(trial.intermediate_values) % self._epochs or not finished:
            return False
        best = by_seed(max(finished, key=lambda t: (t.values[0], -t.number)), self._epochs)
        difference = values - best[: len(values)]
        if len(difference) < len(values) or difference.mean() >= 0:
            return False
        return bool(wilcoxon(difference, alternative="less", zero_method="zsplit").pvalue < WILCOXON_P)


def by_seed(trial: FrozenTrial, epochs: int) -> NDArray[np.float64]:
    """The value on each seed, from the running means that were reported after each.

    >>> trial = optuna.create_trial(value=0.5, intermediate_values={1: 0.1, 2: 0.5, 4: 0.75})
    >>> by_seed(trial, epochs=2).tolist()
    [0.5, 1.0]
    """
    means: list[float] = []
    while (step := (len(means) + 1) * epochs) in trial.intermediate_values:
        means.append(trial.intermediate_values[step])
    counts = np.arange(1, len(means) + 1)
    return np.diff(np.array(means) * counts, prepend=0.0)
