"""All robustness tests of a network, as rows of the table "robustness"."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from tune_reg.evaluation.attacks import (
    ATTACKS,
    AUTOATTACK_L2,
    AUTOATTACK_LINF,
    DistanceAttack,
    RadiusAttack,
    attackable,
    correct,
)
from tune_reg.evaluation.checks import CHECKED, joined, not_found, pgd_warnings, too_weak, vanishing
from tune_reg.evaluation.corruptions import SEVERITIES, corrupt
from tune_reg.evaluation.noise import NOISES
from tune_reg.evaluation.settings import RobustnessSettings
from tune_reg.store.schema import RobustnessValues


def robustness(
    model: nn.Module, images: Tensor, labels: Tensor, settings: RobustnessSettings, *, seed: int = 0
) -> list[RobustnessValues]:
    """Accuracy under each attack, noise and corruption that ``settings`` ask for, a row each.

    ``model``: logits [N, M] of images, normalisation inside. ``images``: float [N, C, H, W] in [0, 1] and ``labels``:
    int64 [N], on the model's device; the caller picks ``settings.images`` of them. ``seed``: of noise and random
    starts, which depend on nothing else.

    Each attack and noise begins with a row of ``epsilon`` 0, which is the clean accuracy; corruptions share one clean
    row of the test "clean". ``median_distance`` is the median of the distances that a minimal-distance attack finds for
    all images, with 0 for those wrong anyway, on each of its rows; null where nothing was found for half of the images.
    ``warning`` says what a check of the attack against itself found (``checks``), else it is null.

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
    with attackable(model):
        clean = float(correct(model, images, labels).double().mean())
        tested = _Tested(model, images, labels, seed, clean)
        return [*_attack_rows(tested, settings), *_noise_rows(tested, settings), *_corruption_rows(tested, settings)]


class _Tested(NamedTuple):
    """A network, and the images that it is tested on."""

    model: nn.Module
    images: Tensor
    labels: Tensor
    seed: int
    #: The accuracy on the images as they are.
    clean: float

    def first(self, n: int) -> _Tested:
        """The network, tested on the first ``n`` images alone."""
        if n >= len(self.labels):
            return self
        images, labels = self.images[:n], self.labels[:n]
        return _Tested(
            self.model, images, labels, self.seed, float(correct(self.model, images, labels).double().mean())
        )

    def accuracy(self, images: Tensor) -> float:
        """The accuracy on changed ``images``."""
        return float(correct(self.model, images, self.labels).double().mean())

    def row(
        self,
        test: str,
        accuracy: float,
        *,
        norm: str | None = None,
        epsilon: float | None = None,
        severity: int | None = None,
        median_distance: float | None = None,
        warning: str | None = None,
    ) -> RobustnessValues:
        """One row of the table "robustness"."""
        return {
            "test": test,
            "norm": norm,
            "epsilon": epsilon,
            "severity": severity,
            "accuracy": accuracy,
            "median_distance": median_distance,
            "warning": warning,
            "n": len(self.labels),
        }

    def clean_row(
        self, test: str, *, norm: str | None = None, median_distance: float | None = None
    ) -> RobustnessValues:
        """The row that a test begins with: the accuracy on clean images."""
        return self.row(test, self.clean, norm=norm, epsilon=0.0, median_distance=median_distance)


def _attack_rows(tested: _Tested, settings: RobustnessSettings) -> Iterator[RobustnessValues]:
    asked: list[tuple[RadiusAttack | DistanceAttack, Sequence[float]]] = [
        (attack, epsilons) for attack in ATTACKS if (epsilons := getattr(settings, attack.key))
    ]
    #: Which images withstand each attack within each radius, before its rows are made: some check each other.
    withstood = {
        attack: attack.run(*tested.first(getattr(settings, attack.images))[:3], epsilons, tested.seed)
        for attack, epsilons in asked
        if isinstance(attack, RadiusAttack)
    }
    strongest = {
        (attack.norm, epsilon): row
        for attack, epsilons in asked
        if attack in (AUTOATTACK_LINF, AUTOATTACK_L2)
        for epsilon, row in zip(epsilons, withstood[attack], strict=True)
    }
    for attack, epsilons in asked:
        if isinstance(attack, DistanceAttack):
            yield from _rows_of_distances(tested, attack, epsilons)
            continue
        of_attack = tested.first(getattr(settings, attack.images))
        stronger = [strongest.get((attack.norm, epsilon)) for epsilon in epsilons]
        yield from _rows_within_radii(of_attack, attack, epsilons, withstood[attack], stronger)


def _rows_within_radii(
    tested: _Tested,
    attack: RadiusAttack,
    epsilons: Sequence[float],
    withstood: Tensor,
    stronger: Sequence[Tensor | None],
) -> Iterator[RobustnessValues]:
    """The rows of an attack; ``stronger``: which of the first images withstand a stronger one within each radius."""
    model, images, labels, seed, _ = tested
    warnings: list[str | None] = [None] * len(epsilons)
    if attack.checked == "by other attacks":
        own = pgd_warnings(model, images, labels, epsilons, withstood, norm=attack.norm, seed=seed)
        warnings = [
            joined([warning, None if other is None else too_weak(row[: len(other)], other)])
            for warning, row, other in zip(own, withstood, stronger, strict=True)
        ]
    elif attack.checked == "by gradients":
        warnings = [vanishing(model, images[:CHECKED], labels[:CHECKED])] * len(epsilons)
    accuracies: list[float] = withstood.double().mean(1).tolist()
    yield tested.clean_row(attack.name, norm=attack.norm)
    for epsilon, accuracy, warning in zip(epsilons, accuracies, warnings, strict=True):
        yield tested.row(attack.name, accuracy, norm=attack.norm, epsilon=epsilon, warning=warning)


def _rows_of_distances(
    tested: _Tested, attack: DistanceAttack, epsilons: Sequence[float]
) -> Iterator[RobustnessValues]:
    distances = attack.run(tested.model, tested.images, tested.labels)
    middle = statistics.median(distances.tolist())
    median = middle if middle < float("inf") else None
    warning = not_found(distances)
    yield tested.clean_row(attack.name, norm=attack.norm, median_distance=median)
    for epsilon in epsilons:
        accuracy = float((distances > epsilon).double().mean())
        yield tested.row(
            attack.name, accuracy, norm=attack.norm, epsilon=epsilon, median_distance=median, warning=warning
        )


def _noise_rows(tested: _Tested, settings: RobustnessSettings) -> Iterator[RobustnessValues]:
    for noise in NOISES:
        strengths: Sequence[float] = getattr(settings, noise.key)
        if strengths:
            yield tested.clean_row(noise.name)
        for strength in strengths:
            accuracy = tested.accuracy(noise.run(tested.images, strength, tested.seed))
            yield tested.row(noise.name, accuracy, epsilon=strength)


def _corruption_rows(tested: _Tested, settings: RobustnessSettings) -> Iterator[RobustnessValues]:
    if settings.corruptions:
        yield tested.clean_row("clean")
    for name in settings.corruptions:
        for severity in SEVERITIES:
            accuracy = tested.accuracy(corrupt(tested.images, name, severity, tested.seed))
            yield tested.row(name, accuracy, severity=severity)
