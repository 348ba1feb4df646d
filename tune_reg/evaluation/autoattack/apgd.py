"""APGD: projected gradient ascent that halves its steps where it does not get on (Croce and Hein 2020)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final, Literal

import torch
from torch import Tensor

#: The share of a step that is taken; the rest goes where the last step went.
_NEW: Final = 0.75
#: Steps to the first look at the progress, by how much shorter each next period is, and the shortest: shares of all.
_FIRST, _SHORTER, _SHORTEST = 0.22, 0.03, 0.06
#: Where the loss rises in no more than this share of the steps of a period, the image's step is halved.
_RISES: Final = 0.75


def apgd(
    model: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    starts: Tensor,
    epsilon: float,
    *,
    norm: Literal["linf", "l2"],
    loss: Callable[[Tensor, Tensor, Tensor], Tensor],
    steps: int,
) -> Tensor:
    """Which images become wrong within ``epsilon``: bool [B].

    images [B, C, H, W] in [0, 1]; labels int64 [B]; ``starts``: where the ascent begins, in units of epsilon from each
    image, in the unit ball; ``model``: logits [B, M] of images; ``loss``: of logits, labels and the index of the images
    int64 [b] among all -> [b]. Each image has a step of its own, 2 epsilon at first. At the end of each period the step
    is halved where the loss rose in at most 3 of 4 steps, or where neither step nor best loss changed in the last
    period; the ascent then goes on from the best point.

    Source: Croce and Hein, Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse Parameter-free
    Attacks, ICML 2020, algorithm 1.
    """
    fooled = torch.zeros(len(images), dtype=torch.bool, device=images.device)
    state = _begin(model, images, labels, starts, epsilon, norm, loss, fooled)
    period, done = max(int(_FIRST * steps), 1), 0
    for step in range(steps):
        state = _ascend(state, model, epsilon, norm, loss, fooled, first=step == 0)
        done += 1
        if done == period or step == steps - 1:
            state = _judged(state, period).only(~fooled[state.index])
            if not len(state.index):
                break
            shorter = period - max(int(_SHORTER * steps), 1)
            period, done = max(shorter, int(_SHORTEST * steps), 1), 0
    return fooled


@dataclass(frozen=True)
class _State:
    """The images that are still right, and how far the ascent has come with each: all tensors have one row for each."""

    index: Tensor
    images: Tensor
    labels: Tensor
    at: Tensor
    before: Tensor
    gradient: Tensor
    value: Tensor
    best: Tensor
    best_gradient: Tensor
    best_value: Tensor
    #: At the end of the last period: the best value, and whether the step was halved.
    last_best: Tensor
    halved: Tensor
    step: Tensor
    #: Steps of this period in which the loss rose.
    rises: Tensor

    def only(self, keep: Tensor) -> _State:
        """The images for which ``keep`` holds."""
        return _State(**{field.name: getattr(self, field.name)[keep] for field in fields(self)})

    def replaced(self, **tensors: Tensor) -> _State:
        """The state with other tensors."""
        return _State(**{field.name: tensors.get(field.name, getattr(self, field.name)) for field in fields(self)})


def _begin(
    model: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    starts: Tensor,
    epsilon: float,
    norm: Literal["linf", "l2"],
    loss: Callable[[Tensor, Tensor, Tensor], Tensor],
    fooled: Tensor,
) -> _State:
    index = torch.arange(len(images), device=images.device)
    at = project(images + epsilon * starts, images, epsilon, norm)
    value, gradient, wrong = _evaluated(model, at, labels, index, loss)
    fooled |= wrong
    step = torch.full((len(images), 1, 1, 1), 2 * epsilon, dtype=images.dtype, device=images.device)
    halved = torch.ones_like(wrong)
    return _State(
        index,
        images,
        labels,
        at,
        at,
        gradient,
        value,
        at,
        gradient,
        value,
        value,
        halved,
        step,
        torch.zeros_like(index),
    )


def _ascend(
    state: _State,
    model: Callable[[Tensor], Tensor],
    epsilon: float,
    norm: Literal["linf", "l2"],
    loss: Callable[[Tensor, Tensor, Tensor], Tensor],
    fooled: Tensor,
    *,
    first: bool,
) -> _State:
    """One step of all images; those that became wrong are marked in ``fooled``."""
    images, at = state.images, state.at
    direction = state.gradient.sign() if norm == "linf" else state.gradient / (_length(state.gradient) + 1e-12)
    target = project(at + state.step * direction, images, epsilon, norm)
    share = 1.0 if first else _NEW
    moved = project(at + share * (target - at) + (1 - share) * (at - state.before), images, epsilon, norm)
    value, gradient, wrong = _evaluated(model, moved, state.labels, state.index, loss)
    fooled[state.index[wrong]] = True
    better = value > state.best_value
    of_image = better.view(-1, 1, 1, 1)
    return state.replaced(
        at=moved,
        before=at,
        gradient=gradient,
        value=value,
        best=torch.where(of_image, moved, state.best),
        best_gradient=torch.where(of_image, gradient, state.best_gradient),
        best_value=torch.where(better, value, state.best_value),
        rises=state.rises + (value > state.value),
    )


def _judged(state: _State, period: int) -> _State:
    """The state at the end of a period: steps are halved where the ascent does not get on."""
    stuck = ~state.halved & (state.last_best >= state.best_value)
    halve = (state.rises <= _RISES * period) | stuck
    of_image = halve.view(-1, 1, 1, 1)
    return state.replaced(
        at=torch.where(of_image, state.best, state.at),
        gradient=torch.where(of_image, state.best_gradient, state.gradient),
        step=torch.where(of_image, state.step / 2, state.step),
        halved=halve,
        last_best=state.best_value,
        rises=torch.zeros_like(state.rises),
    )


def _evaluated(
    model: Callable[[Tensor], Tensor],
    at: Tensor,
    labels: Tensor,
    index: Tensor,
    loss: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> tuple[Tensor, Tensor, Tensor]:
    """The loss of each image, its gradient by the image, and whether the model gets the image wrong."""
    inputs = at.detach().clone().requires_grad_()
    logits = model(inputs)
    value = loss(logits, labels, index)
    (gradient,) = torch.autograd.grad(value.sum(), inputs)
    return value.detach(), gradient, logits.detach().argmax(1) != labels


def project(points: Tensor, images: Tensor, epsilon: float, norm: Literal["linf", "l2"]) -> Tensor:
    """Points [B, C, H, W] put back into the ball of radius epsilon about the images, and into [0, 1]."""
    moved = points - images
    if norm == "linf":
        moved = moved.clamp(-epsilon, epsilon)
    else:
        moved = moved * (epsilon / (_length(moved) + 1e-12)).clamp(max=1)
    return (images + moved).clamp(0, 1)


def _length(tensors: Tensor) -> Tensor:
    """The L2 norm of each row: [B, C, H, W] -> [B, 1, 1, 1]."""
    lengths: Tensor = torch.linalg.vector_norm(tensors, dim=(1, 2, 3), keepdim=True)
    return lengths
