"""Dropout: hidden units are set to 0 at random in training (Srivastava et al. 2014)."""

from __future__ import annotations

from torch import Tensor

import search_spaces.defaults.dropout
from tune_reg.regularizers.base import Hyperparameter, Progress, Regularizer, Strengths
from tune_reg.regularizers.registry import register


@register
class Dropout(Regularizer):
    """Dropout: units before dropout layers are set to 0 with probability P, and else multiplied by ``1 / (1 - P)``.

    The model must have dropout layers: nn-2, nn-3, lenet-4 and vgg-9 have them after their hidden linear layers.
    """

    name = "dropout"
    formula = "h <- m h / (1 - P), m ~ Bernoulli(1 - P)"
    when = "In networks with wide hidden linear layers and few images. The model must have dropout layers."
    reference = """@article{srivastava2014dropout,
  title = {Dropout: A Simple Way to Prevent Neural Networks from Overfitting},
  author = {Srivastava, Nitish and Hinton, Geoffrey and Krizhevsky, Alex and Sutskever, Ilya and
            Salakhutdinov, Ruslan},
  journal = {Journal of Machine Learning Research},
  volume = {15},
  pages = {1929--1958},
  year = {2014}
}"""
    hyperparameters = (Hyperparameter("rate", 0.125, "P, the probability to drop", low=0.0, high=0.999, off=0.0),)
    strength = "rate"
    space = search_spaces.defaults.dropout.DEFAULT
    paper = search_spaces.defaults.dropout.PAPER

    def dropout(self, strengths: Strengths, progress: Progress) -> Tensor:
        """The probability ``P`` to drop a unit."""
        del progress
        return strengths["rate"]
