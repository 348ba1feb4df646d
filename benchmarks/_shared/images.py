"""Synthetic images, for what depends on the shape of images alone."""

from __future__ import annotations

import torch

from tune_reg.data import Dataset


def synthetic_images(
    train: int, test: int, *, brightest: int = 64, noise: tuple[int, int] = (0, 192), name: str = "synthetic"
) -> Dataset:
    """Grey images of 28 x 28 in ten classes that can be learnt: a pattern for each class, and noise on each image.

    ``brightest``: pixels of the patterns lie below it. ``noise``: the range of integers that are added to each pixel.
    """
    count = train + test
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 10
    patterns = torch.randint(0, brightest, (10, 28, 28, 1), generator=generator)
    added = torch.randint(*noise, (count, 28, 28, 1), generator=generator)
    pixels = (patterns[labels] + added).clamp(0, 255).to(torch.uint8)
    return Dataset(name, pixels[:train], labels[:train], pixels[train:], labels[train:], classes=10)
