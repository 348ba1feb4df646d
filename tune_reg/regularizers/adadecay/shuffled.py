"""Shuffled decay, a control for AdaDecay: the factors of a layer are given to its weights in random order."""

from __future__ import annotations

import torch
from torch import Tensor

from tune_reg.regularizers.adadecay.control import DecayControl
from tune_reg.regularizers.adadecay.decay import decay_factor
from tune_reg.regularizers.registry import register


@register
class ShuffledDecay(DecayControl):
    """Shuffled decay, a control for AdaDecay: the factors of a layer are given to its weights in random order."""

    name = "adadecay-shuffled"
    formula = "g <- g + lambda P theta w, theta of AdaDecay, P a random permutation of each layer, new in each step"
    when = "As a control beside adadecay: the same factors, given to the wrong weights."

    def noise_shape(self, hook: str, shape: torch.Size) -> tuple[int, ...] | None:
        """The shape of the parameter: one random number for each weight."""
        return tuple(shape) if hook == "gradient" else None

    def factors(self, gradient: Tensor, alpha: Tensor, noise: Tensor | None) -> Tensor:
        """AdaDecay's factors of the layer, in random order."""
        assert noise is not None
        theta = decay_factor(gradient, alpha)
        return theta.flatten()[noise.flatten().argsort()].view_as(theta)
