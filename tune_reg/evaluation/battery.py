"""Everything that a network is tested with beside the clean test set, as rows of the table "robustness"."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, nn

from tune_reg.evaluation import attacks, checks
from tune_reg.evaluation.corruptions import SEVERITIES, corrupt
from tune_reg.evaluation.noise import gaussian_noise, salt_and_pepper, uniform_noise
from tune_reg.evaluation.settings import RobustnessSettings

Row = dict[str, Any]


def robustness(
    model: nn.Module, images: Tensor, labels: Tensor, settings: RobustnessSettings, *, seed: int = 0
) -> list[Row]:
    """Accuracy under each attack, noise and corruption that ``settings`` ask for, a row each.

    ``model``: logits [N, M] of images, normalisation inside. ``images``: float [N, C, H, W] in [0, 1] and ``labels``:
    int64 [N], on the model's device; ``settings.images`` is for the caller to heed. ``seed``: of noise and random
    starts; they depend on nothing else.

    Each attack and noise begins with a row of ``epsilon`` 0, which is the clean accuracy; corruptions share one of
    the test "clean". ``median_distance`` is that of the minimal-distance attacks over all images, with 0 for those
    wrong anyway, on each of their rows; null where none was found for half of the images. ``warning`` says what a
    check of the attack against itself found (``checks``), else it is null.

    >>> import torch
    >>> from tune_reg.evaluation import RobustnessSettings, robustness
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    >>> settings = RobustnessSettings(pgd_linf=[0.1], corruptions=["contrast"])
    >>> rows = robustness(model, torch.rand(20, 1, 8, 8), torch.arange(20) % 10, settings)
    >>> [(row["test"], row["epsilon"], row["severity"]) for row in rows[:4]]
    [('pgd-linf', 0.0, None), ('pgd-linf', 0.1, None), ('clean', 0.0, None), ('contrast', None, 1)]
    """
    if settings.empty:
        return []
    with attacks.attackable(model):
        clean = _accuracy(model, images, labels)
        rows = [
            *_attacked(model, images, labels, settings, seed, clean),
            *_noisy(model, images, labels, settings, seed, clean),
            *_corrupted(model, images, labels, settings, seed, clean),
        ]
    return [{**row, "n": len(labels)} for row in rows]


def _attacked(
    model: nn.Module, images: Tensor, labels: Tensor, settings: RobustnessSettings, seed: int, clean: float
) -> Iterator[Row]:
    if settings.fgsm:
        withstood = attacks.fast_gradient(model, images, labels, settings.fgsm)
        warning = checks.vanishing(model, images[: checks.CHECKED], labels[: checks.CHECKED])
        yield from _rows("fgsm", "linf", settings.fgsm, _shares(withstood), clean, [warning] * len(settings.fgsm))
    norm: attacks.Norm
    for norm, epsilons in (("linf", settings.pgd_linf), ("l2", settings.pgd_l2)):
        if epsilons:
            withstood = attacks.pgd(model, images, labels, epsilons, norm=norm, seed=seed)
            warnings = checks.pgd_warnings(model, images, labels, epsilons, withstood, norm=norm, seed=seed)
            yield from _rows(f"pgd-{norm}", norm, epsilons, _shares(withstood), clean, warnings)
    for test, epsilons, attack in (
        ("cw-l2", settings.cw_l2, attacks.carlini_wagner),
        ("deepfool-l2", settings.deepfool_l2, attacks.deepfool),
    ):
        if epsilons:
            distances = attack(model, images, labels)
            accuracies = [float((distances > epsilon).double().mean()) for epsilon in epsilons]
            warnings = [checks.not_found(distances)] * len(epsilons)
            median = statistics.median(distances.tolist())
            for row in _rows(test, "l2", epsilons, accuracies, clean, warnings):
                yield {**row, "median_distance": median if median < float("inf") else None}


def _noisy(
    model: nn.Module, images: Tensor, labels: Tensor, settings: RobustnessSettings, seed: int, clean: float
) -> Iterator[Row]:
    for test, strengths, noise in (
        ("gaussian-noise", settings.gaussian_noise, gaussian_noise),
        ("uniform-noise", settings.uniform_noise, uniform_noise),
        ("salt-noise", settings.salt_noise, salt_and_pepper),
    ):
        if strengths:
            accuracies = [_accuracy(model, noise(images, strength, seed), labels) for strength in strengths]
            yield from _rows(test, None, strengths, accuracies, clean, [None] * len(strengths))


def _corrupted(
    model: nn.Module, images: Tensor, labels: Tensor, settings: RobustnessSettings, seed: int, clean: float
) -> Iterator[Row]:
    if settings.corruptions:
        yield _row("clean", epsilon=0.0, accuracy=clean)
    for name in settings.corruptions:
        for severity in SEVERITIES:
            accuracy = _accuracy(model, corrupt(images, name, severity, seed), labels)
            yield _row(name, severity=severity, accuracy=accuracy)


def _rows(
    test: str,
    norm: str | None,
    epsilons: Sequence[float],
    accuracies: Sequence[float],
    clean: float,
    warnings: Sequence[str | None],
) -> Iterator[Row]:
    """The clean row and one for each strength."""
    yield _row(test, norm=norm, epsilon=0.0, accuracy=clean)
    for epsilon, accuracy, warning in zip(epsilons, accuracies, warnings, strict=True):
        yield _row(test, norm=norm, epsilon=epsilon, accuracy=accuracy, warning=warning)


def _row(test: str, **columns: Any) -> Row:
    unknown = dict.fromkeys(("norm", "epsilon", "severity", "accuracy", "median_distance", "warning"))
    return {"test": test, **unknown, **columns}


def _accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    return float(attacks.correct(model, images, labels).double().mean())


def _shares(withstood: Tensor) -> list[float]:
    shares: list[float] = withstood.double().mean(1).tolist()
    return shares
