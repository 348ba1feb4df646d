"""L1: every weight moves towards 0 by the same amount (Tibshirani 1996)."""

from __future__ import annotations

from torch import Tensor

import search_spaces.defaults.l1
from tune_reg.regularizers.base import Hyperparameter, Progress, Regularizer, Strengths
from tune_reg.regularizers.registry import register


@register
class L1(Regularizer):
    """L1: the penalty ``lambda |w|_1`` by its subgradient, which is 0 at 0; on all parameters, as weight decay."""

    name = "l1"
    formula = "g <- g + lambda sign(w)"
    when = "Where many weights may be exactly unimportant and small ones should go towards 0, as before pruning."
    reference = """@article{tibshirani1996regression,
  title = {Regression Shrinkage and Selection via the Lasso},
  author = {Tibshirani, Robert},
  journal = {Journal of the Royal Statistical Society, Series B},
  volume = {58},
  number = {1},
  pages = {267--288},
  year = {1996}
}"""
    hyperparameters = (Hyperparameter("strength", 1e-5, "lambda, the factor of |w|_1", low=0.0, off=0.0),)
    strength = "strength"
    space = search_spaces.defaults.l1.DEFAULT

    def gradient(
        self, gradient: Tensor, parameter: Tensor, strengths: Strengths, progress: Progress, noise: Tensor | None
    ) -> Tensor:
        """The gradient with the penalty's, ``g + lambda sign(w)``."""
        del progress, noise
        return gradient + strengths["strength"] * parameter.sign()
