"""Matched decay, a control for AdaDecay: all weights of a layer decay by the mean of AdaDecay's factors."""

from __future__ import annotations

from torch import Tensor

import search_spaces.adadecay
from tune_reg.regularizers.adadecay import ALPHA, REFERENCE, WEIGHT_DECAY, decay_factor
from tune_reg.regularizers.base import Progress, Regularizer, Strengths
from tune_reg.regularizers.registry import register


@register
class MatchedDecay(Regularizer):
    """Matched decay, a control for AdaDecay: all weights of a layer decay by the mean of AdaDecay's factors."""

    name = "adadecay-matched"
    formula = "g <- g + lambda mean(theta) w, theta of AdaDecay in each layer and step"
    reference = REFERENCE
    hyperparameters = (WEIGHT_DECAY, ALPHA)
    strength = "weight_decay"
    space = search_spaces.adadecay.DEFAULT

    def gradient(
        self, gradient: Tensor, parameter: Tensor, strengths: Strengths, progress: Progress, noise: Tensor | None
    ) -> Tensor:
        """The gradient with decay, ``g + lambda mean(theta) w``."""
        del progress, noise
        theta = decay_factor(gradient, strengths["alpha"])
        return gradient + strengths["weight_decay"] * theta.mean() * parameter
