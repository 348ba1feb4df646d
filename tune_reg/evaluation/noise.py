"""Noise on images in [0, 1], clipped to [0, 1]: what is drawn depends on the seed alone, not on the strength.

So all regularizers see the same noise, and a curve over strengths is one of the same pattern growing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tune_reg.training.seeding import generator


def gaussian_noise(images: Tensor, std: float, seed: int) -> Tensor:
    """``clip(x + std n, 0, 1)``, n standard normal for each value. images: float [N, C, H, W] in [0, 1].

    >>> gaussian_noise(torch.full((2, 1, 4, 4), 0.5), 0.1, seed=0).shape
    torch.Size([2, 1, 4, 4])
    """
    drawn = torch.randn(images.shape, generator=generator(seed, "gaussian-noise"), dtype=torch.float32)
    return (images + std * drawn.to(images)).clamp_(0, 1)


def uniform_noise(images: Tensor, half_width: float, seed: int) -> Tensor:
    """``clip(x + half_width u, 0, 1)``, u uniform in [-1, 1] for each value. images: float [N, C, H, W] in [0, 1].

    >>> bool((uniform_noise(torch.full((2, 1, 4, 4), 0.5), 0.1, seed=0) - 0.5).abs().max() <= 0.1)
    True
    """
    drawn = torch.rand(images.shape, generator=generator(seed, "uniform-noise"), dtype=torch.float32)
    return (images + half_width * (2 * drawn - 1).to(images)).clamp_(0, 1)


def salt_and_pepper(images: Tensor, share: float, seed: int) -> Tensor:
    """A ``share`` of the values is set to 0 or 1, each as often. images: float [N, C, H, W] in [0, 1].

    Channels are drawn apart, as in scikit-image's ``random_noise(mode="s&p")``. A value that is hit at one share is
    hit at every larger one, by the same grain.

    >>> salt_and_pepper(torch.full((1, 1, 2, 3), 0.5), 1.0, seed=0).unique()
    tensor([0., 1.])
    """
    drawn = torch.rand(2, *images.shape, generator=generator(seed, "salt-noise"), dtype=torch.float32).to(images)
    return torch.where(drawn[0] < share, (drawn[1] < 0.5).to(images), images)
