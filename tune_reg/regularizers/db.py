"""Double backpropagation: a penalty on the gradient of the loss by the image (Drucker and Le Cun 1992)."""

from __future__ import annotations

import search_spaces.gradient_penalties
from tune_reg.regularizers.gradient_penalties import STRENGTH, GradientPenaltyRegularizer, db
from tune_reg.regularizers.registry import register


@register
class DoubleBackpropagation(GradientPenaltyRegularizer):
    """Double backpropagation: a penalty on the gradient of the loss by the image (Drucker and Le Cun 1992)."""

    name = "db"
    formula = "L + lambda mean |grad_x l|^2"
    reference = """@article{drucker1992improving,
  title = {Improving Generalization Performance Using Double Backpropagation},
  author = {Drucker, Harris and Le Cun, Yann},
  journal = {IEEE Transactions on Neural Networks},
  volume = {3},
  number = {6},
  pages = {991--997},
  year = {1992}
}"""
    hyperparameters = (STRENGTH,)
    space = search_spaces.gradient_penalties.DEFAULT
    paper = search_spaces.gradient_penalties.PAPER
    per_sample = staticmethod(db)
