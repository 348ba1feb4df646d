"""Decoupled weight decay, as in SGDW and AdamW (Loshchilov and Hutter 2019)."""

from __future__ import annotations

from torch import Tensor

import search_spaces.defaults.decoupled_weight_decay
from tune_reg.regularizers.base import Hyperparameter, Progress, Regularizer, Strengths
from tune_reg.regularizers.registry import register


@register
class DecoupledWeightDecay(Regularizer):
    """Decoupled weight decay: ``w <- (1 - lr lambda) w`` before the step, not touched by momentum and adaptive scaling.

    As in ``torch.optim.AdamW``, the decay is multiplied by the learning rate in use.
    """

    name = "decoupled-weight-decay"
    formula = "w <- (1 - lr lambda) w"
    when = (
        "With adam and other adaptive optimizers, whose scaling would weaken coupled decay where gradients are large."
    )
    reference = """@inproceedings{loshchilov2019decoupled,
  title = {Decoupled Weight Decay Regularization},
  author = {Loshchilov, Ilya and Hutter, Frank},
  booktitle = {International Conference on Learning Representations},
  year = {2019}
}"""
    hyperparameters = (Hyperparameter("weight_decay", 5e-4, "lambda", low=0.0, off=0.0),)
    strength = "weight_decay"
    space = search_spaces.defaults.decoupled_weight_decay.DEFAULT

    def update(self, parameter: Tensor, gradient: Tensor, strengths: Strengths, progress: Progress) -> Tensor:
        """The decayed weight, ``(1 - lr lambda) w``."""
        del gradient
        return parameter * (1 - progress.learning_rate * strengths["weight_decay"])
