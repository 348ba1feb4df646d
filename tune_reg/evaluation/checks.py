"""Checks of an attack against itself: signs that it failed although the model could be fooled.

An attack gives an upper bound of robustness. The bound is poor where the model hides its gradients, as a model with a
saturated softmax or rounded inputs does. The signs come from Athalye, Carlini and Wagner, Obfuscated Gradients Give a
False Sense of Security, ICML 2018, and Carlini et al., On Evaluating Adversarial Robustness, 2019: iterative attacks
weaker than single-step ones, more steps that help the model, attacks without a bound that do not succeed, gradients
that vanish. All but the first are checked on ``CHECKED`` images alone, to stay cheap.

A difference counts from ``TOLERANCE`` of the images on, and from two images on: a random start wins or loses a single
image now and then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from tune_reg.evaluation.attacks import Norm, correct, fast_gradient, gradient_norms, pgd

CHECKED: Final = 100
FEW_STEPS: Final = 10
TOLERANCE: Final = 0.01


def exceeds(more: int, less: int, n: int) -> bool:
    """Whether ``more`` of ``n`` images is more than ``less`` beyond what the tolerance allows.

    >>> exceeds(12, 10, 100), exceeds(11, 10, 100), exceeds(25, 10, 2000)
    (True, False, False)
    """
    return more - less > max(1, TOLERANCE * n)


def pgd_warnings(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    epsilons: Sequence[float],
    withstood: Tensor,
    *,
    norm: Norm,
    seed: int,
) -> list[str | None]:
    """A warning for each radius where the result of ``pgd`` is suspicious; None for a radius where it is not.

    ``withstood``: bool [epsilons, N], the result of ``pgd`` for these arguments. Suspicious are: more images that
    withstand PGD than the single step of the fast gradient method; more images that withstand 40 steps than 10; images
    that withstand PGD at a radius within which every image can be made plain grey (0.5 in Linf), where no model can
    keep more than the images of one class; and gradients that vanish.
    """
    n, few, few_labels = len(images), images[:CHECKED], labels[:CHECKED]
    single = fast_gradient(model, images, labels, epsilons, norm=norm).sum(1).tolist()
    fewer_steps = pgd(model, few, few_labels, epsilons, norm=norm, steps=FEW_STEPS, seed=seed).sum(1).tolist()
    at_every_radius = [
        failing(model, few, few_labels, norm=norm, seed=seed),
        vanishing(model, few, few_labels, floor=1e-12 if norm == "l2" else 0.0),
    ]
    warnings = []
    for i, row in enumerate(withstood):
        signs = []
        if exceeds(int(row.sum()), single[i], n):
            signs.append(
                f"PGD is weaker than a single step: {int(row.sum())} of {n} images withstand it, not {single[i]}"
            )
        many = int(row[:CHECKED].sum())
        if exceeds(many, fewer_steps[i], len(few)):
            signs.append(
                f"more steps help the model: {many} of {len(few)} withstand all, {fewer_steps[i]} withstand 10"
            )
        warnings.append(joined([*signs, *at_every_radius]))
    return warnings


def too_weak(withstood: Tensor, stronger: Tensor) -> str | None:
    """A warning where a ``stronger`` attack leaves fewer of the same images right, by more than the error allows.

    Both: bool [N], which images withstand. Of the images on which the two differ, n_1 withstand the weaker attack alone
    and n_2 the stronger one alone; chance gives ``n_1 - n_2`` a standard error of ``sqrt(n_1 + n_2)``, of which 1.96
    are allowed (McNemar 1947).

    >>> weak, strong = torch.tensor([True] * 10), torch.tensor([True] * 7 + [False] * 3)
    >>> too_weak(weak, strong) is None, too_weak(weak, strong.roll(-1) & strong) is None
    (True, False)
    """
    alone, other = int((withstood & ~stronger).sum()), int((stronger & ~withstood).sum())
    if alone - other <= 1.96 * math.sqrt(alone + other):
        return None
    return "PGD is too weak: AutoAttack leaves fewer of the same images right, by more than the error of the difference"


def failing(model: nn.Module, images: Tensor, labels: Tensor, *, norm: Norm, seed: int) -> str | None:
    """A warning where PGD fails although its radius is large enough to make all images equal.

    Plain grey is within 0.5 of all images in [0, 1] in Linf, and within half the root of the number of values in L2.
    The model gives it one class, so that a perfect attack leaves at most the images of that class.
    """
    radius = 0.5 if norm == "linf" else 0.5 * math.sqrt(images[0].numel())
    left = int(pgd(model, images, labels, [radius], norm=norm, seed=seed).sum())
    if exceeds(left, int(torch.bincount(labels).max()), len(images)):
        return (
            f"gradients may be masked: {left} of {len(images)} images withstand the radius {radius:.3g}, where none can"
        )
    return None


def vanishing(model: nn.Module, images: Tensor, labels: Tensor, *, floor: float = 0.0) -> str | None:
    """A warning where the loss has no gradient to follow, at images that the model gets right.

    ``floor``: a gradient with a larger norm can be followed; foolbox does not normalise gradients shorter than 1e-12.
    """
    flat = int((correct(model, images, labels) & (gradient_norms(model, images, labels) <= floor)).sum())
    if exceeds(flat, 0, len(images)):
        return f"gradients may be masked: they vanish at {flat} of {len(images)} images"
    return None


def not_found(distances: Tensor) -> str | None:
    """A warning where an attack without a bound finds nothing; ``distances``: [N], infinite for nothing found.

    >>> not_found(torch.tensor([0.5, math.inf, math.inf, math.inf]))
    'gradients may be masked: no wrong image was found for 3 of 4, which count as robust'
    """
    lost = int(distances.isinf().sum())
    if exceeds(lost, 0, len(distances)):
        return (
            f"gradients may be masked: no wrong image was found for {lost} of {len(distances)}, which count as robust"
        )
    return None


def joined(warnings: Sequence[str | None]) -> str | None:
    """All warnings as one text, or None where there are none."""
    return "; ".join(warning for warning in warnings if warning) or None
