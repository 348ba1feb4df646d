"""Batches by index: one gather from the images in memory, without loaders and workers."""

from __future__ import annotations

import torch
from torch import Tensor


def gather(images: Tensor, index: Tensor) -> Tensor:
    """The images [N, H, W, C] at an index int64 [B], as [B, C, H, W] of the same dtype in channels_last format.

    The index may lie on another device than the images; the batch lies where the images do.
    """
    return images.index_select(0, index.to(images.device)).permute(0, 3, 1, 2)


def to_unit(images: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Images of uint8 0..255 as floating-point numbers in [0, 1]; shape and memory format stay.

    >>> to_unit(torch.tensor([0, 51, 255], dtype=torch.uint8))
    tensor([0.0000, 0.2000, 1.0000])
    """
    return images.to(dtype).div_(255)


def batch(images: Tensor, index: Tensor) -> Tensor:
    """The images uint8 [N, H, W, C] at an index int64 [B], as float32 [B, C, H, W] in [0, 1], channels_last.

    Augmentation acts on bytes, between gathering and scaling: ``to_unit(crop_flip(gather(images, index), generator))``.

    >>> images = torch.full((5, 2, 2, 3), 255, dtype=torch.uint8)
    >>> x = batch(images, torch.tensor([0, 4]))
    >>> x.shape, x.is_contiguous(memory_format=torch.channels_last)
    (torch.Size([2, 3, 2, 2]), True)
    """
    return to_unit(gather(images, index))
