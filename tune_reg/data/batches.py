"""Batches by index: one gather from the images in memory, without loaders and workers."""

from __future__ import annotations

import torch
from torch import Tensor


def gather(images: Tensor, index: Tensor) -> Tensor:
    """The examples [N, ...] at an index int64 [B], in the same dtype: images of uint8 as [B, C, H, W], channels_last.

    The index may lie on another device than the images; the batch lies where the images do.
    """
    rows = images.index_select(0, index.to(images.device))
    return rows.permute(0, 3, 1, 2) if images.dtype == torch.uint8 else rows


def to_unit(images: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Images of uint8 0..255 as floating-point numbers in [0, 1]; shape and memory format stay.

    Other numbers stay as they are: floats in ``dtype``, and whole numbers whole.

    >>> to_unit(torch.tensor([0, 51, 255], dtype=torch.uint8)), to_unit(torch.tensor([-2.5]))
    (tensor([0.0000, 0.2000, 1.0000]), tensor([-2.5000]))
    """
    if images.dtype == torch.uint8:
        return images.to(dtype).div_(255)
    return images.to(dtype) if images.is_floating_point() else images


def batch(images: Tensor, index: Tensor) -> Tensor:
    """The images uint8 [N, H, W, C] at an index int64 [B], as float32 [B, C, H, W] in [0, 1], channels_last.

    Augmentation acts on bytes, between gathering and scaling: ``to_unit(crop_flip(gather(images, index), generator))``.

    >>> images = torch.full((5, 2, 2, 3), 255, dtype=torch.uint8)
    >>> x = batch(images, torch.tensor([0, 4]))
    >>> x.shape, x.is_contiguous(memory_format=torch.channels_last)
    (torch.Size([2, 3, 2, 2]), True)
    """
    return to_unit(gather(images, index))
