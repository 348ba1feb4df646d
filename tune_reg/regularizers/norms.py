"""Norms of the tensors of a whole network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def global_norm(tensors: Sequence[Tensor]) -> Tensor:
    """The L2 norm of all elements of all tensors together: scalar.

    >>> global_norm([torch.tensor([3.0]), torch.tensor([[0.0, 4.0]])])
    tensor(5.)
    """
    return torch.stack([tensor.square().sum() for tensor in tensors]).sum().sqrt()
