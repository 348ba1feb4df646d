"""FAB: the nearest wrong image, by steps to the boundary of the linearised model (Croce and Hein 2020)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import torch
from torch import Tensor

#: The largest share of a step that starts from the image itself and not from where the search is.
_MOST_FROM_IMAGE: Final = 0.1
#: How far a step goes, in units of the way to the boundary of the linearised model.
_OVERSHOOT: Final = 1.05
#: How much of its way from the image a wrong image keeps before the next step.
_KEPT: Final = 0.9


def fab(
    model: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    targets: Tensor,
    *,
    norm: Literal["linf", "l2"],
    steps: int,
) -> Tensor:
    """The distance of each image to the nearest wrong one that is found on the way to its target class: [B].

    Infinite where none is found. images [B, C, H, W] in [0, 1], which the model gets right; labels and targets int64
    [B]; ``model``: logits [B, M] of images. In each step the model is replaced by its tangent, and the search moves
    beyond the nearest point in [0, 1] at which target and label have the same logit, seen from where it is and, to a
    small part, from the image, so that it stays near. Where it has found a wrong image, it takes a tenth of its way
    back. Nothing is drawn at random, and no radius is needed.

    Source: Croce and Hein, Minimally Distorted Adversarial Examples with a Fast Adaptive Boundary Attack, ICML 2020,
    algorithm 1, with the target classes and the constants of AutoAttack.
    """
    nearest = torch.full_like(labels, torch.inf, dtype=images.dtype)
    at = images
    for _ in range(steps):
        ahead, gradient = _ahead(model, at, labels, targets)
        from_image = ahead + (gradient * (images - at)).sum((1, 2, 3))
        shift, image_shift = (
            to_boundary(points, values, gradient, norm) for points, values in ((at, ahead), (images, from_image))
        )
        way, image_way = (_length(moved, norm).clamp(min=1e-8) for moved in (shift, image_shift))
        share = (way / (way + image_way)).clamp(max=_MOST_FROM_IMAGE).view(-1, 1, 1, 1)
        at = ((1 - share) * (at + _OVERSHOOT * shift) + share * (images + _OVERSHOOT * image_shift)).clamp(0, 1)
        with torch.no_grad():
            wrong = model(at).argmax(1) != labels
        nearest = torch.where(wrong, nearest.minimum(_length(at - images, norm)), nearest)
        at = torch.where(wrong.view(-1, 1, 1, 1), images + _KEPT * (at - images), at)
    return nearest


def to_boundary(points: Tensor, values: Tensor, gradient: Tensor, norm: Literal["linf", "l2"]) -> Tensor:
    """The least change of each point that makes a linear function 0 and stays in [0, 1]: [B, C, H, W].

    ``points``: [B, C, H, W] in [0, 1]; ``values``: the function at the points, [B]; ``gradient``: [B, C, H, W]. Solves
    ``min |d| such that values + <gradient, d> = 0 and 0 <= points + d <= 1``. Where the function is nowhere 0 in the
    box, d leads to where it is nearest to 0, and leaves alone what it does not depend on.

    With ``t`` the radius in Linf, or the Lagrange multiplier in L2, each coordinate moves by ``min(t s_i, room_i)``
    towards 0 of the function, ``s_i`` 1 in Linf and ``|gradient_i|`` in L2. What the function falls by then is
    piecewise linear in t, with a bend where a coordinate meets the edge of the box: sorting the bends solves for t.

    >>> points, gradient = torch.tensor([[[[0.5, 0.9]]]]), torch.tensor([[[[1.0, 1.0]]]])
    >>> to_boundary(points, torch.tensor([-0.4]), gradient, "linf")
    tensor([[[[0.3000, 0.1000]]]])
    >>> to_boundary(points, torch.tensor([-2.0]), gradient, "l2")
    tensor([[[[0.5000, 0.1000]]]])
    """
    weights = gradient.flatten(1)
    tiny = torch.finfo(weights.dtype).tiny
    scale = weights.abs().amax(1, keepdim=True).clamp(min=tiny)  # so that no square of a small gradient becomes 0
    need = values.abs().unsqueeze(1) / scale
    directions = -values.sign().unsqueeze(1) * weights.sign()
    room = torch.where(directions > 0, 1 - points.flatten(1), points.flatten(1))
    weights = weights.abs() / scale
    speeds = torch.ones_like(weights) if norm == "linf" else weights
    # A coordinate that does not move meets no edge, and one of speed 0 adds nothing wherever its bend stands.
    bends, order = (room / speeds).nan_to_num(nan=0.0, posinf=0.0).sort(1)
    at_edge = (weights * room).gather(1, order)
    slopes = (weights * speeds).gather(1, order)
    before = at_edge.cumsum(1) - at_edge
    slope = slopes.flip(1).cumsum(1).flip(1)
    bend = (before + bends * slope < need).sum(1, keepdim=True).clamp(max=bends.shape[1] - 1)
    before, slope, last = (tensor.gather(1, bend) for tensor in (before, slope, bends))
    reach = ((need - before) / slope.clamp(min=tiny)).clamp(min=0).minimum(last)
    return (directions * torch.minimum(reach * speeds, room)).view_as(points)


def _ahead(model: Callable[[Tensor], Tensor], at: Tensor, labels: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """How far the target's logit is ahead of the label's, [B], and the gradient of this by the image."""
    inputs = at.detach().clone().requires_grad_()
    logits = model(inputs)
    ahead = (logits.gather(1, targets.unsqueeze(1)) - logits.gather(1, labels.unsqueeze(1))).squeeze(1)
    (gradient,) = torch.autograd.grad(ahead.sum(), inputs)
    return ahead.detach(), gradient


def _length(moved: Tensor, norm: Literal["linf", "l2"]) -> Tensor:
    """The norm of each change [B, C, H, W]: [B]."""
    order = torch.inf if norm == "linf" else 2
    lengths: Tensor = torch.linalg.vector_norm(moved, order, dim=(1, 2, 3))
    return lengths
