"""The base of the controls of AdaDecay, which show what its factors are worth."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor

import search_spaces.defaults.adadecay
from tune_reg.regularizers.adadecay.decay import ALPHA, REFERENCE, WEIGHT_DECAY
from tune_reg.regularizers.base import Progress, Regularizer, Strengths


class DecayControl(Regularizer):
    """A control of AdaDecay: ``lambda theta w`` is added to every gradient, with factors theta of another kind."""

    reference = REFERENCE
    hyperparameters = (WEIGHT_DECAY, ALPHA)
    strength = "weight_decay"
    space = search_spaces.defaults.adadecay.DEFAULT

    @abstractmethod
    def factors(self, gradient: Tensor, alpha: Tensor, noise: Tensor | None) -> Tensor:
        """The factors theta of one layer, or a single one for all its weights: in the shape of ``gradient``, or 0-d."""

    def gradient(
        self, gradient: Tensor, parameter: Tensor, strengths: Strengths, progress: Progress, noise: Tensor | None
    ) -> Tensor:
        """The gradient with decay, ``g + lambda theta w``."""
        del progress
        theta = self.factors(gradient, strengths["alpha"], noise)
        return gradient + strengths["weight_decay"] * theta * parameter
