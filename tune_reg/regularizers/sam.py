"""Sharpness-aware minimization: the gradient is taken where the loss nearby is highest (Foret et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

import search_spaces.defaults.sam
from tune_reg.regularizers.base import Hyperparameter, Progress, Regularizer, Strengths
from tune_reg.regularizers.norms import global_norm
from tune_reg.regularizers.registry import register


def ascent_point(parameters: Sequence[Tensor], gradients: Sequence[Tensor], rho: Tensor | float) -> list[Tensor]:
    """``w + rho g / |g|_2``, the norm of the gradients of all tensors together; ``w`` where the gradient is 0.

    >>> import torch
    >>> weights, gradients = torch.tensor([1.0, 0.0]), torch.tensor([3.0, 4.0])
    >>> ascent_point(weights.split(1), gradients.split(1), 0.5)
    [tensor([1.3000]), tensor([0.4000])]
    """
    # The constant of the authors' code: a gradient of 0 moves nothing.
    step = rho / (global_norm(gradients) + 1e-12)
    return [w + step * g for w, g in zip(parameters, gradients, strict=True)]


@register
class SharpnessAware(Regularizer):
    """Sharpness-aware minimization: the step's gradient is that at ``w + rho g / |g|_2``, a step uphill from w.

    Each step takes the gradient of its batch twice, so that an epoch counts as two in the budget. Weight decay and
    other changes of the gradient act once, at w.

    When to use it: where twice the time of training can be had for accuracy; the paper also measured training with
    wrong labels.
    """

    name = "sam"
    formula = "g <- grad L(w + rho g / |g|_2), |g|_2 of all weights together"
    when = "Where each step may cost twice as much, for flatter minima."
    reference = """@inproceedings{foret2021sharpness,
  title = {Sharpness-Aware Minimization for Efficiently Improving Generalization},
  author = {Foret, Pierre and Kleiner, Ariel and Mobahi, Hossein and Neyshabur, Behnam},
  booktitle = {International Conference on Learning Representations},
  year = {2021}
}"""
    hyperparameters = (Hyperparameter("rho", 0.05, "the length of the step uphill", low=0.0, off=0.0),)
    strength = "rho"
    space = search_spaces.defaults.sam.DEFAULT
    paper = search_spaces.defaults.sam.PAPER

    def ascend(
        self, parameters: Sequence[Tensor], gradients: Sequence[Tensor], strengths: Strengths, progress: Progress
    ) -> list[Tensor]:
        """The point ``w + rho g / |g|_2``."""
        del progress
        return ascent_point(parameters, gradients, strengths["rho"])
