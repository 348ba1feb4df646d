"""Randomized decay, the control of the AdaDecay paper (equation 13): random factors in place of AdaDecay's."""

from __future__ import annotations

import torch
from torch import Tensor

from tune_reg.regularizers.adadecay.control import DecayControl
from tune_reg.regularizers.registry import register


@register
class RandomizedDecay(DecayControl):
    """Randomized decay, the control of the AdaDecay paper (equation 13): random factors in place of AdaDecay's."""

    name = "adadecay-randomized"
    formula = "g <- g + lambda theta w, theta = 2 / (1 + exp(-alpha e)), e ~ N(0, 1) for each weight and step"
    when = "As a control beside adadecay: factors of the same form that know nothing of the gradient."

    def noise_shape(self, hook: str, shape: torch.Size) -> tuple[int, ...] | None:
        """The shape of the parameter: one random number for each weight."""
        return tuple(shape) if hook == "gradient" else None

    def factors(self, gradient: Tensor, alpha: Tensor, noise: Tensor | None) -> Tensor:
        """Factors of random numbers, ``2 / (1 + exp(-alpha e))``."""
        del gradient
        assert noise is not None
        return 2 * torch.sigmoid(alpha * noise)
