"""Random shift and mirror of a batch, on the device that holds it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from tune_reg.errors import DataError, StudyError


def crop_flip(images: Tensor, generator: torch.Generator, *, padding: int = 4, flip: bool = True) -> Tensor:
    """Shift and mirror each image at random: pad it with zeros, and cut an image of the same size out.

    images: [B, C, H, W] of any dtype on any device; shape, dtype, device and memory format stay. Each image
    is shifted by whole pixels, uniform over (2 padding + 1)^2 shifts, and mirrored left to right with
    probability 1/2 (``flip=False``: never). Random numbers come from ``generator``, normally one on the CPU, so
    that the same seed gives the same batch on every device.

    Augmentation of CIFAR in He et al. 2016 (arXiv 1512.03385, 4.2). Zeros must be black: augment images before they
    are normalised. Raises DataError for the shape, StudyError for the padding.

    >>> x = torch.ones(1, 1, 2, 2)
    >>> crop_flip(x, torch.Generator().manual_seed(0), padding=0).equal(x)
    True
    """
    if images.ndim != 4:
        raise DataError(f"images must have the shape [B, C, H, W], got {list(images.shape)}")
    if isinstance(padding, bool) or not isinstance(padding, int) or padding < 0:
        raise StudyError(f"padding must be a whole number of at least 0, got {padding!r}")
    shifts, mirrored = draw(len(images), generator, padding=padding, flip=flip)
    return shift_mirror(images, shifts, mirrored, padding=padding)


def draw(count: int, generator: torch.Generator, *, padding: int, flip: bool) -> tuple[Tensor, Tensor]:
    """Draw how each image is changed: shifts int64 [2, B] in 0..2 padding (rows, columns), mirrored bool [B]."""
    device = generator.device
    shifts = torch.randint(0, 2 * padding + 1, (2, count), generator=generator, device=device)
    if not flip:
        return shifts, torch.zeros(count, dtype=torch.bool, device=device)
    return shifts, torch.randint(0, 2, (count,), generator=generator, device=device).bool()


def shift_mirror(images: Tensor, shifts: Tensor, mirrored: Tensor, *, padding: int) -> Tensor:
    """Shift and mirror images as drawn by ``draw``.

    Pixel (i, j) of the result is pixel (i + shifts[0, b], j' + shifts[1, b]) of the padded image b, where j' is j, or
    W - 1 - j where the image is mirrored. images [B, C, H, W], shifts int64 [2, B], mirrored
    bool [B]; the result is like images in shape, dtype, device and memory format.
    """
    count, channels, height, width = images.shape
    device = images.device
    shifts, mirrored = shifts.to(device), mirrored.to(device)
    rows = shifts[0, :, None] + torch.arange(height, device=device)  # [B, H]
    across = torch.arange(width, device=device)
    columns = shifts[1, :, None] + torch.where(mirrored[:, None], across.flip(0), across)  # [B, W]
    # One gather of whole pixels (all channels at once) from the padded images, seen as a list of pixels.
    padded = functional.pad(images.permute(0, 2, 3, 1), (0, 0, padding, padding, padding, padding))
    padded_height, padded_width = height + 2 * padding, width + 2 * padding
    first = torch.arange(count, device=device)[:, None, None] * padded_height
    pixel = (first + rows[:, :, None]) * padded_width + columns[:, None, :]  # [B, H, W]
    cut = padded.reshape(-1, channels).index_select(0, pixel.flatten())
    result = cut.view(count, height, width, channels).permute(0, 3, 1, 2)
    if images.is_contiguous(memory_format=torch.channels_last):
        return result
    return result.contiguous()
