"""Weight decay that rises as the learning rate falls, by a scheme of the paper or a free taper."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

import search_spaces.defaults.weight_decay_taper
from tune_reg.regularizers.base import Hyperparameter, Progress, Regularizer, Strengths
from tune_reg.regularizers.registry import register

REFERENCE: Final = """@misc{adaptingregularization,
  title = {Adapting Regularization with Learning Rate For Better Generalization in Neural Networks},
  note = {Manuscript; weight-decay tapers and sparse gradients with warm restarts}
}"""

TAPERS: Final = ("free", "sch01", "sch02")

#: Factors on lambda at a learning rate of 1/10, 1/100 and 1/1000 of the first and below (table 1).
_SCHEMES: Final = {"sch01": (1.0, 8.0, 16.0), "sch02": (1.0, 4.0, 8.0)}


def scheme_factor(learning_rate_factor: Tensor, scheme: str) -> Tensor:
    """The factor on lambda by a scheme of table 1: a step function of the relative learning rate.

    >>> scheme_factor(torch.tensor([1.0, 0.1, 0.01, 1e-3, 1e-4]), "sch01")
    tensor([ 1.,  1.,  8., 16., 16.])
    """
    # Between the decades of the table, so that rounding does not decide.
    steps = learning_rate_factor.new_tensor([10**-2.5, 10**-1.5])
    low, middle, high = _SCHEMES[scheme]
    return learning_rate_factor.new_tensor([high, middle, low])[torch.bucketize(learning_rate_factor, steps)]


def taper_factor(
    learning_rate_factor: Tensor, onset: Tensor | float, power: Tensor | float, ceiling: Tensor | float
) -> Tensor:
    """The factor on lambda of a free taper, ``min(ceiling, max(1, (onset / f)^power))``, f the relative learning rate.

    It is 1 until f falls below the onset.
    """
    factor = (onset / learning_rate_factor) ** power
    return torch.minimum(torch.clamp(factor, min=1.0), torch.as_tensor(ceiling, dtype=factor.dtype))


@register
class WeightDecayTaper(Regularizer):
    """Coupled L2 decay whose lambda is a function of the learning rate: a scheme of the paper, or a free taper.

    A warm restart brings the learning rate back, and with it lambda.
    """

    name = "weight-decay-taper"
    formula = "g <- g + lambda(lr) w; free: lambda min(ceiling, max(1, (onset lr_0 / lr)^power)); or sch01, sch02"
    when = (
        "Where the learning rate falls far in training: the decay rises as the learning rate falls, so that its "
        "effect does not fade."
    )
    reference = REFERENCE
    hyperparameters = (
        Hyperparameter("weight_decay", 1e-4, "lambda at the first learning rate", low=0.0, off=0.0),
        Hyperparameter("onset", 0.1, "learning rate, relative to the first, below which lambda rises", low=1e-12),
        Hyperparameter("power", 1.0, "how steeply it rises", low=0.0),
        Hyperparameter("ceiling", 16.0, "how many times lambda at most", low=1.0),
        Hyperparameter("taper", "free", "a free taper or a scheme of the paper", choices=TAPERS),
    )
    strength = "weight_decay"
    space = search_spaces.defaults.weight_decay_taper.DEFAULT
    paper = search_spaces.defaults.weight_decay_taper.PAPER

    def weight_decay(self, strengths: Strengths, progress: Progress) -> Tensor:
        """The coefficient ``lambda`` at the learning rate in use."""
        taper, relative = self.choices["taper"], progress.learning_rate_factor
        if taper == "free":
            factor = taper_factor(relative, strengths["onset"], strengths["power"], strengths["ceiling"])
        else:
            factor = scheme_factor(relative, taper)
        return strengths["weight_decay"] * factor

    def current_strength(self, strengths: Strengths, progress: Progress) -> Tensor:
        """The coefficient ``lambda`` at the learning rate in use."""
        return self.weight_decay(strengths, progress)
