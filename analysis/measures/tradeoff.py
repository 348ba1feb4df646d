"""Which regularizers does no other one beat in both clean and robust accuracy?"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from analysis.measures.accuracy import BySeed, Setting, accuracies, test_images
from analysis.measures.attacks import Attack, areas, attacked_images
from analysis.snapshot import Snapshot, once
from analysis.statistics import share_interval
from analysis.statistics.pareto import on_front

_RESAMPLES: Final = 1_000


class TradePoint(NamedTuple):
    """Clean and robust accuracy of one regularizer. Accuracies are shares in [0, 1], over the runs that have both."""

    regularizer: str
    n: int  # runs
    clean: float  # test accuracy
    clean_low: float | None
    clean_high: float | None
    robust: float  # mean accuracy over the epsilons of the attack
    robust_low: float | None
    robust_high: float | None
    front: bool  # on the Pareto front of the means
    front_share: float | None  # of 1,000 resamplings of the shared seeds in which it is; None with one shared seed


class Trade(NamedTuple):
    """Clean and robust accuracy of all regularizers under one attack."""

    setting: Setting
    attack: Attack
    points: tuple[TradePoint, ...]


@once
def trades(data: Snapshot) -> tuple[Trade, ...]:
    """Clean and robust accuracy under each attack and training set for which two regularizers or more were attacked."""
    under_attack = []
    for (setting, attack), robust in areas(data).items():
        images = test_images(data).get(setting), attacked_images(data).get((setting, attack))
        points = _points(data, accuracies(data).get(setting, {}), robust, images)
        if len(points) > 1:
            under_attack.append(Trade(setting, attack, points))
    return tuple(under_attack)


def _points(
    data: Snapshot, clean: BySeed, robust: BySeed, images: tuple[int | None, int | None]
) -> tuple[TradePoint, ...]:
    names = [name for name in data.regularizers if clean.get(name, {}).keys() & robust.get(name, {}).keys()]
    if not names:
        return ()
    seeds = {name: sorted(clean[name].keys() & robust[name].keys()) for name in names}
    means = [
        tuple(
            share_interval([values[name][seed] for seed in seeds[name]], counted)
            for values, counted in zip((clean, robust), images, strict=True)
        )
        for name in names
    ]
    # None is left out: no list of seeds is empty.
    pairs = [(accuracy, area) for accuracy, area in means if accuracy is not None and area is not None]
    front = on_front(*np.array([(accuracy.mean, area.mean) for accuracy, area in pairs]).T)
    shares = _shares(clean, robust, names, sorted(set.intersection(*map(set, seeds.values()))))
    return tuple(
        TradePoint(name, accuracy.n, *accuracy[1:4], *area[1:4], bool(front[index]), shares[index])
        for index, (name, (accuracy, area)) in enumerate(zip(names, pairs, strict=True))
    )


def _shares(clean: BySeed, robust: BySeed, names: list[str], seeds: list[int]) -> list[float | None]:
    if len(seeds) < 2:
        return [None] * len(names)
    draws = np.random.default_rng(0).integers(0, len(seeds), (_RESAMPLES, len(seeds)))
    means = [
        np.array([[values[name][seed] for seed in seeds] for name in names])[:, draws].mean(axis=2).T
        for values in (clean, robust)
    ]
    return [float(share) for share in on_front(*means).mean(axis=0)]
