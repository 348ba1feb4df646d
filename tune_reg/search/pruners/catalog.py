"""Pruners by name. All that they decide by is in the journal, so that they decide alike after a restart."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from optuna.pruners import BasePruner, MedianPruner, NopPruner

from tune_reg.search.pruners.out_of_reach import OutOfReach
from tune_reg.search.pruners.predicted_halving import PredictedHalving
from tune_reg.search.pruners.successive_halving import SuccessiveHalving
from tune_reg.search.pruners.wilcoxon_over_seeds import WilcoxonOverSeeds
from tune_reg.study import SearchSettings
from tune_reg.study.settings import PrunerName


@dataclass(frozen=True)
class Pruner:
    """A stopping rule: its name in a study file, what it does, and where it comes from."""

    name: PrunerName
    description: str
    #: For each publication: what it is cited for, and its key in ``references.bib``.
    citations: tuple[tuple[str, str], ...]
    #: From the settings and the epochs of a trial that is not stopped, those of all seeds counted.
    build: Callable[[SearchSettings, int], BasePruner]
    #: When to take it, in a sentence: for the table in the documentation.
    when: str = ""


def _first_rung(settings: SearchSettings) -> int:
    assert settings.min_epochs is not None, "a search with these rules has a first rung"
    return settings.min_epochs


def _brackets(settings: SearchSettings, epochs: int) -> int:
    return 1 + int(math.log(epochs / _first_rung(settings), settings.reduction_factor) + 1e-9)


_HALVING: Final = ("Asynchronous successive halving (stopping trials early)", "li2020system")

#: Every pruner by its name in a study file.
PRUNERS: Final[dict[PrunerName, Pruner]] = {
    pruner.name: pruner
    for pruner in (
        Pruner(
            "pause",
            "Pauses trials at a rung and goes on with those that are worth most, with the sampler knowledge-gradient. "
            "Where a function defines the space: predicted. With a second objective it stops what cannot come within "
            "one standard error of the best accuracy.",
            (),
            lambda settings, epochs: PredictedHalving(
                math.ceil(epochs / settings.seeds / 3), settings.reduction_factor
            ),
            when="To look at more configurations than are trained to the end; no trial ends because others are ahead.",
        ),
        Pruner(
            "predicted",
            "Asynchronous successive halving by predicted final values, doubtful ones in the trial's favour.",
            (_HALVING,),
            lambda settings, _: PredictedHalving(_first_rung(settings), settings.reduction_factor),
            when="With other samplers: it compares what trials are expected to come to, and spares slow starters.",
        ),
        Pruner(
            "asha",
            "Asynchronous successive halving by the values at hand.",
            (_HALVING,),
            lambda settings, _: SuccessiveHalving(_first_rung(settings), settings.reduction_factor),
            when="Where epochs are many and early values say who wins; beware of strengths that learn slowly.",
        ),
        Pruner(
            "hyperband",
            "Several successive halvings, whose first rungs stand ever later.",
            (("Hyperband (stopping trials early)", "li2018hyperband"),),
            lambda settings, epochs: SuccessiveHalving(
                _first_rung(settings), settings.reduction_factor, brackets=_brackets(settings, epochs)
            ),
            when="As asha, where it is not clear how early is too early.",
        ),
        Pruner(
            "median",
            "Stops what is worse than the median of the finished trials at that epoch.",
            (("The median stopping rule (stopping trials early)", "golovin2017google"),),
            lambda settings, _: MedianPruner(n_warmup_steps=_first_rung(settings)),
            when="With many trials, to end only what is plainly behind.",
        ),
        Pruner(
            "wilcoxon",
            "Stops what its seeds so far show to be worse than the best trial.",
            (("Wilcoxon's signed-rank test (stopping trials early)", "wilcoxon1945individual"),),
            lambda settings, epochs: WilcoxonOverSeeds(epochs // settings.seeds),
            when="With four seeds or more a configuration, to save seeds rather than epochs.",
        ),
        Pruner(
            "none",
            "Trains every trial to the end.",
            (),
            lambda *_: NopPruner(),
            when="By default: strong regularizers learn slowly, and values before the end mislead.",
        ),
    )
}


def build(settings: SearchSettings, *, epochs: int, images: int = 1) -> BasePruner:
    """The pruner of a search whose trials train for up to ``epochs`` epochs, those of all seeds counted.

    ``images``: validation images behind an accuracy.

    >>> type(build(SearchSettings(pruner="median"), epochs=8)).__name__
    'MedianPruner'
    """
    if settings.pruner == "pause" and settings.second_objective is not None:
        return OutOfReach(math.ceil(epochs / settings.seeds / 3), images)
    return PRUNERS[settings.pruner].build(settings, epochs)
