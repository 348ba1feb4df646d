"""Matched decay, a control for AdaDecay: all weights of a layer decay by the mean of AdaDecay's factors."""

from __future__ import annotations

from torch import Tensor

from tune_reg.regularizers.adadecay.control import DecayControl
from tune_reg.regularizers.adadecay.decay import decay_factor
from tune_reg.regularizers.registry import register


@register
class MatchedDecay(DecayControl):
    """Matched decay, a control for AdaDecay: all weights of a layer decay by the mean of AdaDecay's factors."""

    name = "adadecay-matched"
    formula = "g <- g + lambda mean(theta) w, theta of AdaDecay in each layer and step"
    when = (
        "As a control beside adadecay: the same total decay in each layer and step, spread evenly. What adadecay "
        "gains over it is due to which weights decay."
    )

    def factors(self, gradient: Tensor, alpha: Tensor, noise: Tensor | None) -> Tensor:
        """The mean of AdaDecay's factors in the layer: 0-d."""
        del noise
        return decay_factor(gradient, alpha).mean()
