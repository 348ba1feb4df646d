"""A penalty on the Jacobian of the class probabilities by the image (Sokolic et al. 2017)."""

from __future__ import annotations

from tune_reg.regularizers.gradient_penalties.base import GradientPenaltyRegularizer
from tune_reg.regularizers.gradient_penalties.formulas import jac
from tune_reg.regularizers.registry import register


@register
class ProbabilityJacobian(GradientPenaltyRegularizer):
    """A penalty on the Jacobian of the class probabilities by the image (Sokolic et al. 2017)."""

    name = "jac"
    formula = "L + lambda mean |dz/dx|_F^2, z = softmax(g)"
    when = (
        "Where the class probabilities, rather than the logits, should be smooth in the image: sure answers are "
        "penalized little."
    )
    reference = """@article{sokolic2017robust,
  title = {Robust Large Margin Deep Neural Networks},
  author = {Sokoli{\\'c}, Jure and Giryes, Raja and Sapiro, Guillermo and Rodrigues, Miguel R. D.},
  journal = {IEEE Transactions on Signal Processing},
  volume = {65},
  number = {16},
  pages = {4265--4280},
  year = {2017}
}"""
    per_sample = staticmethod(jac)
