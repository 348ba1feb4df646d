"""Mixup: training on weighted means of two images and of their targets (Zhang et al. 2018)."""

from __future__ import annotations

import torch
from torch import Tensor

import search_spaces.defaults.mixup
from tune_reg.regularizers.base import Hyperparameter, Progress, Regularizer, Strengths
from tune_reg.regularizers.mixing import drawn, numbers_to_draw
from tune_reg.regularizers.registry import register


def mixed(values: Tensor, partner: Tensor, share: Tensor) -> Tensor:
    """``share v_i + (1 - share) v_partner(i)`` for each i: values [B, ...], partner int64 [B], share scalar.

    >>> mixed(torch.tensor([0.0, 8.0]), torch.tensor([1, 0]), torch.tensor(0.75))
    tensor([2., 6.])
    """
    return share * values + (1 - share) * values[partner]


@register
class Mixup(Regularizer):
    """Mixup: images and targets become ``s x_i + (1 - s) x_j`` and ``s y_i + (1 - s) y_j``, ``s ~ Beta(alpha, alpha)``.

    j runs over a random permutation of the batch, and s is one number a batch, as in the authors' code. There is no
    mixing in evaluation.

    When to use it: on images with labels that may be wrong, as the paper measured.
    """

    name = "mixup"
    formula = "x <- s x_i + (1 - s) x_j, y <- s y_i + (1 - s) y_j, s ~ Beta(alpha, alpha)"
    when = "On images with enough epochs, against sure answers between the classes."
    reference = """@inproceedings{zhang2018mixup,
  title = {mixup: Beyond Empirical Risk Minimization},
  author = {Zhang, Hongyi and Cisse, Moustapha and Dauphin, Yann N. and Lopez-Paz, David},
  booktitle = {International Conference on Learning Representations},
  year = {2018}
}"""
    hyperparameters = (Hyperparameter("alpha", 1.0, "how even the shares are; 1: uniform in [0, 1]", low=0.0, off=0.0),)
    strength = "alpha"
    space = search_spaces.defaults.mixup.DEFAULT

    def noise_shape(self, hook: str, shape: torch.Size) -> tuple[int, ...] | None:
        """The numbers for a permutation of the batch, and for the share."""
        return (numbers_to_draw(shape[0]),) if hook == "mix" else None

    def mix(
        self, inputs: Tensor, targets: Tensor, strengths: Strengths, progress: Progress, noise: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The mixed images and targets."""
        del progress
        assert noise is not None
        partner, share = drawn(noise, len(inputs), strengths["alpha"])
        return mixed(inputs, partner, share), mixed(targets, partner, share)
