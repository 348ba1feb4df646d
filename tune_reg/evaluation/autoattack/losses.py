"""What the attacks of AutoAttack look at: functions of logits [B, M] and labels int64 [B] -> [B]."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy of each image: [B]."""
    return nn.functional.cross_entropy(logits, labels, reduction="none")


def targeted_difference(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """The targeted difference of logits ratio: how far the target class is ahead of the right one, as a ratio: [B].

    ``(z_t - z_y) / (z_1 - (z_3 + z_4) / 2)``, z_1, z_3, z_4 the largest, third and fourth logit, so that neither a
    shift nor the scale of the logits matters. Below four classes it is ``z_t - z_y``.

    Source: Croce and Hein 2020, equation 7.

    >>> z = torch.tensor([[4.0, 1.0, 2.0, 0.0]])
    >>> right, target = torch.tensor([0]), torch.tensor([2])
    >>> targeted_difference(z, right, target), targeted_difference(5 * z + 3, right, target)
    (tensor([-0.5714]), tensor([-0.5714]))
    """
    ahead = (logits.gather(1, targets.unsqueeze(1)) - logits.gather(1, labels.unsqueeze(1))).squeeze(1)
    if logits.shape[1] < 4:
        return ahead
    largest = logits.topk(4, dim=1).values
    return ahead / (largest[:, 0] - (largest[:, 2] + largest[:, 3]) / 2 + 1e-12)


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """How far the right class is ahead of the best other one, ``z_y - max_(j != y) z_j``: [B]; below 0 it is wrong.

    >>> margin(torch.tensor([[4.0, 1.0, 2.0]]), torch.tensor([0]))
    tensor([2.])
    """
    right = logits.gather(1, labels.unsqueeze(1))
    others = logits.scatter(1, labels.unsqueeze(1), -torch.inf)
    return right.squeeze(1) - others.amax(1)
