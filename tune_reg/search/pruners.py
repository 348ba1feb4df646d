"""Pruners by name; all that they know of a study is in its journal."""

from __future__ import annotations

from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner

from tune_reg.study import SearchSettings


def build(settings: SearchSettings, *, epochs: int) -> BasePruner:
    """The pruner of a search whose trials train for up to ``epochs`` epochs.

    >>> type(build(SearchSettings(pruner="median"), epochs=8)).__name__
    'MedianPruner'
    """
    match settings.pruner:
        case "asha":
            return SuccessiveHalvingPruner(min_resource=settings.min_epochs, reduction_factor=settings.reduction_factor)
        case "hyperband":
            return HyperbandPruner(
                min_resource=settings.min_epochs, max_resource=epochs, reduction_factor=settings.reduction_factor
            )
        case "median":
            return MedianPruner(n_warmup_steps=settings.min_epochs)
        case "none":
            return NopPruner()
