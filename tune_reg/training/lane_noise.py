"""The noise of a penalty for many lanes at once."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tune_reg.regularizers import Regularizer
from tune_reg.regularizers.combination import Combination


def before_the_batch(reg: Regularizer, noise: Tensor, shape: torch.Size) -> Tensor:
    """Penalty noise [K, *own] of K lanes as the penalty of [K, B, M] outputs takes it: lanes just before the batch.

    ``shape``: [B, M], of the outputs of one lane. A combination's row is cut into its parts' shares first.

    >>> from tune_reg.regularizers import regularizer
    >>> before_the_batch(regularizer("fob")(), torch.zeros(3, 1, 6, 10), torch.Size([6, 10])).shape
    torch.Size([1, 3, 6, 10])
    """
    if not isinstance(reg, Combination):
        return noise.movedim(0, noise.ndim - 1 - len(shape))
    shares = reg.noise_shares("penalty", shape)
    rows = torch.split(noise, [math.prod(own) for _, own in shares], dim=1)
    pieces = [
        before_the_batch(part, row.view(len(noise), *own), shape) for (part, own), row in zip(shares, rows, strict=True)
    ]
    return torch.cat([piece.flatten() for piece in pieces])
