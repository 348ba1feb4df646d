"""Adaptive weight decay: as strong as the gradient, from step to step (Ghiasi, Shafahi and Ardekani 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from torch import Tensor

import search_spaces.defaults.adaptive_weight_decay
from tune_reg.regularizers.base import Hyperparameter, Progress, Regularizer, Strengths
from tune_reg.regularizers.norms import global_norm
from tune_reg.regularizers.registry import register

#: The weight of earlier steps in the running mean of lambda (algorithm 1).
_EARLIER: Final = 0.1


@register
class AdaptiveWeightDecay(Regularizer):
    """Adaptive weight decay, coupled: ``g + lambda_t w`` with ``lambda_t = 0.1 lambda_(t-1) + 0.9 s |g|_2 / |w|_2``.

    The norms are those of all weights together and of the gradient of the loss, so that the decay is about the share s
    of the gradient in each step. lambda begins at 0.

    When to use it: against overfitting in adversarial training, for which the paper made it, and where the learning
    rate is not settled, since s means the same at each.
    """

    name = "adaptive-weight-decay"
    formula = "g <- g + lambda_t w, lambda_t = 0.1 lambda_(t-1) + 0.9 s |g|_2 / |w|_2"
    when = "In place of constant decay, where its strength should follow the size of the gradients."
    reference = """@inproceedings{ghiasi2023improving,
  title = {Improving Robustness with Adaptive Weight Decay},
  author = {Ghiasi, Mohammad Amin and Shafahi, Ali and Ardekani, Reza},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {36},
  year = {2023}
}"""
    hyperparameters = (
        Hyperparameter("strength", 0.022, "s, the norm of the decay as a share of the gradient's", low=0.0, off=0.0),
    )
    strength = "strength"
    space = search_spaces.defaults.adaptive_weight_decay.DEFAULT

    def memory_size(self, tensors: int) -> int:
        """One number: lambda of the last step."""
        del tensors
        return 1

    def gradients(
        self,
        gradients: Sequence[Tensor],
        parameters: Sequence[Tensor],
        memory: Tensor,
        strengths: Strengths,
        progress: Progress,
    ) -> tuple[list[Tensor], Tensor]:
        """The gradients ``g + lambda_t w``, and ``lambda_t``."""
        del progress
        # The constant keeps a network whose weights are all 0 from dividing by 0.
        ratio = global_norm(gradients) / (global_norm(parameters) + 1e-12)
        memory = _EARLIER * memory + (1 - _EARLIER) * strengths["strength"] * ratio
        return [g + memory[0] * w for g, w in zip(gradients, parameters, strict=True)], memory
