"""Randomized decay, the control of the AdaDecay paper (equation 13): random factors in place of AdaDecay's."""

from __future__ import annotations

import torch
from torch import Tensor

import search_spaces.adadecay
from tune_reg.regularizers.adadecay import ALPHA, REFERENCE, WEIGHT_DECAY
from tune_reg.regularizers.base import Progress, Regularizer, Strengths
from tune_reg.regularizers.registry import register


@register
class RandomizedDecay(Regularizer):
    """Randomized decay, the control of the AdaDecay paper (equation 13): random factors in place of AdaDecay's."""

    name = "adadecay-randomized"
    formula = "g <- g + lambda theta w, theta = 2 / (1 + exp(-alpha e)), e ~ N(0, 1) for each weight and step"
    reference = REFERENCE
    hyperparameters = (WEIGHT_DECAY, ALPHA)
    strength = "weight_decay"
    space = search_spaces.adadecay.DEFAULT

    def noise_shape(self, hook: str, shape: torch.Size) -> tuple[int, ...] | None:
        """The shape of the parameter: one random number for each weight."""
        return tuple(shape) if hook == "gradient" else None

    def gradient(
        self, gradient: Tensor, parameter: Tensor, strengths: Strengths, progress: Progress, noise: Tensor | None
    ) -> Tensor:
        """The gradient with decay, ``g + lambda theta w``, theta from random numbers."""
        del progress
        assert noise is not None
        theta = 2 * torch.sigmoid(strengths["alpha"] * noise)
        return gradient + strengths["weight_decay"] * theta * parameter
