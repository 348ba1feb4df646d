"""The confidence penalty: predictions of low entropy are penalized (Pereyra et al. 2017)."""

from __future__ import annotations

import torch
from torch import Tensor

import search_spaces.defaults.confidence_penalty
from tune_reg.regularizers.base import Hyperparameter, Progress, Regularizer, Strengths
from tune_reg.regularizers.registry import register


def negative_entropy(outputs: Tensor) -> Tensor:
    """The negative entropy of the softmax, ``sum_j p_j log p_j``: logits [..., M] -> [...], in [-log M, 0]."""
    log_p = torch.log_softmax(outputs, -1)
    return (log_p.exp() * log_p).sum(-1)


@register
class ConfidencePenalty(Regularizer):
    """The confidence penalty: ``- beta H(p)`` is added to the loss, averaged over the batch."""

    name = "confidence-penalty"
    formula = "L - beta H(p), H(p) = -sum p log p, p = softmax(h)"
    when = (
        "Where a network is sure of wrong answers, and where calibration matters: it pulls probabilities towards "
        "each other and leaves the labels as they are."
    )
    reference = """@article{pereyra2017regularizing,
  title = {Regularizing Neural Networks by Penalizing Confident Output Distributions},
  author = {Pereyra, Gabriel and Tucker, George and Chorowski, Jan and Kaiser, Lukasz and Hinton, Geoffrey},
  journal = {arXiv preprint arXiv:1701.06548},
  year = {2017}
}"""
    hyperparameters = (Hyperparameter("strength", 0.1, "beta, the factor of the entropy", low=0.0, off=0.0),)
    strength = "strength"
    space = search_spaces.defaults.confidence_penalty.DEFAULT

    def penalty(
        self,
        inputs: Tensor,
        outputs: Tensor,
        targets: Tensor,
        strengths: Strengths,
        progress: Progress,
        noise: Tensor | None,
    ) -> Tensor:
        """The penalty ``beta mean sum p log p``."""
        del inputs, targets, progress, noise
        return strengths["strength"] * negative_entropy(outputs).mean(-1)
