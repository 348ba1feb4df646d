"""Double backpropagation: a penalty on the gradient of the loss by the image (Drucker and Le Cun 1992)."""

from __future__ import annotations

from tune_reg.regularizers.gradient_penalties.base import STRENGTH, GradientPenaltyRegularizer
from tune_reg.regularizers.gradient_penalties.formulas import db
from tune_reg.regularizers.registry import register


@register
class DoubleBackpropagation(GradientPenaltyRegularizer):
    """Double backpropagation: a penalty on the gradient of the loss by the image (Drucker and Le Cun 1992)."""

    name = "db"
    formula = "L + lambda mean |grad_x l|^2"
    when = (
        "Where small changes of the image should not change the loss: with few images, and against weak attacks. "
        "Each step costs a second backward pass."
    )
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
    per_sample = staticmethod(db)
