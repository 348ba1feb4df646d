"""The maths of one training step as pure functions of tensors, for one network or, under vmap, for many."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tune_reg.regularizers import Progress, Regularizer, Strengths


def data_loss(
    reg: Regularizer, loss: str, outputs: Tensor, targets: Tensor, strengths: Strengths, now: Progress
) -> Tensor:
    """The mean loss of a batch: the regularizer's own, or the study's ``loss`` of the regularizer's targets.

    outputs [B, M], targets int64 [B] -> scalar.
    """
    if reg.fills("loss"):
        return reg.loss(outputs, targets, strengths, now)
    if reg.fills("targets"):
        soft = reg.targets(one_hot(targets, outputs), strengths, now)
    elif loss == "cross-entropy":
        return nn.functional.cross_entropy(outputs, targets)
    else:
        soft = one_hot(targets, outputs)
    return mean_squared_error(outputs, soft) if loss == "mse" else soft_cross_entropy(outputs, soft)


def regularized(
    reg: Regularizer,
    parameter: Tensor,
    gradient: Tensor,
    strengths: Strengths,
    now: Progress,
    noise: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """One parameter tensor and its gradient as the optimizer gets them."""
    if reg.fills("update"):
        parameter = reg.update(parameter, gradient, strengths, now)
    if reg.fills("gradient"):
        gradient = reg.gradient(gradient, parameter, strengths, now, noise)
    return parameter, gradient


def draw_noise(
    reg: Regularizer, hook: str, shape: torch.Size, source: torch.Generator, dtype: torch.dtype
) -> Tensor | None:
    """The noise that a hook wants for a tensor of this shape, on the CPU; None where it wants none."""
    wanted = reg.noise_shape(hook, shape)
    return None if wanted is None else torch.randn(wanted, generator=source, dtype=dtype)


def to_unit(images: Tensor, dtype: torch.dtype) -> Tensor:
    """Images of uint8 0..255 as numbers in [0, 1]; shape and memory format stay."""
    return images.to(dtype).div_(255)


def one_hot(targets: Tensor, outputs: Tensor) -> Tensor:
    """Targets int64 [B] as rows of 0 and 1 [B, M], of the dtype of ``outputs`` [B, M]."""
    return (targets.unsqueeze(-1) == torch.arange(outputs.shape[-1], device=outputs.device)).to(outputs.dtype)


def soft_cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """``- sum_j y_j log softmax(h)_j``, averaged over the batch: outputs [B, M], targets [B, M] -> scalar."""
    return -(targets * torch.log_softmax(outputs, -1)).sum(-1).mean()


def mean_squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Squared error of the softmax against ``targets``, summed over classes, averaged over the batch.

    This is the loss of residual smoothing with nothing smoothed. outputs [B, M], targets [B, M] -> scalar.
    """
    return (torch.softmax(outputs, -1) - targets).square().sum(-1).mean()
