"""Whether an attack is to be believed: signs that it failed although the model could be fooled.

An attack gives an upper bound of robustness. It is a poor one where the model hides its gradients, as one does whose
softmax saturates or whose inputs are rounded. The signs are those of Athalye, Carlini and Wagner, Obfuscated
Gradients Give a False Sense of Security, ICML 2018, and Carlini et al., On Evaluating Adversarial Robustness,
2019: iterative attacks weaker than single-step ones, more steps that help the model, attacks without a bound that do
not succeed, gradients that vanish. All but the first are looked at on ``CHECKED`` images alone, to stay cheap.

A difference counts from ``TOLERANCE`` of the images on, and from two images on: a random start wins or loses one now
and then.
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
    """What is wrong with the result of ``pgd`` at each radius; None where nothing is.

    ``withstood``: bool [epsilons, N], what ``pgd`` returned for the same arguments. Looked for are: more images
    that withstand PGD than the single step of the fast gradient method; more that withstand 40 steps than 10; images
    that withstand PGD at a radius within which every image can be made plain grey (0.5 in Linf), which leaves no model
    more than the images of one class; and gradients that vanish.
    """
    n, few, few_labels = len(images), images[:CHECKED], labels[:CHECKED]
    single = fast_gradient(model, images, labels, epsilons, norm=norm).sum(1).tolist()
    fewer_steps = pgd(model, few, few_labels, epsilons, norm=norm, steps=FEW_STEPS, seed=seed).sum(1).tolist()
    everywhere = [
        failing(model, few, few_labels, norm=norm, seed=seed),
        vanishing(model, few, few_labels, floor=1e-12 if norm == "l2" else 0.0),
    ]
    warnings = []
    for i, row in enumerate(withstood):
        found = []
        if exceeds(int(row.sum()), single[i], n):
            found.append(
                f"PGD is weaker than a single step: {int(row.sum())} of {n} images withstand it, not {single[i]}"
            )
        many = int(row[:CHECKED].sum())
        if exceeds(many, fewer_steps[i], len(few)):
            found.append(
                f"more steps help the model: {many} of {len(few)} withstand all, {fewer_steps[i]} withstand 10"
            )
        warnings.append(joined([*found, *everywhere]))
    return warnings


def failing(model: nn.Module, images: Tensor, labels: Tensor, *, norm: Norm, seed: int) -> str | None:
    """A warning where PGD fails although its radius lets it make every image the same.

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

    ``floor``: the norm from which on it can be followed; foolbox scales no gradient up that is shorter than 1e-12.
    """
    flat = int((correct(model, images, labels) & (gradient_norms(model, images, labels) <= floor)).sum())
    if exceeds(flat, 0, len(images)):
        return f"gradients may be masked: they vanish at {flat} of {len(images)} images"
    return None


def not_found(distances: Tensor) -> str | None:
    """A warning where an attack without a bound found nothing. distances: [N], infinite where nothing was found.

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
    """The warnings as one text, or None."""
    return "; ".join(warning for warning in warnings if warning) or None
