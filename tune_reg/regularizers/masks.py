"""Masks that let a part of the weights rest: 1 where a weight learns, 0 where it gets no update."""

from __future__ import annotations

import torch
from torch import Tensor


def random_mask(like: Tensor, sparsity: float, generator: torch.Generator | None = None) -> Tensor:
    """A random mask with exactly ``round(sparsity n)`` zeros and else ones, in the shape and dtype of ``like``.

    >>> float(random_mask(torch.zeros(4, 5), 0.3).sum())
    14.0
    """
    order = torch.randperm(like.numel(), generator=generator, device=generator.device if generator else "cpu")
    mask = torch.ones(like.numel(), dtype=like.dtype)
    mask[order[: round(sparsity * like.numel())].cpu()] = 0
    return torch.empty_like(like).copy_(mask.view(like.shape))


def is_maskable(parameter: Tensor) -> bool:
    """Whether sparsity acts on a parameter: on weights of convolutions and linear layers, not on biases.

    >>> is_maskable(torch.zeros(3, 2)), is_maskable(torch.zeros(3))
    (True, False)
    """
    return parameter.ndim > 1
