"""Shuffled decay, a control for AdaDecay: the factors of a layer are given to its weights in random order."""

from __future__ import annotations

import torch
from torch import Tensor

import search_spaces.adadecay
from tune_reg.regularizers.adadecay import ALPHA, REFERENCE, WEIGHT_DECAY, decay_factor
from tune_reg.regularizers.base import Progress, Regularizer, Strengths
from tune_reg.regularizers.registry import register


@register
class ShuffledDecay(Regularizer):
    """Shuffled decay, a control for AdaDecay: the factors of a layer are given to its weights in random order."""

    name = "adadecay-shuffled"
    formula = "g <- g + lambda P theta w, theta of AdaDecay, P a random permutation of each layer, new in each step"
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
        """The gradient with decay, ``g + lambda P theta w``, P a random permutation."""
        del progress
        assert noise is not None
        theta = decay_factor(gradient, strengths["alpha"])
        shuffled = theta.flatten()[noise.flatten().argsort()].view_as(theta)
        return gradient + strengths["weight_decay"] * shuffled * parameter
