"""The mathematics of one training step as pure functions of tensors, for one network or, under vmap, for many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import vmap

from tune_reg.regularizers import Progress, Regularizer, Strengths


def data_loss(
    reg: Regularizer,
    loss: str,
    outputs: Tensor,
    targets: Tensor,
    mixed: Tensor | None,
    strengths: Strengths,
    progress: Progress,
) -> Tensor:
    """The mean loss of a batch: the loss of the regularizer, or the study's ``loss`` of the regularizer's targets.

    outputs [B, M], targets int64 [B], ``mixed`` [B, M] where the regularizer's ``mix`` has changed them -> scalar.
    """
    if reg.fills("loss"):
        return reg.loss(outputs, targets, strengths, progress)
    if mixed is None and loss == "cross-entropy" and not reg.fills("targets"):
        return nn.functional.cross_entropy(outputs, targets)
    soft = one_hot(targets, outputs.shape[-1], outputs.dtype) if mixed is None else mixed
    if reg.fills("targets"):
        soft = reg.targets(soft, strengths, progress)
    return mean_squared_error(outputs, soft) if loss == "mse" else soft_cross_entropy(outputs, soft)


def lane_losses(
    reg: Regularizer,
    loss: str,
    outputs: Tensor,
    targets: Tensor,
    mixed: Tensor | None,
    strengths: Strengths,
    progress: Progress,
) -> Tensor:
    """``data_loss`` of K networks side by side: each argument with a leading axis of networks -> [K]."""
    if mixed is None and loss == "cross-entropy" and not (reg.fills("loss") or reg.fills("targets")):
        # vmap takes torch's cross-entropy apart in Python, and imports sympy to do so, which takes a second.
        return -torch.log_softmax(outputs, -1).gather(-1, targets.unsqueeze(-1)).mean((1, 2))
    of_networks = vmap(partial(data_loss, reg, loss), in_dims=(0, 0, None if mixed is None else 0, 0, 0))
    losses: Tensor = of_networks(outputs, targets, mixed, strengths, progress)
    return losses


def regularized(
    reg: Regularizer,
    parameter: Tensor,
    gradient: Tensor,
    strengths: Strengths,
    progress: Progress,
    noise: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """One parameter tensor and its gradient after the regularizer's ``update`` and ``gradient``, for the optimizer."""
    if reg.fills("update"):
        parameter = reg.update(parameter, gradient, strengths, progress)
    if reg.fills("gradient"):
        gradient = reg.gradient(gradient, parameter, strengths, progress, noise)
    return parameter, gradient


@torch.no_grad()
def regularize(
    reg: Regularizer,
    parameters: Sequence[Tensor],
    strengths: Strengths,
    progress: Progress,
    noise: Callable[[Tensor], Tensor | None],
    masks: Mapping[int, Tensor],
    weight_decay: float | Tensor | None,
) -> None:
    """Apply the regularizer to gradients and weights, between the backward pass and the optimizer's step.

    ``noise``: of the hook ``gradient``, for a gradient. ``masks``: which weights learn, by the parameter's index.
    ``weight_decay``: added here, as where there are masks, which it is masked with; None: the optimizer adds it.
    """
    for i, parameter in enumerate(parameters):
        gradient = parameter.grad
        if gradient is None:
            continue
        drawn = noise(gradient) if reg.fills("gradient") else None
        updated, gradient = regularized(reg, parameter, gradient, strengths, progress, drawn)
        if updated is not parameter:
            parameter.copy_(updated)
        if weight_decay is not None:
            gradient = gradient + weight_decay * parameter
        if i in masks:
            gradient = gradient * masks[i]
        if gradient.stride() != parameter.stride():
            # The fused optimizer walks both by the parameter's strides and is silently wrong otherwise.
            gradient = torch.empty_like(parameter).copy_(gradient)
        parameter.grad = gradient


def rest_momentum(optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor], masks: Mapping[int, Tensor]) -> None:
    """Let weights that rested before have zero momentum; ``masks``: by the parameter's index."""
    for i, mask in masks.items():
        buffer = optimizer.state.get(parameters[i], {}).get("momentum_buffer")  # reading must add no entry
        if buffer is not None:
            buffer.mul_(mask)


def draw_noise(
    reg: Regularizer, hook: str, shape: torch.Size, source: torch.Generator, dtype: torch.dtype
) -> Tensor | None:
    """The noise of a regularizer's hook for a tensor of this shape, on the CPU; None for a hook without noise."""
    wanted = reg.noise_shape(hook, shape)
    return None if wanted is None else torch.randn(wanted, generator=source, dtype=dtype)


def one_hot(targets: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """Targets int64 [..., B] as rows of 0 and 1 [..., B, M]."""
    return (targets.unsqueeze(-1) == torch.arange(classes, device=targets.device)).to(dtype)


def soft_cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """``- sum_j y_j log softmax(h)_j``, averaged over the batch: outputs [B, M], targets [B, M] -> scalar."""
    return -(targets * torch.log_softmax(outputs, -1)).sum(-1).mean()


def mean_squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Squared error of the softmax against ``targets``, summed over classes, averaged over the batch.

    This is the loss of residual smoothing with nothing smoothed. outputs [B, M], targets [B, M] -> scalar.
    """
    return (torch.softmax(outputs, -1) - targets).square().sum(-1).mean()
