"""How much does each hyperparameter of a search matter by itself?"""

from __future__ import annotations

from typing import Final, NamedTuple

from analysis.measures.search.response import responses
from analysis.snapshot import Snapshot, once

#: With fewer trials the shares are a ranking at most.
RANKING_BELOW: Final = 100


class Importance(NamedTuple):
    """The importance of one hyperparameter within one search, each number with its 95 % interval."""

    regularizer: str
    fraction: float
    parameter: str
    n: int  # trials that the model reads
    share: float  # of the variance of the final value over the space, in [0, 1]
    low: float
    high: float
    swing: float  # how far the means at its best value and at its worst are apart, in the unit of the metric
    swing_low: float
    swing_high: float


@once
def importances(data: Snapshot) -> tuple[Importance, ...]:
    """The main effect of every hyperparameter of the searches that have a model and search two or more.

    The first-order index of Sobol (1993) of the model's final value, as in the functional analysis of variance of
    Hutter, Hoos and Leyton-Brown (2014): the variance between values of the hyperparameter, the others averaged over,
    over the whole variance. What the shares leave of 1 is of hyperparameters together. The intervals are those of joint
    draws of the model, so they are wide where few trials say little, or where nothing matters.
    """
    return tuple(
        Importance(
            optimum.regularizer,
            optimum.fraction,
            optimum.parameter,
            optimum.trials,
            effect.share,
            effect.share_low,
            effect.share_high,
            effect.swing,
            effect.swing_low,
            effect.swing_high,
        )
        for optimum, _, _, effect in responses(data)
        if effect is not None
    )
