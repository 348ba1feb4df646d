"""Weight decay: constant and coupled, as in ``torch.optim.SGD``."""

from __future__ import annotations

from torch import Tensor

import search_spaces.defaults.weight_decay
from tune_reg.regularizers.base import Hyperparameter, Progress, Regularizer, Strengths
from tune_reg.regularizers.registry import register


@register
class WeightDecay(Regularizer):
    """Weight decay, coupled L2: ``lambda w`` is added to every gradient, before momentum."""

    name = "weight-decay"
    formula = "g <- g + lambda w"
    when = (
        "First, and as the baseline: it is cheap, helps nearly everywhere, and any other method should be "
        "compared with it."
    )
    reference = """@inproceedings{krogh1991simple,
  title = {A Simple Weight Decay Can Improve Generalization},
  author = {Krogh, Anders and Hertz, John A.},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {4},
  year = {1991}
}"""
    hyperparameters = (Hyperparameter("weight_decay", 5e-4, "lambda, the factor of 1/2 |w|^2", low=0.0, off=0.0),)
    strength = "weight_decay"
    space = search_spaces.defaults.weight_decay.DEFAULT
    paper = search_spaces.defaults.weight_decay.PAPER

    def weight_decay(self, strengths: Strengths, progress: Progress) -> Tensor:
        """The coefficient ``lambda``."""
        del progress
        return strengths["weight_decay"]
