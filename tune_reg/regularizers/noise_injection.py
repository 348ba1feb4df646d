"""Noise injection: Gaussian noise on the images (Bishop 1995)."""

from __future__ import annotations

import torch
from torch import Tensor

import search_spaces.defaults.noise_injection
from tune_reg.regularizers.base import Hyperparameter, Progress, Regularizer, Strengths
from tune_reg.regularizers.registry import register


@register
class NoiseInjection(Regularizer):
    """Noise injection: Gaussian noise on the images in training, ``x + lambda e``, new for each image and step.

    lambda is the standard deviation, in units of images in [0, 1]. Noisy images are not clipped, labels stay, and
    there is no noise in evaluation.
    """

    name = "noise-injection"
    formula = "L(x + lambda e, y), e ~ N(0, I)"
    when = (
        "With few images, and where inputs are noisy in use. Its strength is in units of the images' values, so "
        "mind their scale."
    )
    reference = """@article{bishop1995training,
  title = {Training with Noise is Equivalent to Tikhonov Regularization},
  author = {Bishop, Chris M.},
  journal = {Neural Computation},
  volume = {7},
  number = {1},
  pages = {108--116},
  year = {1995}
}"""
    hyperparameters = (Hyperparameter("strength", 0.1, "lambda, the noise's standard deviation", low=0.0, off=0.0),)
    strength = "strength"
    space = search_spaces.defaults.noise_injection.DEFAULT
    paper = search_spaces.defaults.noise_injection.PAPER

    def noise_shape(self, hook: str, shape: torch.Size) -> tuple[int, ...] | None:
        """The shape of the images: one random number for each value."""
        return tuple(shape) if hook == "inputs" else None

    def inputs(self, inputs: Tensor, strengths: Strengths, progress: Progress, noise: Tensor | None) -> Tensor:
        """The noisy images, ``x + lambda e``."""
        del progress
        assert noise is not None
        return inputs + strengths["strength"] * noise
