"""Pruners by name. All that they know is in the journal, so they decide alike after a restart."""

from __future__ import annotations

import math

from optuna.pruners import BasePruner, MedianPruner, NopPruner

from tune_reg.search.halving import PredictedHalving, SuccessiveHalving
from tune_reg.search.seed_race import SeedRace
from tune_reg.study import SearchSettings


def build(settings: SearchSettings, *, epochs: int) -> BasePruner:
    """The pruner of a search whose trials train for up to ``epochs`` epochs, those of all seeds counted.

    >>> type(build(SearchSettings(pruner="median"), epochs=8)).__name__
    'MedianPruner'
    """
    first, factor = settings.min_epochs, settings.reduction_factor
    match settings.pruner:
        case "predicted":
            return PredictedHalving(first, factor)
        case "asha":
            return SuccessiveHalving(first, factor)
        case "hyperband":
            return SuccessiveHalving(first, factor, brackets=1 + int(math.log(epochs / first, factor) + 1e-9))
        case "median":
            return MedianPruner(n_warmup_steps=first)
        case "wilcoxon":
            return SeedRace(epochs // settings.seeds)
        case "none":
            return NopPruner()
