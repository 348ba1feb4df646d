"""Shuffled decay, a control for AdaDecay: the factors of a layer are given to its weights in random order."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from tune_reg.regularizers.adadecay.control import DecayControl
from tune_reg.regularizers.adadecay.decay import decay_factor
from tune_reg.regularizers.registry import register

#: Normal noise of float32 has about so many different numbers between 0 and 1.
_STEPS: Final = 2**24


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
        # Integers are sorted by their digits on a CPU, in a third of the time. Stable: lanes and single runs alike.
        whole = (noise.flatten() * _STEPS).to(torch.int32)
        return theta.flatten()[whole.argsort(stable=True)].view_as(theta)
