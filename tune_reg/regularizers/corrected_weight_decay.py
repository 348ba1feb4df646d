"""Decoupled weight decay corrected by the learning rate's schedule, as in AdamC and SGDC (Defazio 2025)."""

from __future__ import annotations

from torch import Tensor

import search_spaces.defaults.corrected_weight_decay
from tune_reg.regularizers.base import Hyperparameter, Progress, Regularizer, Strengths
from tune_reg.regularizers.registry import register


@register
class CorrectedWeightDecay(Regularizer):
    """Corrected weight decay: ``w <- (1 - lr^2 / lr_0 lambda) w`` before the step, lr_0 the learning rate at its peak.

    With lambda constant, the norm to which decay leads a layer before a normalisation depends on the learning rate, so
    that gradients grow as a schedule falls. The factor ``lr / lr_0`` keeps it where it is. At a constant learning rate
    it is decoupled weight decay.

    The paper corrects layers before a normalisation, and decays others by ``lr lambda``; here all weights are
    corrected, since a weight does not say what follows it. lr_0 is the learning rate before its schedule, whose factor
    must not exceed 1.

    When to use it: in place of decoupled weight decay, with normalisation layers and a learning rate that falls far.
    """

    name = "corrected-weight-decay"
    formula = "w <- (1 - lr lambda lr / lr_0) w"
    when = "Where the learning rate falls far in training, and decay should keep its balance with it."
    reference = """@misc{defazio2025gradients,
  title = {Why Gradients Rapidly Increase Near the End of Training},
  author = {Defazio, Aaron},
  eprint = {2506.02285},
  archivePrefix = {arXiv},
  year = {2025}
}"""
    hyperparameters = (Hyperparameter("weight_decay", 5e-4, "lambda at the first learning rate", low=0.0, off=0.0),)
    strength = "weight_decay"
    space = search_spaces.defaults.corrected_weight_decay.DEFAULT

    def update(self, parameter: Tensor, gradient: Tensor, strengths: Strengths, progress: Progress) -> Tensor:
        """The decayed weight, ``(1 - lr lambda lr / lr_0) w``."""
        del gradient
        return parameter * (1 - progress.learning_rate * self.current_strength(strengths, progress))

    def current_strength(self, strengths: Strengths, progress: Progress) -> Tensor:
        """The coefficient ``lambda lr / lr_0`` at the learning rate in use."""
        return strengths["weight_decay"] * progress.learning_rate_factor
