"""Noise on images in [0, 1], clipped to [0, 1]: the numbers drawn depend on the seed alone, not on the strength.

So all regularizers see the same noise, and a curve over strengths shows one pattern that grows. ``NOISES`` lists all
kinds of noise that a study can ask for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from tune_reg.training.seeding import generator


def gaussian_noise(images: Tensor, std: float, seed: int) -> Tensor:
    """Images with Gaussian noise, ``clip(x + std n, 0, 1)``: n standard normal for each value.

    images: float [N, C, H, W] in [0, 1]; the result has the same shape, dtype and device.

    >>> gaussian_noise(torch.full((2, 1, 4, 4), 0.5), 0.1, seed=0).shape
    torch.Size([2, 1, 4, 4])
    """
    drawn = torch.randn(images.shape, generator=generator(seed, "gaussian-noise"), dtype=torch.float32)
    return (images + std * drawn.to(images)).clamp_(0, 1)


def uniform_noise(images: Tensor, half_width: float, seed: int) -> Tensor:
    """Images with uniform noise, ``clip(x + half_width u, 0, 1)``: u uniform in [-1, 1] for each value.

    images: float [N, C, H, W] in [0, 1]; the result has the same shape, dtype and device.

    >>> bool((uniform_noise(torch.full((2, 1, 4, 4), 0.5), 0.1, seed=0) - 0.5).abs().max() <= 0.1)
    True
    """
    drawn = torch.rand(images.shape, generator=generator(seed, "uniform-noise"), dtype=torch.float32)
    return (images + half_width * (2 * drawn - 1).to(images)).clamp_(0, 1)


def salt_and_pepper(images: Tensor, share: float, seed: int) -> Tensor:
    """Images of which a ``share`` of the values is set to 0 or 1, both equally likely.

    images: float [N, C, H, W] in [0, 1]; the result has the same shape, dtype and device. Each channel is drawn by
    itself, as in scikit-image's ``random_noise(mode="s&p")``. A value that is set at one share is set to the same
    number at every larger share.

    >>> salt_and_pepper(torch.full((1, 1, 2, 3), 0.5), 1.0, seed=0).unique()
    tensor([0., 1.])
    """
    drawn = torch.rand(2, *images.shape, generator=generator(seed, "salt-noise"), dtype=torch.float32).to(images)
    return torch.where(drawn[0] < share, (drawn[1] < 0.5).to(images), images)


@dataclass(frozen=True)
class Noise:
    """A kind of noise that a study can ask for: ``run(images, strength, seed)`` returns the noisy images."""

    #: The name of the noise's rows in the table "robustness".
    name: str
    #: One line for people.
    description: str
    run: Callable[[Tensor, float, int], Tensor]

    @property
    def key(self) -> str:
        """The key of ``RobustnessSettings`` that gives the strengths."""
        return self.name.replace("-", "_")


GAUSSIAN_NOISE: Final = Noise("gaussian-noise", "Gaussian noise of a standard deviation", gaussian_noise)
UNIFORM_NOISE: Final = Noise("uniform-noise", "uniform noise of a half width", uniform_noise)
SALT_NOISE: Final = Noise("salt-noise", "salt and pepper: a share of the values set to 0 or 1", salt_and_pepper)

#: All kinds of noise, in the order of their rows.
NOISES: Final = (GAUSSIAN_NOISE, UNIFORM_NOISE, SALT_NOISE)
